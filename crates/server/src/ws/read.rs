//! Bytes in: one scratch buffer per thread, messages handled in place.
//!
//! Keeps nothing of a connection but the incomplete tail that the decoder holds.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::ops::ControlFlow;

use bytes::Bytes;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ws::{Decoder, Incoming};
use tokio::net::TcpStream;
use tokio::task::yield_now;

use super::Signs;
use crate::session::Session;
use crate::state::State;

/// One read takes at most this much.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    /// Shared by all connections of the thread; used between two awaits only.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// Reads until the connection ends.
pub(super) async fn run(
    state: &State,
    stream: &TcpStream,
    session: &mut Session,
    signs: &Signs,
    early: Bytes,
) -> CloseReason {
    let mut decoder = Decoder::new(state.config.limits.message_bytes);
    if !early.is_empty() {
        let mut bytes = early.to_vec();
        drop(early);
        if let ControlFlow::Break(reason) = decode(&mut decoder, &mut bytes, session, signs) {
            return reason;
        }
    }
    loop {
        if poll_fn(|cx| stream.poll_read_ready(cx)).await.is_err() {
            return CloseReason::Gone;
        }
        let mut more_waits = false;
        let read = BUFFER.with_borrow_mut(|buffer| match stream.try_read(buffer) {
            Ok(0) => ControlFlow::Break(CloseReason::Gone),
            Ok(length) => {
                more_waits = length == buffer.len();
                signs.heard_now(state);
                decode(&mut decoder, &mut buffer[..length], session, signs)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(CloseReason::Gone),
        });
        if let ControlFlow::Break(reason) = read {
            return reason;
        }
        if more_waits {
            // Who sends without pause does not keep the thread from others.
            yield_now().await;
        }
    }
}

fn decode(
    decoder: &mut Decoder,
    bytes: &mut [u8],
    session: &mut Session,
    signs: &Signs,
) -> ControlFlow<CloseReason> {
    let mut on = |incoming: Incoming<'_>| match incoming {
        Incoming::Text(text) => session.on_text(text, &signs.authorized),
        Incoming::Binary(_) => session.on_binary(),
        Incoming::Ping(payload) => {
            session.on_ping(payload);
            ControlFlow::Continue(())
        }
        Incoming::Pong => ControlFlow::Continue(()),
        Incoming::Close(code) => ControlFlow::Break(CloseReason::ByClient(code)),
    };
    match decoder.feed(bytes, &mut on) {
        Ok(flow) => flow,
        Err(error) => ControlFlow::Break(CloseReason::Undecodable(error)),
    }
}
