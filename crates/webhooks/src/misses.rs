//! The rate limit of `cache_miss` events: a channel sends one until its cache is filled or ten seconds
//! have passed (HOOK-018).

use std::collections::{HashMap, VecDeque};

use fanfare_protocol::channel::ChannelName;

/// Milliseconds of silence.
const SILENCE: u64 = 10_000;

/// Most channels remembered; over the bound the oldest is forgotten, and may send again.
const MOST: usize = 10_000;

/// The cache misses of one app.
#[derive(Debug, Default)]
pub(crate) struct Misses {
    /// For each channel the moment until which its misses are not sent.
    silent: HashMap<ChannelName, u64>,
    /// The same moments, the oldest first; also those of channels that were filled.
    order: VecDeque<(u64, ChannelName)>,
}

impl Misses {
    /// A subscriber had a cache miss: whether the event is to be sent.
    pub(crate) fn miss(&mut self, channel: &ChannelName, now: u64) -> bool {
        while self.order.front().is_some_and(|(until, _)| *until <= now) || self.order.len() >= MOST {
            if let Some((until, oldest)) = self.order.pop_front()
                && self.silent.get(&oldest) == Some(&until)
            {
                self.silent.remove(&oldest);
            }
        }
        if self.silent.contains_key(channel) {
            return false;
        }
        self.silent.insert(channel.clone(), now + SILENCE);
        self.order.push_back((now + SILENCE, channel.clone()));
        true
    }

    /// Whether no channel is silent any more.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        self.order.back().is_none_or(|(until, _)| *until <= now)
    }

    /// The channel's cache has an event.
    pub(crate) fn fill(&mut self, channel: &ChannelName) {
        self.silent.remove(channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelName {
        ChannelName::parse(name, 164).unwrap()
    }

    #[test]
    fn hook_018_a_channel_says_once_that_it_is_empty_until_it_is_filled_or_ten_seconds_pass() {
        let mut misses = Misses::default();
        let a = channel("cache-a");
        assert!(misses.miss(&a, 0) && !misses.miss(&a, 9_999));
        assert!(misses.miss(&channel("cache-b"), 5));
        assert!(misses.miss(&a, 10_000) && !misses.miss(&a, 10_001));
        misses.fill(&a);
        assert!(misses.miss(&a, 10_002), "it was filled and is empty again");
        assert!(!misses.miss(&a, 20_001), "the older silence ends nothing of the newer");
        assert!(misses.miss(&a, 20_002));
    }

    #[test]
    fn however_many_channels_are_empty_the_memory_of_it_is_bounded() {
        let mut misses = Misses::default();
        for number in 0..MOST + 5 {
            assert!(misses.miss(&channel(&format!("cache-{number}")), 0));
        }
        assert!(misses.silent.len() <= MOST && misses.order.len() <= MOST);
        assert!(misses.miss(&channel("cache-0"), 1), "it was forgotten");
        assert!(!misses.miss(&channel("cache-10004"), 1));
    }
}
