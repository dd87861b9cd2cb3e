//! The protocol of Redis (RESP2), as far as a subscriber needs it: texts, errors, numbers, and flat lists.
//!
//! Reads piece by piece: a text over the bound is skipped, never kept. Knows no command.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader, ReadBuf};
use tokio::time::Instant;

use crate::error::RedisError;

/// Longest line: a length, a number, or the text of an error.
const LONGEST_LINE: u64 = 4096;

/// Most parts of a list; messages to a subscriber have four.
const MOST_PARTS: usize = 16;

/// Longest text whose memory is used again, in bytes: the name of a topic.
const SHORT: usize = 512;

/// Texts whose memory is kept: all of a message but the payload.
const MOST_SPARE: usize = 3;

/// A value of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text, also in the short form, such as `OK`.
    Text(Vec<u8>),
    /// A text of so many bytes, which was skipped.
    TooLong(u64),
    Error(String),
    Number(i64),
    Nothing,
    List(Vec<Value>),
}

/// Reads value after value.
pub(crate) struct Reader<R> {
    source: BufReader<R>,
    /// The last line, without its end; kept for its memory.
    line: Vec<u8>,
    /// Short texts and a list that were given back, to be used again.
    spare: Vec<Vec<u8>>,
    spare_list: Vec<Value>,
    /// Longest text that is kept, in bytes.
    longest: u64,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub fn new(source: R, longest: u64) -> Self {
        Self {
            source: BufReader::with_capacity(16 * 1024, source),
            line: Vec::new(),
            spare: Vec::new(),
            spare_list: Vec::new(),
            longest,
        }
    }

    /// What is read from; what was read ahead is lost.
    pub fn into_source(self) -> R {
        self.source.into_inner()
    }

    /// The next value; a value that was started must be read to its end.
    pub async fn value(&mut self) -> Result<Value, RedisError> {
        let kind = self.line().await?;
        if kind != b'*' {
            return self.one(kind).await;
        }
        let Some(count) = length(self.rest())? else { return Ok(Value::Nothing) };
        let count = usize::try_from(count).ok().filter(|count| *count <= MOST_PARTS);
        let count = count.ok_or(RedisError::NotRedis)?;
        let mut parts = std::mem::take(&mut self.spare_list);
        for _ in 0..count {
            let kind = self.line().await?;
            parts.push(self.one(kind).await?);
        }
        Ok(Value::List(parts))
    }

    async fn one(&mut self, kind: u8) -> Result<Value, RedisError> {
        match kind {
            b'+' => Ok(Value::Text(self.rest().to_vec())),
            b'-' => Ok(Value::Error(String::from_utf8_lossy(self.rest()).into_owned())),
            b':' => Ok(Value::Number(number(self.rest())?)),
            b'$' => match length(self.rest())? {
                None => Ok(Value::Nothing),
                Some(length) => self.text(length).await,
            },
            _ => Err(RedisError::NotRedis),
        }
    }

    async fn text(&mut self, length: u64) -> Result<Value, RedisError> {
        let kept = if length <= self.longest { length } else { 0 };
        let spare = if kept <= SHORT as u64 { self.spare.pop() } else { None };
        // Grows with what comes: a length alone takes no memory.
        let most = usize::try_from(kept.min(16 * 1024)).unwrap_or_default();
        let mut text = spare.unwrap_or_else(|| Vec::with_capacity(most));
        let mut source = (&mut self.source).take(length);
        let (read, value) = if length <= self.longest {
            (source.read_to_end(&mut text).await.map_err(lost)? as u64, Value::Text(text))
        } else {
            (
                tokio::io::copy_buf(&mut source, &mut tokio::io::sink()).await.map_err(lost)?,
                Value::TooLong(length),
            )
        };
        if read < length {
            return Err(RedisError::Closed);
        }
        let mut end = [0; 2];
        self.source.read_exact(&mut end).await.map_err(lost)?;
        if end == *b"\r\n" { Ok(value) } else { Err(RedisError::NotRedis) }
    }

    /// Takes back a list with short texts, whose memory is used again.
    pub fn give_back(&mut self, mut parts: Vec<Value>) {
        for part in parts.drain(..) {
            if let Value::Text(mut text) = part
                && text.capacity() <= SHORT
                && self.spare.len() < MOST_SPARE
            {
                text.clear();
                self.spare.push(text);
            }
        }
        self.spare_list = parts;
    }

    /// Reads a line, and returns its first byte.
    async fn line(&mut self) -> Result<u8, RedisError> {
        self.line.clear();
        (&mut self.source).take(LONGEST_LINE).read_until(b'\n', &mut self.line).await.map_err(lost)?;
        if self.line.is_empty() {
            return Err(RedisError::Closed);
        }
        match self.line.strip_suffix(b"\r\n") {
            Some([kind, ..]) => {
                let kind = *kind;
                self.line.truncate(self.line.len() - 2);
                Ok(kind)
            }
            _ => Err(RedisError::NotRedis),
        }
    }

    /// The last line behind its first byte.
    fn rest(&self) -> &[u8] {
        self.line.get(1..).unwrap_or_default()
    }
}

fn number(text: &[u8]) -> Result<i64, RedisError> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(RedisError::NotRedis)
}

/// A length; `None` for a null value.
fn length(text: &[u8]) -> Result<Option<u64>, RedisError> {
    match number(text)? {
        -1 => Ok(None),
        length => u64::try_from(length).map(Some).map_err(|_| RedisError::NotRedis),
    }
}

