//! A session of the HTTP fallback, as pusher-js has it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::http::{Answer, Head, Http};
use super::server::TestServer;
use super::{APP, App, quoted, signed_subscribe, succeeded};

/// One session.
pub struct Fallback {
    addr: SocketAddr,
    /// The path of the session, without a slash at its end.
    pub path: String,
    /// Headers of every request, each with its line break.
    headers: String,
    stream: Option<Http>,
    /// The beginning of a line whose end has not arrived.
    begun: String,
    /// Messages that have arrived and are not read yet.
    messages: VecDeque<String>,
    /// UTF-16 units received on the stream.
    pub units: usize,
    /// The socket id; empty until connected.
    pub id: String,
}

/// A name that no other session of this process has.
fn name() -> String {
    static NAMES: AtomicUsize = AtomicUsize::new(0);
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    format!("{}/{:08}", number % 1000, number)
}

impl Fallback {
    /// A session that has sent no request.
    pub fn of(addr: SocketAddr, app: App) -> Self {
        Self::at(addr, &format!("/pusher/app/{}/{}", app.key, name()))
    }

    /// A session at a path that ends with the app's key.
    pub fn below(addr: SocketAddr, path: &str) -> Self {
        Self::at(addr, &format!("{path}/{}", name()))
    }

    pub fn at(addr: SocketAddr, path: &str) -> Self {
        Self {
            addr,
            path: path.into(),
            headers: String::new(),
            stream: None,
            begun: String::new(),
            messages: VecDeque::new(),
            units: 0,
            id: String::new(),
        }
    }

    /// Adds headers, each with its line break, to every request.
    pub fn with(mut self, headers: &str) -> Self {
        self.headers.push_str(headers);
        self
    }

    /// A connected session of the app of the reference, by a stream.
    #[track_caller]
    pub fn streaming(server: &TestServer) -> Self {
        let mut session = Self::of(server.addr, APP);
        session.stream();
        assert_eq!(session.line(), "o");
        session.expect_established();
        session
    }

    /// A connected session of the app of the reference, by polls.
    #[track_caller]
    pub fn polling(server: &TestServer) -> Self {
        let mut session = Self::of(server.addr, APP);
        assert_eq!(session.poll(), "o\n");
        session.expect_established();
        session
    }

    /// The bytes of a request.
    pub fn request(&self, kind: &str, body: &str) -> Vec<u8> {
        let Self { path, headers, .. } = self;
        let query = if kind == "xhr_send" { "t=1&n=2" } else { "protocol=7&client=js&version=8.6.0&t=1&n=2" };
        let length = body.len();
        format!(
            "POST {path}/{kind}?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Origin: http://page.example\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// A request in a connection of its own, whose answer is not read.
    pub fn ask(&self, kind: &str, body: &str) -> Http {
        let mut http = Http::connect(self.addr);
        http.write(&self.request(kind, body));
        http
    }

    /// The head alone of a request with a body of so many bytes, in a connection of its own; the client waits until the body is
    /// asked for.
    pub fn announce(&self, kind: &str, bytes: usize) -> Http {
        let mut http = Http::connect(self.addr);
        let Self { path, headers, .. } = self;
        let head = format!(
            "POST {path}/{kind} HTTP/1.1\r\nHost: a\r\n{headers}Expect: 100-continue\r\nContent-Length: {bytes}\r\n\r\n"
        );
        http.write(head.as_bytes());
        http
    }

    /// Asks for a stream, and reads its head; an older stream stays open.
    #[track_caller]
    pub fn stream(&mut self) -> (Head, Option<Http>) {
        let mut http = self.ask("xhr_streaming", "");
        let head = http.head();
        assert_eq!(head.status, 200, "{head:?}");
        self.units = 0;
        (head, self.stream.replace(http))
    }

    /// A whole poll.
    #[track_caller]
    pub fn poll(&mut self) -> String {
        let answer = self.ask("xhr", "").answer();
        assert_eq!(answer.head.status, 200, "{answer:?}");
        answer.body
    }

    /// Sends another request behind the one of the stream.
    pub fn pipeline(&mut self, kind: &str) {
        let request = self.request(kind, "");
        self.stream.as_mut().expect("there is a stream").write(&request);
    }

    /// Breaks the stream off.
    pub fn break_off(&mut self) {
        self.stream = None;
    }

    /// The next line of the stream; `None` at its end.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<String> {
        loop {
            if let Some((line, rest)) = self.begun.split_once('\n') {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.begun = rest;
                return Some(line);
            }
            let chunk = self.stream.as_mut().expect("there is a stream").chunk();
            if chunk.is_empty() {
                assert_eq!(self.begun, "", "a line is cut off");
                return None;
            }
            let chunk = String::from_utf8(chunk).expect("chunks of this test end with characters");
            self.units += chunk.encode_utf16().count();
            self.begun.push_str(&chunk);
        }
    }

    /// The next line of the stream.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.next_line().expect("the stream goes on")
    }

