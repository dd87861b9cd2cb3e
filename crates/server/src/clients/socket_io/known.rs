//! What the request of a handshake says of its client, as far as an application is shown it (SIO-062, SIO-063).
//!
//! Copied out of the request, whose buffer would be kept otherwise. Never logged.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fanfare_laravel::authorize::passed_on;
use fanfare_protocol::close::shortened;
use fanfare_protocol::ids::SocketId;
use hyper::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST,
    HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};

use crate::authorize::{lacks_user, page};

/// Most bytes of a client's headers that are kept.
const MOST_KEPT: usize = 8 * 1024;

/// Most bytes of an origin that are logged.
const MOST_OF_ORIGIN: usize = 200;

/// Headers that no page sets for a question, whatever the app's settings list: they are the handshake's or ours.
const NEVER: [HeaderName; 12] = [
    HOST,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    TRANSFER_ENCODING,
    CONNECTION,
    UPGRADE,
    EXPECT,
    TE,
    TRAILER,
    ORIGIN,
    REFERER,
    USER_AGENT,
];

/// Headers of a question that pages set beside those of the app's settings.
const SET_BY_PAGES: [HeaderName; 5] = [
    AUTHORIZATION,
    ACCEPT_LANGUAGE,
    COOKIE,
    HeaderName::from_static("x-csrf-token"),
    HeaderName::from_static("x-xsrf-token"),
];

/// Who sent a handshake, as far as its headers do not say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    /// The client's address.
    pub client: IpAddr,
    /// Whether the client sends its cookies to another origin only where the page says so: socket.io-client 3 and newer over
    /// polling.
    pub asks_for_cookies: bool,
}

/// The client of a session.
#[derive(Debug)]
pub(super) struct Known {
    client: IpAddr,
    cookie: Option<Box<[u8]>>,
    /// Whether the request has a cookie that is not kept, because no application may be shown it (SIO-063).
    is_withheld: bool,
    /// Whether the client may have kept its cookies to itself.
    may_lack_cookies: bool,
    origin: Option<Box<[u8]>>,
    referer: Option<Box<[u8]>>,
    user_agent: Option<Box<[u8]>>,
}

/// The headers are larger than what is kept of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Known {
    /// The client's address.
    pub const fn address(&self) -> IpAddr {
        self.client
    }

    /// Reads the headers of a handshake. `host` is the request's, and `listed` are the origins that may ask in their
    /// visitors' names.
    ///
    /// # Errors
    /// The headers are too large.
    pub fn of(headers: &HeaderMap, host: &str, listed: &[String], sender: Sender) -> Result<Self, TooLarge> {
        let Sender { client, asks_for_cookies } = sender;
        let may_lack_cookies = asks_for_cookies && is_of_another_origin(headers, host);
        let one = |name: HeaderName| headers.get(name).map(|value| Box::from(value.as_bytes()));
        let cookie = cookie_of(headers);
        let is_withheld = cookie.is_some() && !may_use_cookie(headers, host, listed);
        let cookie = cookie.filter(|_| !is_withheld);
        let (origin, referer, user_agent) = (one(ORIGIN), one(REFERER), one(USER_AGENT));
        let known = Self { client, cookie, is_withheld, may_lack_cookies, origin, referer, user_agent };
        let bytes: usize = known.all().iter().filter_map(|(_, value)| value.map(<[u8]>::len)).sum();
        if bytes > MOST_KEPT { Err(TooLarge) } else { Ok(known) }
    }

    fn all(&self) -> [(HeaderName, Option<&[u8]>); 4] {
        [
            (COOKIE, self.cookie.as_deref()),
            (ORIGIN, self.origin.as_deref()),
            (REFERER, self.referer.as_deref()),
            (USER_AGENT, self.user_agent.as_deref()),
        ]
    }

    /// The headers of a question: those of the handshake, and of the page's own for this channel those that applications
    /// are shown; `more` are those of the app's settings.
    pub fn shown(&self, set: BTreeMap<String, String>, more: &[String], socket: SocketId) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in self.all() {
            if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value).ok()) {
                headers.insert(name, value);
            }
        }
        let is_listed =
            |name: &HeaderName| more.iter().any(|listed| listed.eq_ignore_ascii_case(name.as_str()));
        for (name, value) in set {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value)) else {
                continue;
            };
            if !NEVER.contains(&name) && (SET_BY_PAGES.contains(&name) || is_listed(&name)) {
                headers.insert(name, value);
            }
        }
        if let Ok(socket) = HeaderValue::from_str(&socket.to_string()) {
            headers.insert("x-socket-id", socket);
        }
        passed_on(&headers, more, self.client)
    }
}

