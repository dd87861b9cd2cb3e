//! Silence: a Ping frame after a while, and a close if unanswered (WS-044).
//!
//! Never sends `pusher:ping` as an event: only one of the official clients answers it (WS-041).

use std::sync::atomic::Ordering;
use std::time::Duration;

use fanfare_hub::Conn;
use fanfare_node::Node;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use tokio::time::{Instant, sleep_until};

use crate::clients::connection::{Signs, milliseconds};

/// Returns when the connection is to end for silence, or for not authorizing in time.
pub async fn run(node: &Node, conn: &Conn, signs: &Signs) -> CloseReason {
    let timeouts = node.config().timeouts.clone();
    let authorize_by = node.milliseconds() + milliseconds(timeouts.authorize());
    let activity = milliseconds(timeouts.activity());
    let pong = milliseconds(timeouts.pong());
    let sleep = sleep_until(Instant::now());
    tokio::pin!(sleep);
    // When the unanswered Ping frame was sent.
    let mut pinged = None;
    loop {
        let now = node.milliseconds();
        let heard = signs.heard.load(Ordering::Relaxed);
        let unauthorized = !signs.authorized.load(Ordering::Relaxed);
        if unauthorized && now >= authorize_by {
            return CloseReason::NotAuthorized;
        }
        pinged = pinged.filter(|&at| heard < at);
        if pinged.is_none() && now >= heard + activity {
            conn.outbox.push(&Frame::ping());
            pinged = Some(now);
        }
        let due = match pinged {
            Some(at) if now >= at + pong => return CloseReason::PongMissing,
            // A later answer starts the next silence, which may be shorter than the wait.
            Some(at) => (at + pong).min(now + activity),
            None => heard + activity,
        };
        let due = if unauthorized { due.min(authorize_by) } else { due };
        sleep.as_mut().reset(node.started + Duration::from_millis(due));
        sleep.as_mut().await;
    }
}