fn lost(error: io::Error) -> RedisError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => RedisError::Closed,
        _ => RedisError::Lost(error.to_string()),
    }
}

/// A command with its arguments, in wire form.
pub(crate) fn command(parts: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        bytes.extend_from_slice(format!("${}\r\n{part}\r\n", part.len()).as_bytes());
    }
    bytes
}

/// When the last data arrived.
#[derive(Clone, Debug)]
pub(crate) struct LastHeard {
    start: Instant,
    milliseconds: Arc<AtomicU64>,
    /// Nothing is read at the moment: there is no room.
    is_resting: Arc<AtomicBool>,
}

impl LastHeard {
    pub fn now() -> Self {
        Self { start: Instant::now(), milliseconds: Arc::default(), is_resting: Arc::default() }
    }

    /// The moment of the last data; now, while nothing is read.
    pub fn at(&self) -> Instant {
        if self.is_resting.load(Ordering::Relaxed) {
            return Instant::now();
        }
        self.start + std::time::Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }

    /// Waits without reading; the server's silence meanwhile means nothing.
    pub async fn rest(&self, until: impl Future<Output = ()>) {
        self.is_resting.store(true, Ordering::Relaxed);
        until.await;
        self.note();
        self.is_resting.store(false, Ordering::Relaxed);
    }

    fn note(&self) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(since, Ordering::Relaxed);
    }
}

/// A reader that records when data arrives.
pub(crate) struct Heard<R> {
    pub source: R,
    pub last: LastHeard,
}

impl<R: AsyncRead + Unpin> AsyncRead for Heard<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.source).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.last.note();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8], longest: u64) -> Vec<Result<Value, RedisError>> {
        let mut reader = Reader::new(bytes, longest);
        let mut values = Vec::new();
        loop {
            let value = reader.value().await;
            let is_end = value.is_err();
            values.push(value);
            if is_end {
                return values;
            }
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[tokio::test]
    async fn each_kind_of_value_is_read() {
        let bytes = b"+OK\r\n-ERR no\r\n:-7\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*3\r\n$1\r\na\r\n:1\r\n$-1\r\n";
        let values = read(bytes, 100).await;
        let list = Value::List(vec![text("a"), Value::Number(1), Value::Nothing]);
        let expected = [
            text("OK"),
            Value::Error("ERR no".into()),
            Value::Number(-7),
            text("a\r\nbc"),
            text(""),
            Value::Nothing,
            Value::Nothing,
            Value::List(Vec::new()),
            list,
        ];
        let mut expected: Vec<_> = expected.into_iter().map(Ok).collect();
        expected.push(Err(RedisError::Closed));
        assert_eq!(values, expected);
    }

    #[tokio::test]
    async fn a_text_over_the_bound_is_passed_over_and_what_follows_is_read() {
        let long = "x".repeat(100_000);
        let bytes = format!("*2\r\n$1\r\na\r\n$100000\r\n{long}\r\n$3\r\nabc\r\n$4\r\nabcd\r\n+OK\r\n");
        let values = read(bytes.as_bytes(), 3).await;
        let list = Value::List(vec![text("a"), Value::TooLong(100_000)]);
        assert_eq!(values[..4], [Ok(list), Ok(text("abc")), Ok(Value::TooLong(4)), Ok(text("OK"))]);
    }

    #[tokio::test]
    async fn memory_that_was_given_back_holds_nothing_of_before() {
        let bytes = b"*3\r\n$7\r\nmessage\r\n$5\r\nlonger\r\n"; // The length is one too short.
        assert_eq!(read(bytes, 100).await, [Err(RedisError::NotRedis)]);
        let bytes = b"*2\r\n$6\r\nlonger\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n$0\r\n\r\n*0\r\n";
        let mut reader = Reader::new(&bytes[..], 100);
        let mut lists = Vec::new();
        while let Ok(Value::List(parts)) = reader.value().await {
            lists.push(parts.clone());
            reader.give_back(parts);
        }
        assert_eq!(lists, [vec![text("longer"), text("a")], vec![text("b"), text("")], vec![]]);
    }

    #[tokio::test]
    async fn what_is_not_redis_ends_it() {
        let endless_line = vec![b'+'; 10_000];
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\r\n",
            b"+OK\n",
            b"*17\r\n",
            b"*-2\r\n",
            b"*1\r\n*1\r\n+a\r\n",
            b"$x\r\n",
            b"$-2\r\n",
            b"$1\r\nabc\r\n",
            b":1.5\r\n",
            b"\x15\x03\x01\x00\x02\x02\x0a",
            &endless_line,
        ] {
            assert_eq!(read(bytes, 100).await, [Err(RedisError::NotRedis)], "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn an_end_in_the_middle_is_an_end() {
        for bytes in [&b"$5\r\nabc"[..], b"$200\r\nabc", b"$3\r\nabc", b"*2\r\n$1\r\na\r\n"] {
            assert_eq!(read(bytes, 100).await, [Err(RedisError::Closed)], "{bytes:?}");
        }
    }

    #[test]
    fn a_command_is_a_list_of_texts_with_their_lengths_in_bytes() {
        assert_eq!(command(&["PSUBSCRIBE", "ü*"]), "*2\r\n$10\r\nPSUBSCRIBE\r\n$3\r\nü*\r\n".as_bytes());
    }
}
