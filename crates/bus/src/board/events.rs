//! The events that wait to be sent to other nodes: bounded, never waited for.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::partition::Topic;

/// Most events that wait (CL-115).
const MOST_EVENTS: usize = 100_000;

/// Most bytes that wait, with what an event costs beside its bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// What an event costs beside its bytes.
const COST: usize = 128;

/// How long an event waits for a lost connection.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The queue of one link.
#[derive(Default)]
pub(crate) struct EventQueue {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<WaitingEvent>,
    bytes: usize,
}

/// An event on its way to other nodes.
pub(crate) struct WaitingEvent {
    pub topic: Topic,
    /// The message, without its number.
    pub message: Vec<u8>,
    since: Instant,
}

impl WaitingEvent {
    fn cost(&self) -> usize {
        self.message.len() + COST
    }
}

impl EventQueue {
    /// Queues an event; false if there is no room.
    pub fn push(&self, topic: Topic, message: Vec<u8>) -> bool {
        let event = WaitingEvent { topic, message, since: Instant::now() };
        let cost = event.cost();
        let mut waiting = self.waiting.lock();
        if waiting.events.len() >= MOST_EVENTS || waiting.bytes + cost > MOST_BYTES {
            return false;
        }
        waiting.bytes += cost;
        waiting.events.push_back(event);
        let is_first = waiting.events.len() == 1;
        drop(waiting);
        if is_first {
            self.bell.notify_one();
        }
        true
    }

    /// Takes the oldest events, up to these numbers.
    pub fn take(&self, most: usize, most_bytes: usize, into: &mut Vec<WaitingEvent>) {
        let mut waiting = self.waiting.lock();
        let mut bytes = 0;
        while into.len() < most && bytes < most_bytes {
            let Some(event) = waiting.events.pop_front() else { break };
            bytes += event.cost();
            waiting.bytes -= event.cost();
            into.push(event);
        }
    }

    /// Drops the events that have waited too long for a connection; returns how many.
    pub fn expire(&self) -> usize {
        let mut waiting = self.waiting.lock();
        let mut dropped = 0;
        while waiting.events.front().is_some_and(|event| event.since.elapsed() > PATIENCE) {
            if let Some(event) = waiting.events.pop_front() {
                waiting.bytes -= event.cost();
                dropped += 1;
            }
        }
        dropped
    }

    /// Events and bytes that wait.
    pub fn held(&self) -> (usize, usize) {
        let waiting = self.waiting.lock();
        (waiting.events.len(), waiting.bytes)
    }

    /// Returns when an event came into an empty queue, also one that was taken meanwhile.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::ids::AppId;

    use super::*;

    fn topic() -> Topic {
        Topic { partition: 0, app: AppId::from("1") }
    }

    #[tokio::test]
    async fn cl_115_a_queue_that_is_full_takes_no_event_until_there_is_room() {
        let queue = EventQueue::default();
        let pushed = (0..MOST_EVENTS + 10).filter(|_| queue.push(topic(), Vec::new())).count();
        assert_eq!(pushed, MOST_EVENTS);
        let mut taken = Vec::new();
        queue.take(1, usize::MAX, &mut taken);
        assert!(queue.push(topic(), Vec::new()) && !queue.push(topic(), Vec::new()));
        queue.take(usize::MAX, usize::MAX, &mut taken);
        assert_eq!(queue.held(), (0, 0));
        let big = MOST_BYTES / 4;
        let pushed = (0..10).filter(|_| queue.push(topic(), vec![0; big])).count();
        assert_eq!(pushed, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_waits_two_seconds_for_a_connection() {
        let queue = EventQueue::default();
        assert!(queue.push(topic(), vec![1]));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(queue.push(topic(), vec![2]));
        assert_eq!(queue.expire(), 0);
        tokio::time::advance(Duration::from_millis(1100)).await;
        assert_eq!(queue.expire(), 1);
        let mut left = Vec::new();
        queue.take(10, usize::MAX, &mut left);
        assert_eq!(left.iter().map(|event| event.message[0]).collect::<Vec<_>>(), [2]);
    }
}
