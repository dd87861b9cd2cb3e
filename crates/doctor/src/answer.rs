//! The head of an HTTP answer, read from the stream itself: what follows may be a WebSocket, or go on for long.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::reach::Io;

/// Longest head of an answer that is read, and most of a body, in bytes.
const MOST_BYTES: u64 = 16 * 1024;

/// An answer.
pub(super) struct Answer {
    pub status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// Empty until read.
    pub body: String,
}

impl Answer {
    /// Reads a head; `None` if the stream ends, or what comes is not HTTP.
    pub async fn head(stream: &mut BufReader<Box<dyn Io>>) -> Option<Self> {
        let mut lines = Vec::new();
        let mut left = MOST_BYTES;
        loop {
            let mut line = String::new();
            let count = (&mut *stream).take(left).read_line(&mut line).await.ok()?;
            left = left.checked_sub(count as u64).filter(|_| line.ends_with('\n'))?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let (first, rest) = lines.split_first()?;
        let status = first.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let headers = rest.iter().filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Some(Self { status, headers, body: String::new() })
    }

    /// Reads the body, as far as its length is announced.
    pub async fn with_body(mut self, stream: &mut BufReader<Box<dyn Io>>) -> Option<Self> {
        let length = self.header("content-length").parse::<u64>().unwrap_or(0).min(MOST_BYTES);
        let mut body = Vec::new();
        stream.take(length).read_to_end(&mut body).await.ok()?;
        self.body = String::from_utf8_lossy(&body).into_owned();
        Some(self)
    }

    /// A header's first value, or an empty text; `name` in lower case.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}
