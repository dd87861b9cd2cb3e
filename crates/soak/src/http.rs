//! The HTTP API from a back end's side, one connection at a time.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::signing::{Signer, signed, signed_by};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A back end's connection to one node.
pub(crate) struct BackEnd {
    node: SocketAddr,
    stream: Option<TcpStream>,
}

impl BackEnd {
    pub(crate) const fn of(node: SocketAddr) -> Self {
        Self { node, stream: None }
    }

    /// A signed request with a body; the status of the answer.
    pub(crate) async fn publish(&mut self, path: &str, body: &Value) -> io::Result<u16> {
        let body = body.to_string();
        let target = signed("POST", path, &[], body.as_bytes());
        Ok(self.ask("POST", &target, "", body.as_bytes()).await?.0)
    }

    /// A signed question; status and answer.
    pub(crate) async fn get(&mut self, path: &str, query: &[(&str, &str)]) -> io::Result<(u16, Value)> {
        let (status, body) = self.ask("GET", &signed("GET", path, query, b""), "", b"").await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// A question without a signature, such as `/ready` of the operators' listener.
    pub(crate) async fn plain(&mut self, path: &str) -> io::Result<(u16, String)> {
        let (status, body) = self.ask("GET", path, "", b"").await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// The status of the answer to a question that any app signs.
    pub(crate) async fn status(&mut self, signer: &Signer, path: &str) -> io::Result<u16> {
        Ok(self.ask("GET", &signed_by(signer, "GET", path, &[], b""), "", b"").await?.0)
    }

    /// A request of an operator with a token; `body` may be `Null`. With `as_of`, only if the app is still as it was with this
    /// `ETag`.
    pub(crate) async fn operate(
        &mut self,
        (token, as_of): (&str, Option<&str>),
        method: &str,
        path: &str,
        body: &Value,
    ) -> io::Result<Operated> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let condition = as_of.map(|tag| format!("If-Match: {tag}\r\n")).unwrap_or_default();
        let header = format!("Authorization: Bearer {token}\r\n{condition}");
        let Answered { status, tag, body } = self.exchange(method, path, &header, body.as_bytes()).await?;
        Ok(Operated { status, tag, json: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    async fn ask(
        &mut self,
        method: &str,
        target: &str,
        header: &str,
        body: &[u8],
    ) -> io::Result<(u16, Vec<u8>)> {
        let Answered { status, body, .. } = self.exchange(method, target, header, body).await?;
        Ok((status, body))
    }

    /// `header` is empty, or lines with their ends.
    async fn exchange(
        &mut self,
        method: &str,
        target: &str,
        header: &str,
        body: &[u8],
    ) -> io::Result<Answered> {
        let mut stream = self.stream.take();
        let answered = timeout(PATIENCE, async {
            let stream = match &mut stream {
                Some(stream) => stream,
                none => none.insert(TcpStream::connect(self.node).await?),
            };
            let head = format!(
                "{method} {target} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{header}Content-Length: {}\r\n\r\n",
                self.node,
                body.len()
            );
            stream.write_all(&[head.as_bytes(), body].concat()).await?;
            answer(stream).await
        });
        let answer = answered.await.map_err(|_| io::Error::from(ErrorKind::TimedOut))??;
        // Only a connection whose answer was read to its end is used again.
        self.stream = stream;
        Ok(answer)
    }
}

/// What an operator is answered.
#[derive(Debug)]
pub(crate) struct Operated {
    pub(crate) status: u16,
    /// The header `ETag`.
    pub(crate) tag: Option<String>,
    pub(crate) json: Value,
}

/// An answer that has arrived.
struct Answered {
    status: u16,
    tag: Option<String>,
    body: Vec<u8>,
}

async fn answer(stream: &mut TcpStream) -> io::Result<Answered> {
    let mut bytes = Vec::new();
    loop {
        if let Some(answered) = whole(&bytes) {
            return Ok(answered);
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Status and body of an answer that has arrived.
fn whole(bytes: &[u8]) -> Option<Answered> {
    let (head, body) = parts(bytes)?;
    let status = head.get(9..12)?.parse().ok()?;
    let tag = header(head, "etag").map(str::to_owned);
    let body = body.get(..content_length(head))?.to_vec();
    Some(Answered { status, tag, body })
}

/// Head and rest of a request or an answer, once the head is complete.
pub(crate) fn parts(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 4..]))
}

/// What a head says of the length of the body.
pub(crate) fn content_length(head: &str) -> usize {
    header(head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0)
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let named = |line: &'a str| line.split_once(':').filter(|(found, _)| found.eq_ignore_ascii_case(name));
    head.lines().skip(1).find_map(named).map(|(_, value)| value.trim())
}
