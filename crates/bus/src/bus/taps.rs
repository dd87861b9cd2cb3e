//! Taps of this node told to all others, and what this node has seen for theirs (CON-037).

use std::time::Duration;

use fanfare_protocol::ids::AppId;
use redis::Value;
use tokio::time::timeout;

use super::links::{BusAway, Links};
use crate::local::HeardTapPart;
use crate::message::{EventKind, LONGEST, write_part, write_tap};
use crate::node_questions::MOST_ASKED;

/// Tells every node of a tap; nobody waits. A tap that wants more than 64 KiB of words is not told.
pub(super) fn lease(links: &Links, app: &AppId, tap: u64, (lease, about): (Duration, &[u8])) {
    if about.len() <= MOST_ASKED {
        links.tell_all(EventKind::Tap, app, &write_tap(tap, lease, about));
    }
}

/// Tells a node what this one has seen for a tap of it. With an error, that node may have heard it all the same.
pub(super) async fn tell(
    links: &Links,
    to: u64,
    part: HeardTapPart<'_>,
    patience: Duration,
) -> Result<(), BusAway> {
    let message = links.message(EventKind::TapPart, "", &write_part(&part));
    if message.len() > LONGEST {
        return Err(BusAway);
    }
    let command = links.publish(&links.shared.layout.node_topic(&format!("{to:016x}")), &message);
    match timeout(patience, links.command(0, None, vec![command])).await.unwrap_or(Err(BusAway))?.as_slice() {
        [Value::Int(listening)] if *listening > 0 => Ok(()),
        _ => Err(BusAway),
    }
}
