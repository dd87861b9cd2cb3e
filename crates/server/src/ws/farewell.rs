//! The last words of a connection: the error event for old clients, the close frame, and a moment
//! for the peer to read them.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::server;
use fanfare_protocol::version::Version;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// All that a goodbye may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a peer may still send before it is cut off: enough for what was on its way.
const MOST_THROWN_AWAY: usize = 1 << 20;

/// Tells a connection that was never admitted why, and closes it (WS-005, WS-054).
pub async fn refuse(stream: TcpStream, by_event: bool, reason: &CloseReason) {
    let _ = timeout(PATIENCE, exchange(&stream, last_words(&[], by_event, reason))).await;
}

/// Ends an established connection; `rest` is what has to be written before.
pub async fn say(stream: &TcpStream, rest: Vec<Bytes>, version: Version, reason: &CloseReason) {
    if reason.can_be_told() {
        let words = last_words(&rest, version.hears_of_close_by_event(), reason);
        let _ = timeout(PATIENCE, exchange(stream, words)).await;
    }
}

fn last_words(rest: &[Bytes], by_event: bool, reason: &CloseReason) -> Vec<u8> {
    let mut words = rest.concat();
    if by_event && reason.is_by_server() {
        words.extend_from_slice(server::error(reason.code(), &reason.message()).bytes());
    }
    words.extend_from_slice(Frame::close(reason.code(), &reason.message()).bytes());
    words
}

/// Writes, then reads on until the peer has closed: a socket that is dropped with unread bytes is
/// reset, and the peer might lose the close frame over it.
///
/// Waits by `poll_*_ready`, which gives other tasks and the time limit their turn even if the peer
/// never stops sending.
async fn exchange(stream: &TcpStream, words: Vec<u8>) -> std::io::Result<()> {
    let mut left = &words[..];
    while !left.is_empty() {
        poll_fn(|cx| stream.poll_write_ready(cx)).await?;
        left = &left[unless_blocked(stream.try_write(left))?.unwrap_or(0)..];
    }
    rustix::net::shutdown(stream, rustix::net::Shutdown::Write)?;
    let mut unread = [0; 4096];
    let mut thrown_away = 0;
    while thrown_away < MOST_THROWN_AWAY {
        poll_fn(|cx| stream.poll_read_ready(cx)).await?;
        match unless_blocked(stream.try_read(&mut unread))? {
            Some(0) => break,
            read => thrown_away += read.unwrap_or(0),
        }
    }
    Ok(())
}

/// What was done; nothing, if the socket was not ready after all.
fn unless_blocked(done: std::io::Result<usize>) -> std::io::Result<Option<usize>> {
    match done {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
