//! All routes of the public listener in one list, and the match of a path.

use hyper::Method;
use matchit::{Match, Router};

use crate::api::laravel_echo_server::EchoQuestion;
use crate::authorize;
use crate::clients::xhr::XhrRequest;
use crate::metrics::RouteClass;

/// The meaning of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    WebSocket,
    /// Socket.IO of the app that the setting names (SIO-080).
    SocketIo,
    /// Socket.IO of the app with a key.
    AppSocketIo,
    SocketIoScript,
    Authorize(authorize::AuthorizationKind),
    Fallback(XhrRequest),
    /// The add-on of clients that resume (RES-022).
    ResumeScript,
    Up,
    Events,
    BatchEvents,
    /// Of laravel-echo-server alone (SIO-082).
    Status,
    Channels,
    Channel,
    ChannelUsers,
    ChannelEvents,
    ChannelStats,
    Connections,
    /// Who is online; the only path of two methods.
    Users,
    TerminateUser,
    /// A test event for webhooks (CON-054).
    TestWebhooks,
    /// The last deliveries of webhooks (CON-054).
    Deliveries,
    /// What is open now, in pages (CON-025).
    OpenChannels,
    OpenConnections,
    OpenUsers,
    CloseConnection,
    TerminateOpenUser,
}

impl Route {
    /// The class that the time of an answer counts in; `None` for requests of clients, which may wait for events.
    pub const fn class(self) -> Option<RouteClass> {
        Some(match self {
            Self::WebSocket | Self::SocketIo | Self::AppSocketIo | Self::Fallback(_) => return None,
            Self::Events | Self::BatchEvents | Self::ChannelEvents => RouteClass::Publish,
            Self::Authorize(_) => RouteClass::Authorize,
            Self::TerminateUser | Self::TestWebhooks | Self::CloseConnection | Self::TerminateOpenUser => {
                RouteClass::Operate
            }
            Self::Status
            | Self::Channels
            | Self::Channel
            | Self::ChannelUsers
            | Self::ChannelStats
            | Self::Connections
            | Self::Users
            | Self::Deliveries
            | Self::OpenChannels
            | Self::OpenConnections
            | Self::OpenUsers => RouteClass::Query,
            Self::SocketIoScript | Self::ResumeScript | Self::Up => RouteClass::Other,
        })
    }

    /// The path, with the names of its parameters.
    pub fn path(self) -> &'static str {
        LIST.iter().find(|(_, route)| *route == self).map_or("", |(path, _)| path)
    }

    /// Whether Socket.IO is spoken here.
    pub const fn is_socket_io(self) -> bool {
        matches!(self, Self::SocketIo | Self::AppSocketIo | Self::SocketIoScript)
    }

    /// The methods of the route, as the header `Allow` lists them (API-009); a GET route answers HEAD as well.
    pub const fn methods(self) -> &'static str {
        match self {
            Self::Events
            | Self::BatchEvents
            | Self::ChannelEvents
            | Self::TerminateUser
            | Self::TestWebhooks
            | Self::CloseConnection
            | Self::TerminateOpenUser
            | Self::Authorize(_)
            | Self::Fallback(_) => "POST",
            Self::Users => "GET, HEAD, POST",
            Self::WebSocket
            | Self::SocketIo
            | Self::AppSocketIo
            | Self::SocketIoScript
            | Self::ResumeScript
            | Self::Up
            | Self::Status
            | Self::Channels
            | Self::Channel
            | Self::ChannelUsers
            | Self::ChannelStats
            | Self::Deliveries
            | Self::OpenChannels
            | Self::OpenConnections
            | Self::OpenUsers
            | Self::Connections => "GET, HEAD",
        }
    }

    /// The question that laravel-echo-server's API has at this path, if it has one (SIO-082).
    pub const fn echo_question(self, channel: &str) -> Option<EchoQuestion<'_>> {
        Some(match self {
            Self::Events => EchoQuestion::Event,
            Self::Status => EchoQuestion::Status,
            Self::Channels => EchoQuestion::Channels,
            Self::Channel => EchoQuestion::Channel(channel),
            Self::ChannelUsers => EchoQuestion::Users(channel),
            _ => return None,
        })
    }

    /// Whether the route answers the method. HEAD gets the answer to GET, which the connection sends without its
    /// body.
    pub fn answers_to(self, method: &Method) -> bool {
        self.methods().split(", ").any(|own| own == method.as_str())
    }
}

/// Every route; of several paths of one route the first is the one that spans name.
const LIST: &[(&str, Route)] = &[
    ("/app/{key}", Route::WebSocket),
    ("/app/{key}/auth", Route::Authorize(authorize::AuthorizationKind::Channel)),
    ("/app/{key}/user-auth", Route::Authorize(authorize::AuthorizationKind::User)),
    // FALLBACK-011, FALLBACK-012; without `/pusher` for clients with an empty `httpPath` (FALLBACK-026).
    ("/pusher/app/{key}/{number}/{letters}/xhr_streaming", Route::Fallback(XhrRequest::Stream)),
    ("/pusher/app/{key}/{number}/{letters}/xhr", Route::Fallback(XhrRequest::Poll)),
    ("/pusher/app/{key}/{number}/{letters}/xhr_send", Route::Fallback(XhrRequest::Send)),
    ("/app/{key}/{number}/{letters}/xhr_streaming", Route::Fallback(XhrRequest::Stream)),
    ("/app/{key}/{number}/{letters}/xhr", Route::Fallback(XhrRequest::Poll)),
    ("/app/{key}/{number}/{letters}/xhr_send", Route::Fallback(XhrRequest::Send)),
    ("/pusher/info", Route::Fallback(XhrRequest::SockJs)),
    ("/socket.io", Route::SocketIo),
    ("/socket.io/socket.io.js", Route::SocketIoScript),
    ("/app/{key}/socket.io", Route::AppSocketIo),
    ("/app/{key}/socket.io/socket.io.js", Route::SocketIoScript),
    ("/resume.js", Route::ResumeScript),
    ("/up", Route::Up),
    ("/apps/{app}/events", Route::Events),
    ("/apps/{app}/batch_events", Route::BatchEvents),
    ("/apps/{app}/status", Route::Status),
    ("/apps/{app}/channels", Route::Channels),
    ("/apps/{app}/channels/{channel}", Route::Channel),
    ("/apps/{app}/channels/{channel}/users", Route::ChannelUsers),
    ("/apps/{app}/channels/{channel}/events", Route::ChannelEvents),
    ("/apps/{app}/channels/{channel}/stats", Route::ChannelStats),
    ("/apps/{app}/connections", Route::Connections),
    ("/apps/{app}/users", Route::Users),
    ("/apps/{app}/users/{user}/terminate_connections", Route::TerminateUser),
    ("/apps/{app}/webhooks/test", Route::TestWebhooks),
    ("/apps/{app}/webhooks/deliveries", Route::Deliveries),
    ("/apps/{app}/open/channels", Route::OpenChannels),
    ("/apps/{app}/open/connections", Route::OpenConnections),
    ("/apps/{app}/open/users", Route::OpenUsers),
    ("/apps/{app}/open/connections/{socket}/close", Route::CloseConnection),
    ("/apps/{app}/open/users/{user}/terminate", Route::TerminateOpenUser),
];

/// The list, as paths are looked up.
pub struct PublicRoutes(Router<Route>);

impl Default for PublicRoutes {
    fn default() -> Self {
        let mut router = Router::new();
        for (path, route) in LIST {
            router.insert(*path, *route).expect("the paths above do not clash");
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
