//! All routes of the public listener in one list, and the match of a path.

use hyper::Method;
use matchit::{Match, Router};

use super::authorize;

/// The meaning of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    WebSocket,
    Authorize(authorize::AuthorizationKind),
    Up,
    Events,
    BatchEvents,
    Channels,
    Channel,
    ChannelUsers,
    ChannelEvents,
    ChannelStats,
    Connections,
    TerminateUser,
}

impl Route {
    /// The method of the route (API-009); a GET route answers HEAD as well.
    pub const fn method(self) -> Method {
        match self {
            Self::Events
            | Self::BatchEvents
            | Self::ChannelEvents
            | Self::TerminateUser
            | Self::Authorize(_) => Method::POST,
            Self::WebSocket
            | Self::Up
            | Self::Channels
            | Self::Channel
            | Self::ChannelUsers
            | Self::ChannelStats
            | Self::Connections => Method::GET,
        }
    }

    /// Whether the route answers the method. HEAD gets the answer to GET, which the connection sends without its
    /// body.
    pub fn answers_to(self, method: &Method) -> bool {
        let own = self.method();
        *method == own || (own == Method::GET && *method == Method::HEAD)
    }
}

/// The list.
pub struct PublicRoutes(Router<Route>);

impl Default for PublicRoutes {
    fn default() -> Self {
        let mut router = Router::new();
        for (path, route) in [
            ("/app/{key}", Route::WebSocket),
            ("/app/{key}/auth", Route::Authorize(authorize::AuthorizationKind::Channel)),
            ("/app/{key}/user-auth", Route::Authorize(authorize::AuthorizationKind::User)),
            ("/up", Route::Up),
            ("/apps/{app}/events", Route::Events),
            ("/apps/{app}/batch_events", Route::BatchEvents),
            ("/apps/{app}/channels", Route::Channels),
            ("/apps/{app}/channels/{channel}", Route::Channel),
            ("/apps/{app}/channels/{channel}/users", Route::ChannelUsers),
            ("/apps/{app}/channels/{channel}/events", Route::ChannelEvents),
            ("/apps/{app}/channels/{channel}/stats", Route::ChannelStats),
            ("/apps/{app}/connections", Route::Connections),
            ("/apps/{app}/users/{user}/terminate_connections", Route::TerminateUser),
        ] {
            router.insert(path, route).expect("the paths above do not clash");
        }
        Self(router)
    }
}

impl PublicRoutes {
    /// The route of a path that [`own_path`] has returned, and its parameters.
    pub(super) fn find<'p>(&self, path: &'p str) -> Option<Match<'_, 'p, &Route>> {
        self.0.at(path).ok()
    }
}

/// The path as the routes are written: without the configured prefix (WS-003), without a second slash at its
/// start, as `wsPath: '/'` sends, and without a slash at its end.
pub(super) fn own_path<'a>(path: &'a str, prefix: &str) -> &'a str {
    let path = with_one_slash(path);
    let path = behind_prefix(path, prefix).map_or(path, with_one_slash);
    match path.strip_suffix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => path,
    }
}

fn with_one_slash(path: &str) -> &str {
    if path.starts_with("//") { &path[1..] } else { path }
}

/// The path behind the configured prefix, if the prefix is there: proxies may strip it.
fn behind_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| !prefix.is_empty() && rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_003_a_path_prefix_is_taken_off_whole_or_not_at_all() {
        assert_eq!(own_path("/ws/app/k", "/ws"), "/app/k");
        assert_eq!(own_path("/app/k", "/ws"), "/app/k");
        assert_eq!(own_path("/wsx/app/k", "/ws"), "/wsx/app/k");
        assert_eq!(own_path("/app/k", ""), "/app/k");
    }

    #[test]
    fn one_slash_too_many_is_taken_off_at_each_end_and_no_more() {
        for (path, prefix) in [
            ("/app/k/", ""),
            ("//app/k", ""),
            ("//app/k/", ""),
            ("/ws//app/k", "/ws"),
            ("//ws/app/k/", "/ws"),
        ] {
            assert_eq!(own_path(path, prefix), "/app/k", "{path}");
        }
        for (path, left) in [("/", "/"), ("//", "/"), ("///app/k", "//app/k"), ("/app/k//", "/app/k/")] {
            assert_eq!(own_path(path, ""), left);
        }
        assert_eq!(own_path("*", ""), "*");
    }
}