impl Known {
    /// What `shown` headers lack for an application to know who asks, in words for its developer; without any header's
    /// secret.
    pub fn missing(&self, shown: &HeaderMap) -> Option<String> {
        if !lacks_user(shown) {
            return None;
        }
        let origin = String::from_utf8_lossy(self.origin.as_deref().unwrap_or_default());
        Some(match (self.is_withheld, self.may_lack_cookies) {
            (true, _) => format!(
                "the page's cookie was not passed on, because its origin {} has another host than the server that it \
                 connected to: list that origin in authorization.origins of the app",
                shortened(&origin, MOST_OF_ORIGIN)
            ),
            (false, true) => {
                "the page sent neither a cookie nor an Authorization header: socket.io-client 3 and newer send cookies to \
                 another host or port only with withCredentials: true"
                    .to_owned()
            }
            (false, false) => "the page sent neither a cookie nor an Authorization header".to_owned(),
        })
    }
}

/// All cookies in one header: HTTP/2 may part them.
fn cookie_of(headers: &HeaderMap) -> Option<Box<[u8]>> {
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    (!cookies.is_empty()).then(|| cookies.join(&b"; "[..]).into())
}

/// Whether the browser's cookie is passed on: for a page of this host, or of a listed origin. Browsers add cookies to a
/// stranger's WebSocket, too.
fn may_use_cookie(headers: &HeaderMap, host: &str, listed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().unwrap_or_default();
    let name = origin.split_once("://").map(|(_, host)| without_port(host));
    name.is_some_and(|name| !name.is_empty() && name.eq_ignore_ascii_case(without_port(host)))
        || page::is_listed(listed, origin)
}

/// Whether the page is of another host or port than the one that the request was sent to.
fn is_of_another_origin(headers: &HeaderMap, host: &str) -> bool {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.is_some_and(|origin| {
        origin.split_once("://").is_none_or(|(_, page)| !page.eq_ignore_ascii_case(host))
    })
}

