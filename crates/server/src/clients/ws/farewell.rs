//! The close of a connection: the error event for old clients, the close frame, and a moment
//! for the peer to read them.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::server;
use fanfare_protocol::version::Version;
use tokio::time::timeout;

use super::socket::{Socket, unless_blocked};

/// Timeout of the close.
const PATIENCE: Duration = Duration::from_secs(1);

/// Most bytes that a peer may still send: enough for messages already on their way.
const MOST_THROWN_AWAY: usize = 1 << 20;

/// Sends a refused connection the reason, and closes the connection (WS-005, WS-054).
pub async fn refuse<S: Socket>(socket: S, by_event: bool, reason: &CloseReason) {
    hang_up(&socket, last_words(&[], by_event, reason)).await;
}

/// Writes these bytes, waits for the peer to read them, and closes.
pub async fn hang_up<S: Socket>(socket: &S, words: Vec<u8>) {
    let _ = timeout(PATIENCE, exchange(socket, words)).await;
}

/// Closes an established connection; `rest` is written before.
pub async fn say<S: Socket>(socket: &S, rest: Vec<Bytes>, version: Version, reason: &CloseReason) {
    if reason.can_be_told() {
        let words = last_words(&rest, version.hears_of_close_by_event(), reason);
        hang_up(socket, words).await;
    }
}

fn last_words(rest: &[Bytes], by_event: bool, reason: &CloseReason) -> Vec<u8> {
    let mut words = rest.concat();
    if by_event && reason.is_by_server() {
        words.extend_from_slice(server::error(reason.code(), &reason.to_string()).bytes());
    }
    words.extend_from_slice(Frame::close(reason.code(), &reason.to_string()).bytes());
    words
}

/// Writes, then reads until the peer has closed: a socket that is dropped with unread bytes is
/// reset, and the peer might lose the close frame because of the reset.
///
/// Waits by `poll_*_ready`, which gives other tasks and the time limit their turn even if the peer
/// never stops sending.
async fn exchange<S: Socket>(socket: &S, words: Vec<u8>) -> std::io::Result<()> {
    let mut left = &words[..];
    while !left.is_empty() {
        poll_fn(|cx| socket.poll_write_ready(cx)).await?;
        left = &left[unless_blocked(socket.try_write(left))?.unwrap_or(0)..];
    }
    socket.conclude();
    while unless_blocked(socket.try_flush())?.is_none() {
        poll_fn(|cx| socket.poll_write_ready(cx)).await?;
    }
    rustix::net::shutdown(socket.tcp(), rustix::net::Shutdown::Write)?;
    let mut unread = [0; 4096];
    let mut thrown_away = 0;
    while thrown_away < MOST_THROWN_AWAY {
        poll_fn(|cx| socket.poll_read_ready(cx)).await?;
        match unless_blocked(socket.try_read(&mut unread))? {
            Some(0) => break,
            read => thrown_away += read.unwrap_or(0),
        }
    }
    Ok(())
}
