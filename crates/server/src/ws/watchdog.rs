//! Silence: a Ping frame after a while, the end if it stays unanswered (WS-044).
//!
//! Never sends `pusher:ping` as an event: only one of the official clients answers it (WS-041).

use std::sync::atomic::Ordering;
use std::time::Duration;

use fanfare_hub::Conn;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use tokio::time::{Instant, sleep_until};

use super::Signs;
use crate::state::State;

/// Returns when the connection is to end for being silent, or for not having authorized itself.
pub(super) async fn run(state: &State, conn: &Conn, signs: &Signs) -> CloseReason {
    let timeouts = &state.config.timeouts;
    let sleep = sleep_until(Instant::now());
    tokio::pin!(sleep);
    let authorize_by = state.elapsed() + timeouts.authorize();
    let mut pinged = None;
    loop {
        let now = state.elapsed();
        let authorized = signs.authorized.load(Ordering::Relaxed);
        if !authorized && now >= authorize_by {
            return CloseReason::NotAuthorized;
        }
        let heard = Duration::from_millis(signs.heard.load(Ordering::Relaxed));
        let due = match pinged {
            Some(at) if heard < at => {
                if now >= at + timeouts.pong() {
                    return CloseReason::PongMissing;
                }
                at + timeouts.pong()
            }
            _ => {
                let due = heard + timeouts.activity();
                if now >= due {
                    conn.outbox.push(&Frame::ping());
                    pinged = Some(now);
                    now + timeouts.pong()
                } else {
                    pinged = None;
                    due
                }
            }
        };
        let due = if authorized { due } else { due.min(authorize_by) };
        sleep.as_mut().reset(state.started + due);
        sleep.as_mut().await;
    }
}
