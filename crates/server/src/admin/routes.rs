//! All routes of the operators' listener in one list, and the match of a request.

use fanfare_apps::Scope;
use hyper::Method;
use matchit::Router;
use percent_encoding::percent_decode_str;

use super::problem::Problem;

/// The action of a method and a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Up,
    Alive,
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
    Stats,
    Connect,
    Publish,
    Traces,
    TestWebhook,
    RepeatDelivery,
    Deliveries,
    Channels,
    Channel,
    Members,
    Subscribers,
    Connections,
    Connection,
    CloseConnection,
    Users,
    TerminateUser,
    Refusals,
    RefusalsOfNoApp,
    ExamineApp,
    ExamineNode,
    Node,
    Reload,
    Live,
    Nodes,
    Tokens,
    CreateToken,
    RevokeToken,
    Audit,
    Search,
    LogIn,
    WhoAmI,
    LogOut,
}

impl Action {
    /// Whether the action has parameters in the request's body.
    pub const fn has_body(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Update
                | Self::RotateKey
                | Self::Publish
                | Self::TestWebhook
                | Self::RepeatDelivery
                | Self::ExamineApp
                | Self::ExamineNode
                | Self::CreateToken
                | Self::LogIn
        )
    }

    /// Whether the action changes an app that the path names.
    pub const fn changes_an_app(self) -> bool {
        matches!(self, Self::Update | Self::Delete | Self::RotateKey | Self::RevokeKey)
    }

    /// Whether the action is about the session itself, which needs no scope.
    pub const fn is_about_the_session(self) -> bool {
        matches!(self, Self::LogIn | Self::WhoAmI | Self::LogOut)
    }

    /// The scope that the action needs; `secrets` says whether the request wants secrets.
    pub const fn scope(self, secrets: bool) -> Scope {
        match self {
            Self::Keys | Self::Connect if secrets => Scope::Secrets,
            Self::Publish | Self::TestWebhook => Scope::Publish,
            Self::CloseConnection | Self::TerminateUser | Self::RepeatDelivery | Self::Reload => {
                Scope::Operate
            }
            Self::Create
            | Self::Update
            | Self::Delete
            | Self::RotateKey
            | Self::RevokeKey
            | Self::Tokens
            | Self::CreateToken
            | Self::RevokeToken => Scope::Write,
            Self::Up
            | Self::Alive
            | Self::Ready
            | Self::Metrics
            | Self::OpenApi
            | Self::List
            | Self::Show
            | Self::Keys
            | Self::Usage
            | Self::Stats
            | Self::Connect
            | Self::Traces
            | Self::Deliveries
            | Self::Channels
            | Self::Channel
            | Self::Members
            | Self::Subscribers
            | Self::Connections
            | Self::Connection
            | Self::Users
            | Self::Refusals
            | Self::RefusalsOfNoApp
            | Self::ExamineApp
            | Self::ExamineNode
            | Self::Node
            | Self::Live
            | Self::Nodes
            | Self::Audit
            | Self::Search
            | Self::LogIn
            | Self::WhoAmI
            | Self::LogOut => Scope::Read,
        }
    }
}

