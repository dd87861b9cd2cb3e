//! The HTTP API from a back end's side: signed requests on kept-alive connections, and a minimal parser of
//! answers.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::arguments::Target;
use crate::payload::{Payload, Stamp};

/// Builds whole requests to publish.
pub(crate) struct Requests {
    path: String,
    key: String,
    host: String,
    signer: Hmac<Sha256>,
    payload: Payload,
    body: Vec<u8>,
    /// Events of a request; several are a batch.
    batch: usize,
}

impl Requests {
    pub(crate) fn new(target: &Target, payload: Payload) -> Self {
        let signer = Hmac::new_from_slice(target.secret.as_bytes()).expect("a key of any length will do");
        let (path, host) =
            (format!("/apps/{}/events", target.app_id), format!("127.0.0.1:{}", target.publish_port()));
        Self { path, key: target.key.clone(), host, signer, payload, body: Vec::new(), batch: 1 }
    }

    /// From now on, a request publishes so many equal events.
    pub(crate) fn in_batches(&mut self, target: &Target, batch: usize) {
        self.batch = batch;
        let name = if batch == 1 { "events" } else { "batch_events" };
        self.path = format!("/apps/{}/{name}", target.app_id);
    }

    /// Appends the request that publishes one event, or a batch, to one channel.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, channel: &str, stamp: Stamp) {
        self.body.clear();
        // Here and below: writing to a vector cannot fail.
        if self.batch == 1 {
            let _ = write!(self.body, r#"{{"name":"load","channels":["{channel}"],"data":""#);
            self.payload.put(&mut self.body, stamp);
            self.body.extend_from_slice(br#""}"#);
        } else {
            self.body.extend_from_slice(br#"{"batch":["#);
            for number in 0..self.batch {
                let comma = if number == 0 { "" } else { "," };
                let _ = write!(self.body, r#"{comma}{{"name":"load","channel":"{channel}","data":""#);
                self.payload.put(&mut self.body, stamp);
                self.body.extend_from_slice(br#""}"#);
            }
            self.body.extend_from_slice(b"]}");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let digest = hex::encode(Md5::digest(&self.body));
        let query = format!("auth_key={}&auth_timestamp={now}&auth_version=1.0&body_md5={digest}", self.key);
        let mut signer = self.signer.clone();
        signer.update(format!("POST\n{}\n{query}", self.path).as_bytes());
        let signature = hex::encode(signer.finalize().into_bytes());
        let _ = write!(
            out,
            "POST {}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.path,
            self.host,
            self.body.len()
        );
        out.extend_from_slice(&self.body);
    }
}

/// A complete answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    /// Bytes of head and body.
    pub length: usize,
    /// The server closes the connection after this answer.
    pub closes: bool,
}

/// The answer at the beginning of `bytes`; `None` until complete. The answer must have a length.
pub(crate) fn answer(bytes: &[u8]) -> Option<Answer> {
    let head = end_of_head(bytes)?;
    let status = std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()?;
    let body = header(&bytes[..head], "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let closes = header(&bytes[..head], "connection").is_some_and(|text| text.eq_ignore_ascii_case("close"));
    (bytes.len() >= head + body).then_some(Answer { status, length: head + body, closes })
}

/// The end of the head of a request or answer, after the empty line.
pub(crate) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// A header of a head.
pub(crate) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (found, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_once_all_of_it_is_there() {
        let bytes = b"HTTP/1.1 403 Forbidden\r\nCONTENT-length: 2\r\nConnection: close\r\n\r\n{}HTTP";
        let length = bytes.len() - 4;
        assert_eq!(answer(bytes), Some(Answer { status: 403, length, closes: true }));
        (0..length).for_each(|cut| assert_eq!(answer(&bytes[..cut]), None));
    }
}
