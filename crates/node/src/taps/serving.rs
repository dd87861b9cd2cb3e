//! What this node does for taps of other nodes: looks, and tells what it sees, in parts (CON-037).
//!
//! One task a tap, which alone waits for Redis; whoever tells something here never does. A part has a number, so that the other
//! node notices a lost one.

use std::sync::Arc;
use std::time::Duration;

use fanfare_bus::HeardTapPart;
use fanfare_protocol::ids::AppId;
use tokio::time::{Instant, sleep, timeout_at};

use super::app_taps::AppTaps;
use super::filter::{LiveFilter, ToldFilter};
use super::served::{ServedKey, ServedTap};
use super::told::{FULL, PartText};
use crate::clock::unix_milliseconds;
use crate::node::Node;

/// Time between two parts.
const BETWEEN: Duration = Duration::from_millis(250);

/// Most entries of a part: with the time between parts, five hundred a second (CON-031).
const MOST_ENTRIES: usize = 125;

/// Entries that are taken at once, so that the last of them cannot make a part much longer than it may be.
const FEW: usize = 5;

/// Bytes of a part after which the next ones wait.
const ENOUGH_BYTES: usize = 256 * 1024;

/// Takes a lease of another node's tap.
pub(super) fn lease(node: &Arc<Node>, app: &AppId, key: ServedKey, (lease, about): (Duration, &[u8])) {
    if node.taps.served.renew(key, lease) || lease.is_zero() {
        return;
    }
    // A tap of a later release that wants what is not known here is not served, and this node is named there.
    let Ok(told) = serde_json::from_slice::<ToldFilter>(about) else { return };
    let of_app = Arc::clone(&node.tenants.of(app).taps);
    let wanted = (app.clone(), LiveFilter::of_other_node(&told), told.data);
    match node.taps.serve(&of_app, (key, lease), wanted) {
        Ok(served) => {
            let serving = Serving { node: Arc::clone(node), of_app, served, key };
            node.tasks.spawn_work("live list of another node", serving.run());
        }
        Err(_) => refuse(node, key),
    }
}

/// Says that there is no room.
fn refuse(node: &Arc<Node>, (to, tap): ServedKey) {
    let Some(bus) = node.bus().cloned() else { return };
    node.tasks.spawn_work("refused live list", async move {
        let part = HeardTapPart { node: to, tap, begun: 0, number: 0, text: FULL };
        // If this is lost, the other node names this one all the same.
        let _ = bus.tell_tap(to, part).await;
    });
}

struct Serving {
    node: Arc<Node>,
    of_app: Arc<AppTaps>,
    served: Arc<ServedTap>,
    key: ServedKey,
}

impl Serving {
    async fn run(self) {
        // Another one for each time that the tap is served.
        let (begun, mut number) = (unix_milliseconds(), 0);
        while Instant::now() < self.served.until() {
            let part = self.part();
            if part.is_none() && !self.served.take_renewed() {
                // Woken or not, it is looked again.
                let _ = timeout_at(self.served.until(), self.served.tap.bell.notified()).await;
                continue;
            }
            let text = part.unwrap_or_else(PartText::new).end();
            self.tell((begun, number), &text).await;
            number += 1;
            sleep(BETWEEN).await;
        }
    }

    /// What waits, as much as goes into a part; `None` if nothing waits.
    fn part(&self) -> Option<PartText> {
        let mut text = PartText::new();
        let mut taken = 0;
        while taken < MOST_ENTRIES && text.bytes() < ENOUGH_BYTES {
            let items = self.served.tap.ring.lock().take(FEW);
            if items.is_empty() {
                break;
            }
            taken += items.len();
            items.iter().for_each(|item| text.add(item, self.served.tap.shows_data));
        }
        (taken > 0).then_some(text)
    }

    /// Tells a part. If that fails, the next number tells the other node of a gap.
    async fn tell(&self, (begun, number): (u64, u64), text: &str) {
        let Some(bus) = self.node.bus() else { return };
        let (to, tap) = self.key;
        let part = HeardTapPart { node: to, tap, begun, number, text: text.as_bytes() };
        let _ = bus.tell_tap(to, part).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.node.taps.end_serving(&self.of_app, (self.key, &self.served));
    }
}
