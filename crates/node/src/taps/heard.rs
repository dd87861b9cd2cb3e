//! What other nodes say of taps, theirs and this node's, from the bus's tasks to a task of the node (CON-037).
//!
//! Bounded: what does not fit is dropped; the next number tells of a lost part, the next renewal of a lost lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare_bus::{HeardTap, HeardTapPart};
use fanfare_protocol::ids::AppId;
use tokio::sync::mpsc;

use super::lease::PartPlace;
use super::registry::Taps;
use super::serving;
use super::told::{self, ToldItem, ToldPart};
use crate::node::Node;

/// Most messages that wait.
const MOST_WAITING: usize = 256;

/// Most bytes of them.
const MOST_BYTES: usize = 8 << 20;

enum Waiting {
    Tap { app: AppId, node: u64, tap: u64, lease: Duration, about: Vec<u8> },
    Part { node: u64, tap: u64, begun: u64, number: u64, text: Vec<u8> },
}

impl Waiting {
    const fn bytes(&self) -> usize {
        match self {
            Self::Tap { about, .. } => about.capacity(),
            Self::Part { text, .. } => text.capacity(),
        }
    }
}

/// The queue of what is said of taps.
#[derive(Clone)]
pub(crate) struct HeardOfTaps {
    waiting: mpsc::Sender<Waiting>,
    bytes: Arc<AtomicUsize>,
}

impl HeardOfTaps {
    /// Starts the task that takes what is heard.
    pub fn begin(node: &Arc<Node>) -> Self {
        let (heard, mut waiting) = Self::new();
        let (of, bytes) = (Arc::clone(node), Arc::clone(&heard.bytes));
        node.tasks.spawn("live lists of all nodes", async move {
            while let Some(next) = waiting.recv().await {
                bytes.fetch_sub(next.bytes(), Ordering::Relaxed);
                take(&of, next);
            }
        });
        heard
    }

    fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        (Self { waiting: sender, bytes: Arc::default() }, receiver)
    }

    /// A tap of another node.
    pub fn tap(&self, app: &AppId, HeardTap { node, tap, lease, about }: HeardTap<'_>) {
        self.push(Waiting::Tap { app: app.clone(), node, tap, lease, about: about.to_vec() });
    }

    /// What another node has seen for a tap of this one.
    pub fn part(&self, taps: &Taps, HeardTapPart { node, tap, begun, number, text }: HeardTapPart<'_>) {
        // Without a tap it is of one that has just ended.
        if taps.are_open() {
            self.push(Waiting::Part { node, tap, begun, number, text: text.to_vec() });
        }
    }

    fn push(&self, message: Waiting) {
        let bytes = message.bytes();
        let room = |held: usize| (held + bytes <= MOST_BYTES).then_some(held + bytes);
        if self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
            && self.waiting.try_send(message).is_err()
        {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

fn take(node: &Arc<Node>, heard: Waiting) {
    match heard {
        Waiting::Tap { app, node: from, tap, lease, about } => {
            serving::lease(node, &app, (from, tap), (lease, &about));
        }
        Waiting::Part { node: from, tap, begun, number, text } => {
            let Some(lease) = node.taps.leased(tap).filter(|lease| !lease.is_over()) else { return };
            let read = told::read(&text);
            if matches!(read, Some(ToldPart::Full)) {
                return lease.hear_full(from);
            }
            let place = lease.hear(from, (begun, number));
            let mut items = match read {
                _ if place == PartPlace::Old => return,
                Some(ToldPart::Seen(items)) => items,
                // What cannot be read is lost.
                _ => vec![ToldItem::LeftOut(None, false)],
            };
            if place == PartPlace::BehindGap {
                items.insert(0, ToldItem::LeftOut(None, false));
            }
            node.tenants.of(&lease.app).taps.take_in(&lease, items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_037_what_waits_of_taps_is_bounded_in_number_and_in_bytes() {
        let lease = Duration::from_secs(1);
        let told = |about: &[u8]| {
            let (heard, mut waiting) = HeardOfTaps::new();
            for tap in 0..MOST_WAITING as u64 + 10 {
                heard.tap(&AppId::from("1"), HeardTap { node: 1, tap, lease, about });
            }
            let waited = std::iter::from_fn(|| waiting.try_recv().ok()).map(|next| next.bytes());
            let waited: Vec<usize> = waited.collect();
            assert_eq!(waited.iter().sum::<usize>(), heard.bytes.load(Ordering::Relaxed));
            waited.len()
        };
        assert_eq!(told(b""), MOST_WAITING);
        assert_eq!(told(&vec![b'x'; MOST_BYTES / 8]), 8);
    }
}
