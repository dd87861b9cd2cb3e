//! The queue of one app between a Redis and publishing: bounded in messages and bytes; what does not fit is dropped.
//!
//! Each app has its own queue, so that an app that floods loses only its own messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc;

/// Most messages in the queue of one app.
const MOST_MESSAGES: usize = 1024;

/// Most bytes in the queue of one app, unless a single message may have more.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The bound of all queues of the node, as a multiple of one queue's.
const ALL_BYTES: usize = 8;

/// Overhead of a message in bytes, beside its texts.
const AROUND: usize = 64;

/// A queued message.
#[derive(Debug)]
pub(super) struct Message {
    /// The channel without the prefix.
    pub channel: Box<str>,
    pub payload: Vec<u8>,
}

/// The bytes queued for all apps of the node, and their bound.
#[derive(Clone, Debug)]
pub(super) struct ByteBudget {
    taken: Arc<AtomicUsize>,
    most_of_one: usize,
}

impl ByteBudget {
    /// Empty queues; messages have at most `longest` bytes.
    pub fn new(longest: usize) -> Self {
        Self { taken: Arc::default(), most_of_one: MOST_BYTES.max(2 * longest) }
    }
}

/// State that both ends share.
#[derive(Debug)]
struct Shared {
    bytes: AtomicUsize,
    /// Messages dropped since the queue became full; 0 while there is room.
    dropped: AtomicU64,
    room: ByteBudget,
}

/// The sending end, for the Redis connection.
#[derive(Debug)]
pub(super) struct QueueSender {
    sender: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

/// The receiving end, for publishing.
#[derive(Debug)]
pub(super) struct QueueReceiver {
    receiver: mpsc::Receiver<Message>,
    shared: Arc<Shared>,
}

/// The queue was full, and the message dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// The message is the first dropped since there was room.
    pub is_first: bool,
}

/// An empty queue.
pub(super) fn queue(room: &ByteBudget) -> (QueueSender, QueueReceiver) {
    let (sender, receiver) = mpsc::channel(MOST_MESSAGES);
    let shared =
        Arc::new(Shared { bytes: AtomicUsize::new(0), dropped: AtomicU64::new(0), room: room.clone() });
    (QueueSender { sender, shared: Arc::clone(&shared) }, QueueReceiver { receiver, shared })
}

impl Message {
    fn size(&self) -> usize {
        self.channel.len() + self.payload.len() + AROUND
    }
}

impl QueueSender {
    /// Adds a message; never waits.
    pub fn push(&self, message: Message) -> Result<(), Full> {
        let size = message.size();
        let fits = self.shared.take(size) && {
            let sent = self.sender.try_send(message).is_ok();
            if !sent {
                self.shared.give_back(size);
            }
            sent
        };
        if fits {
            return Ok(());
        }
        Err(Full { is_first: self.shared.dropped.fetch_add(1, Ordering::Relaxed) == 0 })
    }
}

impl QueueReceiver {
    /// The next message; `None` when all senders are gone.
    pub async fn next(&mut self) -> Option<Message> {
        let message = self.receiver.recv().await?;
        self.shared.give_back(message.size());
        Some(message)
    }

    /// Number of dropped messages, returned once, when the queue has been emptied.
    pub fn take_dropped(&self) -> Option<u64> {
        if self.shared.dropped.load(Ordering::Relaxed) == 0 || !self.receiver.is_empty() {
            return None;
        }
        Some(self.shared.dropped.swap(0, Ordering::Relaxed))
    }
}

/// Queued messages are dropped without publishing, and release their bytes.
impl Drop for QueueReceiver {
    fn drop(&mut self) {
        self.receiver.close();
        while let Ok(message) = self.receiver.try_recv() {
            self.shared.give_back(message.size());
        }
    }
}

impl Shared {
    /// Reserves this many bytes, if there is room.
    fn take(&self, size: usize) -> bool {
        let fits = |most: usize| move |taken: usize| Some(taken + size).filter(|sum| *sum <= most);
        let (own, all) = (fits(self.room.most_of_one), fits(self.room.most_of_one * ALL_BYTES));
        if self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, own).is_err() {
            return false;
        }
        let taken = self.room.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, all).is_ok();
        if !taken {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
        }
        taken
    }

    fn give_back(&self, size: usize) {
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        self.room.taken.fetch_sub(size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Message {
        Message { channel: Box::from("a"), payload: vec![b'x'; bytes] }
    }

    #[tokio::test]
    async fn what_is_over_the_count_is_dropped_and_told_once_when_it_begins_and_once_when_it_ends() {
        let (sender, mut receiver) = queue(&ByteBudget::new(1024));
        for _ in 0..MOST_MESSAGES {
            sender.push(message(1)).unwrap();
        }
        assert_eq!(sender.push(message(1)), Err(Full { is_first: true }));
        assert_eq!(sender.push(message(1)), Err(Full { is_first: false }));
        assert_eq!(receiver.take_dropped(), None, "it is full still");
        for _ in 0..MOST_MESSAGES {
            receiver.next().await.unwrap();
        }
        assert_eq!(receiver.take_dropped(), Some(2));
        assert_eq!(receiver.take_dropped(), None);
        sender.push(message(1)).unwrap();
        drop(sender);
        assert!(receiver.next().await.is_some() && receiver.next().await.is_none());
    }

    #[tokio::test]
    async fn what_is_over_the_bytes_is_dropped_until_some_are_taken_out() {
        let (sender, mut receiver) = queue(&ByteBudget::new(1024));
        for _ in 0..7 {
            sender.push(message(1024 * 1024)).unwrap();
        }
        assert!(sender.push(message(1024 * 1024)).is_err(), "with what is around them they are too many");
        sender.push(message(1)).unwrap();
        receiver.next().await.unwrap();
        sender.push(message(1024 * 1024)).unwrap();
    }

    #[test]
    fn the_longest_message_that_is_read_always_fits() {
        let longest = 50 * 1024 * 1024;
        let (sender, _receiver) = queue(&ByteBudget::new(longest));
        assert!(sender.push(message(longest)).is_ok());
    }

    #[test]
    fn all_queues_together_have_a_bound_and_one_that_ends_gives_its_room_to_others() {
        let room = ByteBudget::new(1024);
        let mut queues: Vec<_> = (0..9).map(|_| queue(&room)).collect();
        let filled: Vec<usize> = queues
            .iter()
            .map(|(sender, _)| (0..8).take_while(|_| sender.push(message(1024 * 1024 - 100)).is_ok()).count())
            .collect();
        assert_eq!(filled, [8, 8, 8, 8, 8, 8, 8, 8, 0]);
        queues.remove(0);
        let (last, _) = &queues[7];
        assert!(last.push(message(1024 * 1024)).is_ok());
        drop(queues);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
