//! A client's POST before a subscription or a sign-in.

use std::fmt::Write;
use std::net::SocketAddr;

use super::http::{Answer, Http};
use super::server::TestServer;
use super::{APP, App};

/// A socket id of the form that servers give out.
pub const SOCKET: &str = "1234.5678";

/// A request to `/app/KEY/auth` that has not been sent.
#[derive(Clone)]
pub struct Post {
    method: &'static str,
    path: String,
    headers: String,
    body: String,
}

impl Post {
    /// A form, as `pusher-js` sends it.
    pub fn channel(channel: &str) -> Self {
        Self::form(&format!("socket_id={SOCKET}&channel_name={channel}"))
    }

    /// As [`Post::channel`], for signing in.
    pub fn user() -> Self {
        Self::form(&format!("socket_id={SOCKET}")).path(&format!("/app/{}/user-auth", APP.key))
    }

    pub fn form(body: &str) -> Self {
        let path = format!("/app/{}/auth", APP.key);
        Self { method: "POST", path, headers: String::new(), body: body.to_owned() }
    }

    pub fn to(self, app: App) -> Self {
        self.path(&format!("/app/{}/auth", app.key))
    }

    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        write!(self.headers, "{name}: {value}\r\n").expect("a String takes any text");
        self
    }

    fn bytes(&self) -> String {
        let Self { method, path, headers, body } = self;
        let kind = match headers.contains("Content-Type:") {
            true => "",
            false => "Content-Type: application/x-www-form-urlencoded\r\n",
        };
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{kind}{headers}Content-Length: {length}\r\n\r\n{body}"
        )
    }

    /// Sends the request; the answer is to be read later.
    #[track_caller]
    pub fn begin(&self, addr: SocketAddr) -> Http {
        let mut http = Http::connect(addr);
        http.write(self.bytes().as_bytes());
        http
    }

    #[track_caller]
    pub fn send(&self, server: &TestServer) -> Answer {
        self.begin(server.addr).answer()
    }
}

/// Waits for the log line about a denial that holds all these texts.
#[track_caller]
pub fn expect_denial_logged(server: &TestServer, texts: &[&str]) {
    server.process.log_line(&format!("a denial with {texts:?}"), |line| {
        let is_it = line.contains("fanfare::authorization") && texts.iter().all(|text| line.contains(text));
        is_it.then_some(())
    });
}
