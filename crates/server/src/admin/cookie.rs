//! The cookie of a session (CON-008): its name says whether the connection is encrypted, so that a cookie that was set over plain HTTP is
//! not taken over TLS.

use std::net::IpAddr;

use hyper::header::{COOKIE, HeaderMap, HeaderValue};

use crate::http::forwarded::came_over_tls;
use crate::state::State;

/// The name over TLS; browsers take it from this host alone, and send it over TLS alone.
const OVER_TLS: &str = "__Host-fanfare";

/// The name over plain HTTP.
const PLAIN: &str = "fanfare_session";

/// The cookie of a request, or of an answer.
pub(super) struct Cookie {
    /// The session's id.
    pub id: String,
    is_over_tls: bool,
}

impl Cookie {
    /// A cookie for the answer to a request.
    pub fn new(state: &State, peer: IpAddr, headers: &HeaderMap, id: String) -> Self {
        Self { id, is_over_tls: came_over_tls(state, headers, peer) }
    }

    /// The cookie of a request, if there is one.
    pub fn of(state: &State, peer: IpAddr, headers: &HeaderMap) -> Option<Self> {
        let is_over_tls = came_over_tls(state, headers, peer);
        let name = if is_over_tls { OVER_TLS } else { PLAIN };
        let lists = headers.get_all(COOKIE).iter().filter_map(|list| list.to_str().ok());
        let mut pairs = lists.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, id) = pairs.find(|(own, _)| *own == name)?;
        Some(Self { id: id.to_owned(), is_over_tls })
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
        let (name, secure) = if self.is_over_tls { (OVER_TLS, "; Secure") } else { (PLAIN, "") };
        let text = format!("{name}={id}; HttpOnly; SameSite=Strict; Path=/{secure}{more}");
        HeaderValue::from_str(&text).expect("an id is hexadecimal digits")
    }
}
