//! The request to an application, and the forwarded headers of the client.

use std::fmt::Write as _;
use std::net::IpAddr;

use bytes::Bytes;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::SocketId;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters that are escaped in a form: every character that might have a meaning there.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// What a client asks to have signed.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A subscription to a channel.
    Channel(&'a ChannelName),
    /// A sign-in of the client's user.
    User,
}

/// A question to an application.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// The application's URL: the app's setting.
    pub url: String,
    /// The channel to be signed; `None` for a sign-in.
    pub channel: Option<ChannelName>,
    /// The client's socket id.
    pub socket: SocketId,
    /// The forwarded headers of the client's request: made by [`passed_on`].
    pub headers: HeaderMap,
}

/// The headers by which applications recognise a user and the page that asks.
const USUAL: [&str; 9] = [
    "cookie",
    "authorization",
    "x-csrf-token",
    "x-xsrf-token",
    "x-socket-id",
    "origin",
    "referer",
    "user-agent",
    "accept-language",
];

/// The forwarded headers of a client's request: the usual ones, the ones of the app's setting, and the
/// client's address.
#[must_use]
pub fn passed_on(headers: &HeaderMap, more: &[String], client: IpAddr) -> HeaderMap {
    let mut passed = HeaderMap::new();
    let usual = USUAL.into_iter().map(HeaderName::from_static);
    let more = more.iter().filter_map(|name| HeaderName::try_from(name.as_str()).ok());
    for name in usual.chain(more) {
        if !passed.contains_key(&name) {
            for value in headers.get_all(&name) {
                passed.append(name.clone(), value.clone());
            }
        }
    }
    if let Ok(client) = HeaderValue::from_str(&client.to_string()) {
        passed.insert("x-forwarded-for", client);
    }
    passed
}

impl AuthorizationRequest {
    pub(super) fn subject(&self) -> Subject<'_> {
        self.channel.as_ref().map_or(Subject::User, Subject::Channel)
    }

    /// The HTTP request; `None` for an invalid URL, which settings do not allow.
    pub(super) fn request(&self) -> Option<Request<Full<Bytes>>> {
        let uri: Uri = self.url.parse().ok()?;
        let mut request = Request::post(uri).body(Full::from(self.form())).ok()?;
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        // With these headers Laravel answers 401 and 403 in JSON, without a redirect to its login page.
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert("x-requested-with", HeaderValue::from_static("XMLHttpRequest"));
        Some(request)
    }

    fn form(&self) -> String {
        let mut form = format!("socket_id={}", self.socket);
        if let Some(channel) = &self.channel {
            let _ = write!(form, "&channel_name={}", utf8_percent_encode(channel.as_str(), ESCAPED));
        }
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut all = HeaderMap::new();
        for (name, value) in list {
            all.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        all
    }

    #[test]
    fn a_form_names_the_socket_and_the_channel_and_nothing_else() {
        let channel = ChannelName::parse("presence-a=b@c,d.e;f", 164).expect("a name");
        let mut question = AuthorizationRequest {
            url: "http://app.test/auth?x=1".to_owned(),
            channel: Some(channel),
            socket: "12.34".parse().expect("an id"),
            headers: headers(&[("cookie", "a=b"), ("accept", "text/html")]),
        };
        assert_eq!(question.form(), "socket_id=12.34&channel_name=presence-a%3Db%40c%2Cd.e%3Bf");
        question.channel = None;
        assert_eq!(question.form(), "socket_id=12.34");
        let request = question.request().expect("a URL");
        assert_eq!((request.method().as_str(), request.uri().query()), ("POST", Some("x=1")));
        assert_eq!(request.headers()["accept"], "application/json");
        assert_eq!(request.headers()["cookie"], "a=b");
    }

    #[test]
    fn only_headers_that_tell_who_asks_are_passed_on() {
        let shown = headers(&[
            ("cookie", "a=b"),
            ("cookie", "c=d"),
            ("authorization", "Bearer x"),
            ("host", "evil.test"),
            ("content-length", "5"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("accept-encoding", "gzip"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-host", "evil.test"),
            ("x-tenant", "7"),
        ]);
        let client = "192.0.2.1".parse().expect("an address");
        let passed = passed_on(&shown, &[], client);
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization", "cookie", "x-forwarded-for"]);
        assert_eq!(passed.get_all("cookie").iter().count(), 2);
        assert_eq!(passed["x-forwarded-for"], "192.0.2.1", "what a stranger names is not believed");
        let more = ["X-Tenant".to_owned(), "Cookie".to_owned()];
        let passed = passed_on(&shown, &more, client);
        assert_eq!(passed["x-tenant"], "7");
        assert_eq!(passed.get_all("cookie").iter().count(), 2, "once, though it is listed twice");
    }
}