    /// The next message, by whatever the session receives with; heartbeats are answered.
    #[track_caller]
    pub fn message(&mut self) -> String {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return message;
            }
            let lines = match self.stream {
                Some(_) => self.line(),
                None => self.poll(),
            };
            for line in lines.lines().filter(|&line| line != "h") {
                let list =
                    line.strip_prefix('a').unwrap_or_else(|| panic!("expected messages, got {line:?}"));
                let messages: Vec<String> =
                    serde_json::from_str(list).expect("FALLBACK-014: an array of strings");
                self.messages.extend(messages);
            }
        }
    }

    #[track_caller]
    pub fn expect_established(&mut self) {
        let message: serde_json::Value = serde_json::from_str(&self.message()).expect("JSON");
        assert_eq!(message["event"], "pusher:connection_established");
        let data: serde_json::Value =
            serde_json::from_str(message["data"].as_str().expect("WS-030")).expect("WS-030");
        data["socket_id"].as_str().expect("WS-031").clone_into(&mut self.id);
    }

    /// The next message is this, byte for byte.
    #[track_caller]
    pub fn expect_text(&mut self, text: &str) {
        assert_eq!(self.message(), text);
    }

    #[track_caller]
    pub fn expect_event(&mut self, channel: &str, event: &str, data: &str) {
        let (channel, event, data) = (quoted(channel), quoted(event), quoted(data));
        self.expect_text(&format!(r#"{{"event":{event},"data":{data},"channel":{channel}}}"#));
    }

    /// The next line ends the session with this code, and the answer ends.
    #[track_caller]
    pub fn expect_close(&mut self, code: u16, reason: &str) {
        assert_eq!(self.line(), format!("c[{code},{}]", quoted(reason)));
        assert_eq!(self.next_line(), None);
    }

    /// The answer to a body sent by `xhr_send`.
    #[track_caller]
    pub fn post(&self, body: &str) -> Answer {
        self.ask("xhr_send", body).answer()
    }

    /// Sends a message, which must be taken.
    #[track_caller]
    pub fn send(&self, message: &str) {
        let answer = self.post(&format!("[{}]", quoted(message)));
        assert_eq!((answer.head.status, &*answer.body), (204, ""));
    }

    #[track_caller]
    pub fn subscribe(&mut self, channel: &str) {
        self.send(&format!(r#"{{"event":"pusher:subscribe","data":{{"channel":{}}}}}"#, quoted(channel)));
        self.expect_succeeded(channel);
    }

    #[track_caller]
    pub fn expect_succeeded(&mut self, channel: &str) {
        self.expect_text(&succeeded(channel));
    }

    /// Sends `pusher:subscribe` with a right signature.
    #[track_caller]
    pub fn ask_signed(&self, app: App, channel: &str, channel_data: Option<&str>) {
        self.send(&signed_subscribe(app, &self.id, channel, channel_data));
    }
}
