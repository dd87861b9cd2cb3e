//! The application of an app: an HTTP server of its own that answers as the test says, and records its requests.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::DEADLINE;

/// The answer to a question.
pub enum Reply {
    /// A whole answer, labelled as Laravel labels it.
    Body(u16, &'static str),
    /// Any bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// No answer until [`Application::let_go`]; then yes to everything.
    Hang,
}

/// A request to the application.
#[derive(Clone, Debug)]
pub struct Question {
    /// Method and target.
    pub line: String,
    /// The bytes before the body, as received.
    pub head: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

/// A running application, stopped on drop.
pub struct Application {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    questions: Vec<Question>,
    /// Whether hanging requests are to be answered.
    let_go: bool,
    stopped: bool,
}

impl Question {
    /// The values of a header, joined; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().filter(|(own, _)| own == name);
        let values: Vec<&str> = found.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join("|"))
    }
}

impl Application {
    /// An application with the same answer to every request.
    pub fn saying(status: u16, body: &'static str) -> Self {
        Self::start(move |_| Reply::Body(status, body))
    }

    /// An application that answers with these bytes.
    pub fn raw(answer: &str) -> Self {
        let bytes = answer.as_bytes().to_vec();
        Self::start(move |_| Reply::Raw(bytes.clone()))
    }

    pub fn start(reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared::default());
        let (reply, seen) = (Arc::new(reply), Arc::clone(&shared));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if seen.inner.lock().stopped {
                    return;
                }
                let (reply, seen) = (Arc::clone(&reply), Arc::clone(&seen));
                thread::spawn(move || serve(stream, &*reply, &seen));
            }
        });
        Self { addr, shared }
    }

    /// The settings of its channel route and its user route.
    pub fn settings(&self) -> String {
        let addr = self.addr;
        format!(
            "authorization.url = \"http://{addr}/broadcasting/auth\"\n\
             authorization.user_url = \"http://{addr}/broadcasting/user-auth\"\n"
        )
    }

    /// All requests so far.
    pub fn questions(&self) -> Vec<Question> {
        self.shared.inner.lock().questions.clone()
    }

    /// Waits for this many requests.
    #[track_caller]
    pub fn expect_questions(&self, count: usize) {
        let deadline = Instant::now() + DEADLINE;
        let mut inner = self.shared.inner.lock();
        while inner.questions.len() < count {
            let late = self.shared.changed.wait_until(&mut inner, deadline).timed_out();
            assert!(!late, "it was asked {} times, not {count}", inner.questions.len());
        }
    }

    /// Answers the hanging requests.
    pub fn let_go(&self) {
        self.shared.inner.lock().let_go = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.shared.inner.lock().stopped = true;
        self.let_go();
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.addr));
    }
}

/// Answers requests one after the other.
fn serve(mut stream: TcpStream, reply: &dyn Fn(&Question) -> Reply, shared: &Shared) {
    while let Some(question) = read(&mut stream) {
        let reply = reply(&question);
        shared.inner.lock().questions.push(question);
        shared.changed.notify_all();
        let (status, body) = match reply {
            Reply::Body(status, body) => (status, body),
            Reply::Raw(bytes) => {
                // The server may have read enough by now.
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(Shutdown::Write);
                return;
            }
            Reply::Hang => {
                let mut inner = shared.inner.lock();
                shared.changed.wait_while(&mut inner, |inner| !inner.let_go);
                (200, "true")
            }
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).is_err() {
            return;
        }
    }
}

/// The next request; `None` when the connection is over.
fn read(stream: &mut TcpStream) -> Option<Question> {
    let mut bytes = Vec::new();
    let mut some = [0; 4096];
    loop {
        if let Some(question) = parse(&bytes) {
            return Some(question);
        }
        match stream.read(&mut some) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&some[..count]),
        }
    }
}

/// The request, once complete.
fn parse(bytes: &[u8]) -> Option<Question> {
    let text = std::str::from_utf8(bytes).expect("questions are text");
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length is a number"));
    (body.len() >= length).then(|| Question {
        line,
        head: head.to_owned(),
        headers,
        body: body[..length].to_owned(),
    })
}
