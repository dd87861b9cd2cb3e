//! All routes of the operators' listener in one list, and the match of a request.

use fanfare_apps::Scope;
use hyper::Method;
use matchit::Router;

use super::problem::Problem;

/// The action of a method and a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Up,
    Ready,
    Metrics,
    OpenApi,
    List,
    Create,
    Show,
    Update,
    Delete,
    Keys,
    RotateKey,
    RevokeKey,
    Usage,
    Nodes,
}

impl Action {
    /// Whether the action has parameters in the request's body.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::RotateKey)
    }

    /// Whether the action changes an app that the path names.
    pub const fn changes_an_app(self) -> bool {
        matches!(self, Self::Update | Self::Delete | Self::RotateKey | Self::RevokeKey)
    }

    /// The scope that the action needs; `secrets` says whether the request wants secrets.
    pub const fn scope(self, secrets: bool) -> Scope {
        match self {
            Self::Keys if secrets => Scope::Secrets,
            Self::Create | Self::Update | Self::Delete | Self::RotateKey | Self::RevokeKey => Scope::Write,
            Self::Up
            | Self::Ready
            | Self::Metrics
            | Self::OpenApi
            | Self::List
            | Self::Show
            | Self::Keys
            | Self::Usage
            | Self::Nodes => Scope::Read,
        }
    }
}

/// Every route of the listener.
pub(super) fn all() -> [(Method, &'static str, Action); 14] {
    [
        (Method::GET, "/up", Action::Up),
        (Method::GET, "/ready", Action::Ready),
        (Method::GET, "/metrics", Action::Metrics),
        (Method::GET, "/v1/openapi.json", Action::OpenApi),
        (Method::GET, "/v1/apps", Action::List),
        (Method::POST, "/v1/apps", Action::Create),
        (Method::GET, "/v1/apps/{id}", Action::Show),
        (Method::PATCH, "/v1/apps/{id}", Action::Update),
        (Method::DELETE, "/v1/apps/{id}", Action::Delete),
        (Method::GET, "/v1/apps/{id}/keys", Action::Keys),
        (Method::POST, "/v1/apps/{id}/keys", Action::RotateKey),
        (Method::DELETE, "/v1/apps/{id}/keys/{key}", Action::RevokeKey),
        (Method::GET, "/v1/apps/{id}/usage", Action::Usage),
        (Method::GET, "/v1/nodes", Action::Nodes),
    ]
}

/// The list by paths, each with its methods and their actions.
pub(super) struct AdminRoutes(Router<Vec<(Method, Action)>>);

/// The match of a request.
#[derive(Debug)]
pub(super) struct Found {
    pub action: Action,
    /// The app in the path, or empty.
    pub id: String,
    /// The key in the path, or empty.
    pub key: String,
}

impl Default for AdminRoutes {
    fn default() -> Self {
        let mut by_path: Vec<(&'static str, Vec<(Method, Action)>)> = Vec::new();
        for (method, path, action) in all() {
            match by_path.iter_mut().find(|(known, _)| *known == path) {
                Some((_, actions)) => actions.push((method, action)),
                None => by_path.push((path, vec![(method, action)])),
            }
        }
        let mut router = Router::new();
        for (path, actions) in by_path {
            router.insert(path, actions).expect("the paths above do not clash");
        }
        Self(router)
    }
}

impl AdminRoutes {
    /// The route of a request. HEAD matches GET; the connection sends the answer without its body.
    ///
    /// # Errors
    /// The path does not exist, or does not answer to the method.
    pub fn find(&self, method: &Method, path: &str) -> Result<Found, Problem> {
        let matched = self.0.at(path).map_err(|_| Problem::NoSuchPath)?;
        let actions = matched.value;
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        let Some((_, action)) = actions.iter().find(|(own, _)| own == wanted) else {
            let allowed: Vec<&str> = actions.iter().map(|(own, _)| allowed(own)).collect();
            return Err(Problem::MethodNotAllowed(allowed.join(", ")));
        };
        let part = |name: &str| matched.params.get(name).unwrap_or_default().to_owned();
        Ok(Found { action: *action, id: part("id"), key: part("key") })
    }
}

/// The `Allow` header of a 405 for a method of the list.
fn allowed(own: &Method) -> &str {
    if *own == Method::GET { "GET, HEAD" } else { own.as_str() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &Method, path: &str) -> Result<Found, Problem> {
        AdminRoutes::default().find(method, path)
    }

    #[test]
    fn a_path_and_a_method_mean_one_action() {
        let found = find(&Method::DELETE, "/v1/apps/3/keys/a-key").unwrap();
        assert_eq!((found.action, &*found.id, &*found.key), (Action::RevokeKey, "3", "a-key"));
        let found = find(&Method::POST, "/v1/apps").unwrap();
        assert_eq!((found.action, &*found.id, &*found.key), (Action::Create, "", ""));
    }

    #[test]
    fn what_is_not_in_the_list_is_refused() {
        for path in ["/", "/v1", "/v1/apps/", "/v1/apps/3/", "/v1/apps/3/keys/", "/v2/apps", "/up/"] {
            assert!(matches!(find(&Method::GET, path), Err(Problem::NoSuchPath)), "{path}");
        }
        let Err(Problem::MethodNotAllowed(allowed)) = find(&Method::PUT, "/v1/apps/3") else {
            panic!("PUT is not in the list");
        };
        assert_eq!(allowed, "GET, HEAD, PATCH, DELETE");
    }

    #[test]
    fn secrets_need_a_scope_of_their_own_and_changes_another() {
        assert_eq!(Action::Keys.scope(true), Scope::Secrets);
        assert_eq!(Action::Keys.scope(false), Scope::Read);
        for (method, path, action) in all() {
            let scope = if method == Method::GET { Scope::Read } else { Scope::Write };
            assert_eq!(action.scope(false), scope, "{method} {path}");
        }
    }
}