/// A host's name or address: cookies know no ports.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn sender(asks_for_cookies: bool) -> Sender {
        Sender { client: [127, 0, 0, 1].into(), asks_for_cookies }
    }

    fn known(list: &[(&'static str, &str)], host: &str) -> Known {
        Known::of(&headers(list), host, &["https://listed.test".to_owned()], sender(false)).unwrap()
    }

    fn shown(known: &Known, set: &[(&str, &str)]) -> HeaderMap {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        known.shown(set, &["X-Tenant".to_owned(), "Host".to_owned()], SocketId::from_bits(7))
    }

    #[test]
    fn sio_063_a_cookie_goes_along_for_pages_of_this_host_and_of_listed_origins_alone() {
        for (origin, host, passes) in [
            (None, "a.test:6001", true),
            (Some("https://a.test"), "a.test:6001", true),
            (Some("http://A.test:8080"), "a.test", true),
            (Some("http://[::1]:8080"), "[::1]:6001", true),
            (Some("https://listed.test"), "a.test", true),
            (Some("https://evil.test"), "a.test", false),
            (Some("https://a.test.evil.test"), "a.test", false),
            (Some("https://sub.a.test"), "a.test", false),
            (Some("null"), "a.test", false),
            (Some("null"), "null", false),
            (Some("https://"), "", false),
        ] {
            let mut list = vec![("cookie", "s=1")];
            list.extend(origin.map(|origin| ("origin", origin)));
            let known = known(&list, host);
            let shown = shown(&known, &[]);
            assert_eq!(shown.contains_key(COOKIE), passes, "{origin:?} {host}");
            let told = known.missing(&shown);
            let words = origin.map(|origin| format!("because its origin {origin} has another host"));
            let is_told = told.as_ref().is_some_and(|told| words.is_some_and(|words| told.contains(&words)));
            assert_eq!((told.is_none(), is_told), (passes, !passes), "{told:?}");
        }
        let without = known(&[("origin", "https://evil.test")], "a.test");
        let told = without.missing(&shown(&without, &[])).expect("nobody could be known");
        assert!(told.contains("neither a cookie nor an Authorization"), "{told}");
        assert_eq!(without.missing(&shown(&without, &[("authorization", "Bearer x")])), None);
    }

    #[test]
    fn sio_063_a_client_that_keeps_its_cookies_from_another_origin_is_told_the_option() {
        for (origin, asks, is_told) in [
            (Some("http://a.test"), true, true),
            (Some("http://a.test:6002"), true, true),
            (Some("http://b.test:6001"), true, true),
            (Some("null"), true, true),
            (Some("http://A.test:6001"), true, false),
            (Some("http://a.test"), false, false),
            (None, true, false),
        ] {
            let list: Vec<_> = origin.map(|origin| ("origin", origin)).into_iter().collect();
            let known = Known::of(&headers(&list), "a.test:6001", &[], sender(asks)).unwrap();
            let told = known.missing(&shown(&known, &[])).expect("nobody could be known");
            assert_eq!(told.contains("withCredentials: true"), is_told, "{origin:?} {asks}: {told}");
        }
    }

    #[test]
    fn sio_062_of_a_pages_headers_those_pass_that_say_who_asks() {
        let list = [("cookie", "a=1"), ("cookie", "b=2"), ("user-agent", "U"), ("referer", "R")];
        let known = known(&list, "a.test");
        let passed = shown(
            &known,
            &[
                ("AUTHORIZATION", "Bearer x"),
                ("X-CSRF-TOKEN", "csrf"),
                ("x-tenant", "7"),
                ("X-Socket-ID", "6.6"),
                ("Host", "evil.test"),
                ("Content-Length", "3"),
                ("Transfer-Encoding", "chunked"),
                ("Connection", "close"),
                ("X-Forwarded-For", "6.6.6.6"),
                ("Referer", "evil"),
                ("User-Agent", "evil"),
                ("Accept", "text/html"),
                ("bad name", "x"),
                ("X-XSRF-TOKEN", "a\nb"),
            ],
        );
        let mut pairs: Vec<(&str, &str)> =
            passed.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        pairs.sort_unstable();
        assert_eq!(
            pairs,
            [
                ("authorization", "Bearer x"),
                ("cookie", "a=1; b=2"),
                ("referer", "R"),
                ("user-agent", "U"),
                ("x-csrf-token", "csrf"),
                ("x-forwarded-for", "127.0.0.1"),
                ("x-socket-id", "0.7"),
                ("x-tenant", "7"),
            ]
        );
        assert_eq!(shown(&known, &[("cookie", "own=1")])[COOKIE], "own=1", "a page's own wins");
    }

    #[test]
    fn sio_062_what_is_kept_of_a_client_is_bounded() {
        let long = "x".repeat(MOST_KEPT - 1);
        let of = |agent: &str| {
            let headers = headers(&[("cookie", &long), ("user-agent", agent)]);
            Known::of(&headers, "a.test", &[], sender(false)).map(drop)
        };
        assert_eq!((of("1"), of("12")), (Ok(()), Err(TooLarge)));
    }
}