/// Every route of the listener.
pub(super) fn all() -> [(Method, &'static str, Action); 47] {
    [
        (Method::GET, "/up", Action::Up),
        (Method::GET, "/live", Action::Alive),
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
        (Method::GET, "/v1/apps/{id}/stats", Action::Stats),
        (Method::GET, "/v1/apps/{id}/connect", Action::Connect),
        (Method::POST, "/v1/apps/{id}/events", Action::Publish),
        (Method::GET, "/v1/apps/{id}/traces", Action::Traces),
        (Method::POST, "/v1/apps/{id}/webhooks/{number}/test", Action::TestWebhook),
        (Method::GET, "/v1/apps/{id}/webhooks/deliveries", Action::Deliveries),
        (Method::POST, "/v1/apps/{id}/webhooks/deliveries/{delivery}/again", Action::RepeatDelivery),
        (Method::GET, "/v1/apps/{id}/channels", Action::Channels),
        (Method::GET, "/v1/apps/{id}/channels/{name}", Action::Channel),
        (Method::GET, "/v1/apps/{id}/channels/{name}/members", Action::Members),
        (Method::GET, "/v1/apps/{id}/channels/{name}/subscribers", Action::Subscribers),
        (Method::GET, "/v1/apps/{id}/connections", Action::Connections),
        (Method::GET, "/v1/apps/{id}/connections/{socket}", Action::Connection),
        (Method::DELETE, "/v1/apps/{id}/connections/{socket}", Action::CloseConnection),
        (Method::GET, "/v1/apps/{id}/users", Action::Users),
        (Method::POST, "/v1/apps/{id}/users/{uid}/terminate", Action::TerminateUser),
        (Method::GET, "/v1/apps/{id}/refusals", Action::Refusals),
        (Method::GET, "/v1/refusals", Action::RefusalsOfNoApp),
        (Method::POST, "/v1/apps/{id}/doctor", Action::ExamineApp),
        (Method::POST, "/v1/doctor", Action::ExamineNode),
        (Method::GET, "/v1/node", Action::Node),
        (Method::POST, "/v1/reload", Action::Reload),
        (Method::GET, "/v1/apps/{id}/live", Action::Live),
        (Method::GET, "/v1/nodes", Action::Nodes),
        (Method::GET, "/v1/tokens", Action::Tokens),
        (Method::POST, "/v1/tokens", Action::CreateToken),
        (Method::DELETE, "/v1/tokens/{number}", Action::RevokeToken),
        (Method::GET, "/v1/audit", Action::Audit),
        (Method::GET, "/v1/search", Action::Search),
        (Method::GET, "/v1/apps/{id}/search", Action::Search),
        (Method::POST, "/v1/session", Action::LogIn),
        (Method::GET, "/v1/session", Action::WhoAmI),
        (Method::DELETE, "/v1/session", Action::LogOut),
    ]
}

/// The list by paths, each with its methods and their actions.
pub(super) struct AdminRoutes(Router<Vec<(Method, Action)>>);

/// The match of a request.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub action: Action,
    /// The app in the path, or empty.
    pub id: String,
    /// The key in the path, or empty.
    pub key: String,
    /// The webhook's place in the path, or empty.
    pub number: String,
    /// The channel, the socket, the user or the delivery in the path, decoded, or empty.
    pub name: String,
}

impl Found {
    /// Whether the request is about one app: its path names the app.
    pub const fn is_about_an_app(&self) -> bool {
        !self.id.is_empty()
    }
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
        Ok(Found {
            action: *action,
            id: part("id"),
            key: part("key"),
            number: part("number"),
            name: ["name", "socket", "uid", "delivery"].map(|name| decoded(&part(name))).concat(),
        })
    }
}

/// A part of a path, which may be percent-encoded.
fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
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

    const OPERATED: [Action; 4] =
        [Action::CloseConnection, Action::TerminateUser, Action::RepeatDelivery, Action::Reload];

    #[test]
    fn secrets_and_publishing_need_scopes_of_their_own_and_changes_another() {
        assert_eq!(Action::Keys.scope(true), Scope::Secrets);
        assert_eq!(Action::Keys.scope(false), Scope::Read);
        for (method, path, action) in all() {
            let scope = match method {
                _ if action.is_about_the_session() => continue,
                Method::GET if action != Action::Tokens => Scope::Read,
                _ if [Action::ExamineApp, Action::ExamineNode].contains(&action) => Scope::Read,
                _ if [Action::Publish, Action::TestWebhook].contains(&action) => Scope::Publish,
                _ if OPERATED.contains(&action) => Scope::Operate,
                _ => Scope::Write,
            };
            assert_eq!(action.scope(false), scope, "{path}");
        }
    }
}
