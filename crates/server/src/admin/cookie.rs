//! The cookie of a session (CON-008): its name says whether the connection is encrypted, so that a cookie that was set over plain HTTP is
//! not taken over TLS. Browsers keep one cookie of a name for all ports of a host: where another console's is there already, the name
//! ends in the port that was asked, so that two consoles on one host, or behind two tunnels, let each other be.

use std::net::IpAddr;

use fanfare_apps::is_session_id;
use hyper::header::{COOKIE, HOST, HeaderMap, HeaderValue};

use super::shared::Admin;
use crate::http::forwarded::came_over_tls;
use crate::state::State;

/// The name over TLS; browsers take it from this host alone, and send it over TLS alone.
const OVER_TLS: &str = "__Host-fanfare";

/// The name over plain HTTP.
const PLAIN: &str = "fanfare_session";

/// The port of plain HTTP, which browsers leave out.
const HTTP: &str = "80";

/// The cookie of a request, or of an answer.
pub(super) struct Cookie {
    name: String,
    /// The session's id.
    pub id: String,
}

impl Cookie {
    /// A cookie for the answer to a login.
    pub async fn new(admin: &Admin, peer: IpAddr, headers: &HeaderMap, id: String) -> Self {
        if came_over_tls(&admin.state, headers, peer) {
            return Self { name: OVER_TLS.to_owned(), id };
        }
        let with_port = with_port(headers);
        let is_taken = value_of(headers, &with_port).is_some() || is_of_another(admin, headers).await;
        Self { name: if is_taken { with_port } else { PLAIN.to_owned() }, id }
    }

    /// The cookie of a request, if there is one.
    pub fn of(state: &State, peer: IpAddr, headers: &HeaderMap) -> Option<Self> {
        let names = match came_over_tls(state, headers, peer) {
            true => vec![OVER_TLS.to_owned()],
            false => vec![with_port(headers), PLAIN.to_owned()],
        };
        names.into_iter().find_map(|name| {
            let id = value_of(headers, &name)?.to_owned();
            Some(Self { name, id })
        })
    }

    /// The header that sets the cookie.
    pub fn set(&self) -> HeaderValue {
        self.header(&self.id, "")
    }

    /// The header that takes the cookie away.
    pub fn unset(&self) -> HeaderValue {
        self.header("", "; Max-Age=0")
    }

    fn header(&self, id: &str, more: &str) -> HeaderValue {
        let name = &self.name;
        let secure = if name == OVER_TLS { "; Secure" } else { "" };
        let text = format!("{name}={id}; HttpOnly; SameSite=Strict; Path=/{secure}{more}");
        HeaderValue::from_str(&text).expect("an id is hexadecimal digits, and a port decimal ones")
    }
}

/// The name with the port that the browser asked.
fn with_port(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map_or(HTTP, |(_, port)| port);
    let is_port = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    format!("{PLAIN}_{}", if is_port { port } else { HTTP })
}

/// The first cookie of this name.
fn value_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lists = headers.get_all(COOKIE).iter().filter_map(|list| list.to_str().ok());
    let mut pairs = lists.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// Whether the cookie without a port is not of a session of this server.
async fn is_of_another(admin: &Admin, headers: &HeaderMap) -> bool {
    let Some(id) = value_of(headers, PLAIN).filter(|id| is_session_id(id)) else { return false };
    matches!(admin.state.node.apps.bearer_of_session(id, admin.session_times()).await, Ok(None))
}
