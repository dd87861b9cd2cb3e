//! HTTP/2 over TLS: a real client, and frames by hand for what no client sends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::DEADLINE;
use super::http::{Answer, Head};
use super::tls::{BOTH, HOST, Secured};

/// A client of the kind that browsers and back ends have.
pub struct Http2 {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
}

impl Secured {
    /// The configuration of a client that offers these protocols.
    pub fn offering(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.authority.client(&BOTH));
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    #[track_caller]
    pub fn http2(&self) -> Http2 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads can be started");
        let connector = TlsConnector::from(self.offering(&["h2"]));
        let sender = runtime.block_on(async {
            let tcp = tokio::net::TcpStream::connect(self.addr()).await.expect("the server accepts");
            let name = ServerName::try_from(HOST).expect("a legal name");
            let stream = connector.connect(name, tcp).await.expect("the server speaks TLS");
            let shaken = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
            let (sender, connection) = shaken.expect("the server speaks HTTP/2");
            tokio::spawn(connection);
            sender
        });
        Http2 { runtime, sender }
    }

    /// A connection whose frames are made by hand, after both sides' settings.
    #[track_caller]
    pub fn frames(&self) -> Frames {
        let mut frames = self.frames_with(&[]);
        frames.write(&frame(SETTINGS, 1, 0, &[]));
        frames
    }

    /// The same, with settings of the client, each a number and a value.
    #[track_caller]
    pub fn frames_with(&self, settings: &[(u16, u32)]) -> Frames {
        let name = ServerName::try_from(HOST).expect("a legal name");
        let session = ClientConnection::new(self.offering(&["h2"]), name).expect("a legal configuration");
        let tcp = TcpStream::connect(self.addr()).expect("the server accepts");
        tcp.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        tcp.set_write_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        let mut frames = Frames { stream: StreamOwned::new(session, tcp) };
        let each = |(number, value): &(u16, u32)| [&number.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let settings: Vec<u8> = settings.iter().flat_map(each).collect();
        frames.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        frames.write(&frame(SETTINGS, 0, 0, &settings));
        frames
    }
}

impl Http2 {
    /// The answer to a request, which needs its whole URI.
    #[track_caller]
    pub fn ask(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.runtime.block_on(async {
            self.sender.ready().await.expect("the connection stays");
            let answering = async {
                let answer = self.sender.send_request(request).await.expect("an answer");
                let (head, body) = answer.into_parts();
                (head, body.collect().await.expect("a whole body").to_bytes())
            };
            let answered = tokio::time::timeout(DEADLINE, answering).await;
            let (head, body) = answered.expect("an answer in time");
            let text = |value: &hyper::header::HeaderValue| value.to_str().expect("ASCII").to_owned();
            let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
            Answer {
                head: Head::new(head.status.as_u16(), headers.collect()),
                body: String::from_utf8(body.to_vec()).expect("bodies are UTF-8 here"),
            }
        })
    }

    #[track_caller]
    pub fn get(&mut self, target: &str) -> Answer {
        self.ask(request("GET", target, ""))
    }

    /// The answer to a request, as far as it has come; the stream is reset on drop.
    #[track_caller]
    pub fn open(&mut self, request: Request<Full<Bytes>>) -> Streamed {
        let (chunks, arrived) = sync_channel(64);
        let asking = self.sender.send_request(request);
        let task = self.runtime.spawn(async move {
            let mut body = asking.await.expect("an answer").into_body();
            while let Some(Ok(frame)) = body.frame().await {
                let chunk = frame.into_data().expect("no trailers");
                if chunks.send(chunk).is_err() {
                    break;
                }
            }
        });
        Streamed { task, arrived, text: String::new() }
    }
}

/// An answer that goes on.
pub struct Streamed {
    task: JoinHandle<()>,
    arrived: Receiver<Bytes>,
    text: String,
}

impl Streamed {
    /// Waits until the text has come.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        while !self.text.contains(text) {
            let chunk = self.arrived.recv_timeout(DEADLINE);
            let chunk = chunk.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.text));
            self.text.push_str(std::str::from_utf8(&chunk).expect("whole characters"));
        }
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request to the server of the certificates.
pub fn request(method: &str, target: &str, body: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(format!("https://{HOST}{target}"));
    request.body(Full::from(body.to_owned())).expect("a legal request")
}

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RESET: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// The reasons of resets and of GOAWAY.
pub const REFUSED_STREAM: u32 = 7;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame as bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a request, without compression.
pub fn header_block(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let pseudo = [(":method", method), (":scheme", "https"), (":authority", HOST), (":path", path)];
    let mut block = Vec::new();
    for (name, value) in pseudo.iter().chain(more) {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// A length with a prefix of seven bits (RFC 7541, 5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return block.push(u8::try_from(length).expect("just compared"));
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).expect("a remainder") | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).expect("just compared"));
}

/// A whole GET.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &header_block("GET", path, &[]))
}

/// A POST whose body does not come.
pub fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &header_block("POST", path, &[("content-length", "10")]))
}

/// A connection whose frames are made by hand.
pub struct Frames {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

/// A frame of the server.
#[derive(Debug)]
pub struct Received {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Received {
    /// The reason of a reset, or of GOAWAY.
    pub fn reason(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

impl Frames {
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server is reading");
    }

    /// As [`Self::write`], to a server that may have hung up.
    pub fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next frame; none when the server has hung up.
    #[track_caller]
    pub fn next(&mut self) -> Option<Received> {
        let mut head = [0; 9];
        self.fill(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.fill(&mut payload)?;
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Some(Received { kind: head[3], flags: head[4], stream, payload })
    }

    #[track_caller]
    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing came within {DEADLINE:?}")
            }
            Err(_) => None,
        }
    }

    /// The next frame for which this holds; all before are discarded.
    #[track_caller]
    pub fn until(&mut self, is_it: impl Fn(&Received) -> bool) -> Received {
        loop {
            let frame = self.next().expect("the connection stays");
            if is_it(&frame) {
                return frame;
            }
        }
    }

    /// All frames until the server hangs up.
    #[track_caller]
    pub fn until_end(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Asks for the server's health, and expects the answer: the connection is in order.
    #[track_caller]
    pub fn expect_alive(&mut self, stream: u32) {
        self.write(&get(stream, "/up"));
        self.until(|frame| frame.stream == stream && frame.ends_stream());
    }
}
