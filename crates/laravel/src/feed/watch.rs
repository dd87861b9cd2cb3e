//! A sample of all channels of a Redis: which prefixes are in use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_outgoing::Trust;
use fanfare_redis::{Happening, RedisAddress, RedisError, Subscriber, WantedPrefixes};
use tokio::sync::watch as watching;
use tokio::time::timeout;

use super::message::{Broadcast, NotABroadcast};
use super::packed::Packed;

/// Most prefixes that are told apart.
const MOST_PREFIXES: usize = 100;

/// Longest message that is examined, in bytes.
const LONGEST: u64 = 1_048_576;

/// Messages published under one prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Messages that are broadcasts.
    pub broadcasts: u64,
    /// All other messages.
    pub others: u64,
    /// What phpredis seems to have made of one of the other messages.
    pub packed: Option<Packed>,
}

/// Listens to all channels for a time. The prefix of a channel is a guess: the part before `private-` or
/// `presence-`, or up to `database_` or `database-`; other channels count with the whole name.
///
/// # Errors
/// The subscription was down at the end of that time.
pub async fn watch(
    address: &RedisAddress,
    trust: &Trust,
    time: Duration,
) -> Result<BTreeMap<String, Seen>, RedisError> {
    let everything: Arc<str> = Arc::from("");
    // Wanted until the sender is dropped.
    let (_wanting, wanted) = watching::channel(WantedPrefixes::from([everything]));
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut state = Err(RedisError::Silent);
    let looking = Subscriber::new(address, trust, LONGEST).run(wanted, |happening| match happening {
        Happening::Subscribed { .. } => state = Ok(()),
        Happening::Away(error) | Happening::Refused { error, .. } => state = Err(error.clone()),
        Happening::Granted { .. } => {}
        Happening::Message { channel, payload } => {
            note(&mut seen, channel, Broadcast::parse(&payload).err());
        }
        Happening::TooLong { channel, .. } => note(&mut seen, channel, Some(NotABroadcast::NotAnObject)),
    });
    // The subscriber never ends by itself.
    let _ = timeout(time, looking).await;
    state.map(|()| seen)
}

fn note(seen: &mut BTreeMap<String, Seen>, channel: &str, fault: Option<NotABroadcast>) {
    let prefix = prefix_of(channel);
    if !seen.contains_key(prefix) && seen.len() >= MOST_PREFIXES {
        return;
    }
    let counts = seen.entry(prefix.to_owned()).or_default();
    *(if fault.is_none() { &mut counts.broadcasts } else { &mut counts.others }) += 1;
    if let Some(NotABroadcast::Packed(packed)) = fault {
        counts.packed = Some(packed);
    }
}

fn prefix_of(channel: &str) -> &str {
    let before = ["private-", "presence-"].iter().filter_map(|kind| channel.find(kind));
    let behind = ["database_", "database-"].iter().filter_map(|end| Some(channel.find(end)? + end.len()));
    before.chain(behind).min().and_then(|at| channel.get(..at)).unwrap_or(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_of_a_channel_is_guessed_by_what_laravel_calls_things() {
        for (channel, prefix) in [
            ("laravel_database_private-a", "laravel_database_"),
            ("my-app-database-news", "my-app-database-"),
            ("shop:presence-room.1", "shop:"),
            ("private-a", ""),
            ("laravel-database-private-database-x", "laravel-database-"),
            ("news", "news"),
        ] {
            assert_eq!(prefix_of(channel), prefix, "{channel}");
        }
    }

    #[test]
    fn no_more_than_a_hundred_prefixes_are_told_apart() {
        let mut seen = BTreeMap::new();
        for number in 0..200 {
            note(&mut seen, &format!("channel{number}"), None);
        }
        let packed = Packed::Serialized("php");
        note(&mut seen, "channel0", Some(NotABroadcast::Packed(packed)));
        assert_eq!(seen.len(), 100);
        assert_eq!(seen["channel0"], Seen { broadcasts: 1, others: 1, packed: Some(packed) });
    }
}
