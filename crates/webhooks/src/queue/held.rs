//! The room that a queue takes, in events and bytes, and of the bytes of all queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::settings::Settings;

/// A queue takes at most this part of the bytes that all other queues leave free, so that any number of full
/// queues leaves room for one more.
const SHARE: usize = 4;

/// Size of everything that waits or is under way.
#[derive(Debug)]
pub(super) struct Held {
    pub events: usize,
    pub bytes: usize,
    /// The bytes of all queues.
    in_all: Arc<AtomicUsize>,
}

impl Held {
    /// Nothing; `in_all` is shared by all queues.
    pub const fn nothing(in_all: Arc<AtomicUsize>) -> Self {
        Self { events: 0, bytes: 0, in_all }
    }

    /// Reserves room for an event; false if the queue is full.
    pub fn add(&mut self, bytes: usize, settings: &Settings) -> bool {
        let free = settings.most_bytes_in_all.saturating_sub(self.in_all.load(Ordering::Relaxed));
        let most = settings.most_bytes.min(free / SHARE);
        if self.events >= settings.most_events || self.bytes + bytes > most {
            return false;
        }
        self.in_all.fetch_add(bytes, Ordering::Relaxed);
        self.events += 1;
        self.bytes += bytes;
        true
    }

    pub fn remove(&mut self, events: usize, bytes: usize) {
        self.events -= events;
        self.bytes -= bytes;
        self.in_all.fetch_sub(bytes, Ordering::Relaxed);
    }
}
