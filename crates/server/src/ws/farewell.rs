//! The last words of a connection: the error event for old clients, the close frame, and a moment
//! for the peer to read them.

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

/// Tells a connection that was never admitted why, and closes it (WS-005, WS-054).
pub async fn refuse(stream: TcpStream, by_event: bool, reason: &CloseReason) {
    let _ = timeout(PATIENCE, exchange(&stream, last_words(&[], by_event, reason))).await;
}

/// Ends an established connection; `rest` is what has to be written before.
pub(super) async fn say(stream: &TcpStream, rest: Vec<Bytes>, version: Version, reason: &CloseReason) {
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
async fn exchange(stream: &TcpStream, words: Vec<u8>) -> std::io::Result<()> {
    let mut left = &words[..];
    while !left.is_empty() {
        stream.writable().await?;
        match stream.try_write(left) {
            Ok(written) => left = &left[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    rustix::net::shutdown(stream, rustix::net::Shutdown::Write)?;
    let mut unread = [0; 512];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut unread) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
