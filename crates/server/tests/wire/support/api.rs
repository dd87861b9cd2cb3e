//! The HTTP API as a server SDK calls it: signed requests over one kept connection.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::http::{Answer, Http};
use super::signing::{hmac, md5, string_to_sign};
use super::{APP, App, quoted};

/// A request that is signed when sent; every part can be spoilt.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    path: String,
    query: Vec<(String, String)>,
    body: Vec<u8>,
    headers: String,
    /// Values are not percent-encoded, as Node and Go write them (AUTH-006).
    raw: bool,
    secret: &'static str,
    auth: Auth,
}

/// The parameters of AUTH-001; `None` leaves a parameter out.
#[derive(Clone)]
pub struct Auth {
    pub key: Option<String>,
    pub timestamp: Option<String>,
    pub version: Option<String>,
    pub body_md5: Option<String>,
    /// In place of the right signature.
    pub signature: Option<String>,
    /// In place of the requested path.
    pub signed_path: Option<String>,
}

/// Now, in Unix seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}

impl Request {
    pub fn new(method: &'static str, path: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let auth = Auth {
            key: Some(APP.key.into()),
            timestamp: Some(now().to_string()),
            version: Some("1.0".into()),
            body_md5: (!body.is_empty()).then(|| md5(&body)),
            signature: None,
            signed_path: None,
        };
        let (path, query) = (path.into(), Vec::new());
        Self { method, path, query, body, headers: String::new(), raw: false, secret: APP.secret, auth }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path, "")
    }

    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", path, body)
    }

    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        write!(self.headers, "{name}: {value}\r\n").expect("a String takes any text");
        self
    }

    pub fn by(mut self, app: App) -> Self {
        self.secret = app.secret;
        self.auth.key = Some(app.key.into());
        self
    }

    pub fn raw_values(mut self) -> Self {
        self.raw = true;
        self
    }

    /// Changes the authentication parameters before the signature.
    pub fn auth(mut self, change: impl FnOnce(&mut Auth)) -> Self {
        change(&mut self.auth);
        self
    }

    /// All parameters but the signature.
    fn parameters(&self) -> Vec<(String, String)> {
        let auth = [
            ("auth_key", &self.auth.key),
            ("auth_timestamp", &self.auth.timestamp),
            ("auth_version", &self.auth.version),
            ("body_md5", &self.auth.body_md5),
        ];
        let auth = auth.into_iter().filter_map(|(name, value)| Some((name.into(), value.clone()?)));
        self.query.iter().cloned().chain(auth).collect()
    }

    /// The text that the signature must cover for the request to be accepted.
    pub fn signed_text(&self) -> String {
        let path = self.auth.signed_path.as_ref().unwrap_or(&self.path);
        string_to_sign(self.method, path, &self.parameters())
    }

    /// The signature to send.
    pub fn signature(&self) -> String {
        self.auth.signature.clone().unwrap_or_else(|| hmac(self.secret, &self.signed_text()))
    }

    /// The path and the query, signed. The signature comes first: the order must not matter (AUTH-002).
    pub fn target(&self) -> String {
        let mut target = format!("{}?auth_signature={}", self.path, self.signature());
        for (name, value) in self.parameters() {
            let value = if self.raw { value } else { encoded(&value) };
            write!(target, "&{name}={value}").expect("a String takes any text");
        }
        target
    }

    /// The request's head without the empty line, so that a test may add to it.
    pub fn open_head(&self) -> String {
        let Self { method, headers, .. } = self;
        format!("{method} {} HTTP/1.1\r\nHost: localhost\r\n{headers}", self.target())
    }

    /// The whole request as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = self.open_head();
        if !self.body.is_empty() || self.method == "POST" {
            write!(head, "Content-Length: {}\r\n", self.body.len()).expect("a String takes any text");
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

/// RFC 3986, as PHP and Ruby encode query values.
fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte.into());
        } else {
            write!(text, "%{byte:02X}").expect("a String takes any text");
        }
        text
    })
}

/// A kept connection of one app's back end.
pub struct Api {
    http: Http,
    app: App,
    /// Where to reconnect when the server has announced that it closes the connection.
    addr: Option<SocketAddr>,
    is_closed: bool,
    /// A node that is asked the same first, so that it has told the cluster all that it knows.
    first: Option<SocketAddr>,
}

impl Api {
    pub fn connect(addr: SocketAddr, app: App) -> Self {
        Self { addr: Some(addr), ..Self::over(Http::connect(addr), app) }
    }

    pub fn over(http: Http, app: App) -> Self {
        Self { http, app, addr: None, is_closed: false, first: None }
    }

    /// The back end of a second node: another node is asked before each question.
    pub fn behind(self, first: SocketAddr) -> Self {
        Self { first: Some(first), ..self }
    }

    #[track_caller]
    pub fn send(&mut self, request: &Request) -> Answer {
        if let Some(first) = self.first {
            // To answer, a node tells the cluster first what it has.
            Self::connect(first, self.app).get("/channels", &[]);
        }
        if let Some(addr) = self.addr.filter(|_| self.is_closed) {
            self.http = Http::connect(addr);
        }
        self.http.write(&request.bytes());
        let answer = self.http.answer();
        self.is_closed = answer.head.header("connection") == Some("close");
        if let Some(addr) = self.addr.filter(|_| self.first.is_some()) {
            // What was published has reached Redis when a later question is answered.
            Self::connect(addr, self.app).get("/channels", &[]);
        }
        answer
    }

    /// GET of a path below `/apps/ID`, for instance `/channels`.
    #[track_caller]
    pub fn get(&mut self, path: &str, query: &[(&str, &str)]) -> Answer {
        let request = Request::get(&self.path(path)).by(self.app);
        self.send(&query.iter().fold(request, |request, (name, value)| request.param(name, value)))
    }

    /// POST to a path below `/apps/ID`, for instance `/events`.
    #[track_caller]
    pub fn post(&mut self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(&Request::post(&self.path(path), body).by(self.app))
    }

    /// Publishes one event, which must succeed.
    #[track_caller]
    pub fn publish(&mut self, channel: &str, name: &str, data: &str) {
        let (channel, name, data) = (quoted(channel), quoted(name), quoted(data));
        let body = format!(r#"{{"name":{name},"channels":[{channel}],"data":{data}}}"#);
        self.post("/events", body).expect("{}");
    }

    fn path(&self, below: &str) -> String {
        format!("/apps/{}{below}", self.app.id)
    }
}
