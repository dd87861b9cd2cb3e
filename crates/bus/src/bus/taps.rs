//! Taps of this node told to all others, and what this node has seen for theirs (CON-037).

use std::time::Duration;

use fanfare_protocol::ids::AppId;
use redis::{Value, cmd};
use tokio::time::timeout;

use super::links::{BusAway, Links};
use crate::local::HeardTapPart;
use crate::message::{EventKind, EventMessage, LONGEST, write_part, write_tap};
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
    let text = write_part(&part);
    let message = EventMessage {
        kind: EventKind::TapPart,
        flags: 0,
        node: links.shared.node.id,
        number: 0,
        except: None,
        channel: "",
        text: &text,
    };
    let message = message.write();
    if message.len() > LONGEST {
        return Err(BusAway);
    }
    let is_sharded = links.board(0).is_some_and(|board| board.is_sharded);
    let mut command = cmd(if is_sharded { "SPUBLISH" } else { "PUBLISH" });
    command.arg(links.shared.layout.node_topic(&format!("{to:016x}"))).arg(message);
    match timeout(patience, links.command(0, None, vec![command])).await.unwrap_or(Err(BusAway))?.as_slice() {
        [Value::Int(listening)] if *listening > 0 => Ok(()),
        _ => Err(BusAway),
    }
}
