//! Where everything lies: the partition of a channel, and the names of keys and topics in Redis.
//!
//! The only file that knows; another way to divide would change this file alone (layout 1).

use std::fmt::Write as _;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use xxhash_rust::xxh3::xxh3_64;

/// The layout of keys and messages; a change of what a key means needs the next number (CL-072).
pub const LAYOUT: u32 = 1;

/// Slots of a Redis Cluster.
const SLOTS: u32 = 16_384;

/// One of the parts that all channels are divided into.
pub type Partition = u16;

/// The events and the rosters of one app in one partition: what a node subscribes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic {
    /// The partition.
    pub partition: Partition,
    /// The app.
    pub app: AppId,
}

/// The division of one Redis, or of several.
#[derive(Clone, Debug)]
pub struct Layout {
    /// `PREFIX1:`, with the number of the layout.
    prefix: String,
    /// The hash tag of each partition, so that the keys of a partition lie in one slot.
    tags: Vec<u32>,
}

impl Layout {
    /// The division into `partitions` parts, a power of two from 1 to 256.
    #[must_use]
    pub fn new(prefix: &str, partitions: Partition) -> Self {
        Self { prefix: format!("{prefix}{LAYOUT}:"), tags: tags(u32::from(partitions)) }
    }

    /// The number of partitions.
    #[must_use]
    pub fn partitions(&self) -> Partition {
        Partition::try_from(self.tags.len()).unwrap_or(Partition::MAX)
    }

    /// The partition of an app's channel: xxh3 of `app \0 channel`, seed 0, modulo the number of partitions.
    #[must_use]
    pub fn partition(&self, app: &AppId, channel: &ChannelName) -> Partition {
        let (app, channel) = (app.as_str().as_bytes(), channel.as_str().as_bytes());
        let mut text = Vec::with_capacity(app.len() + 1 + channel.len());
        text.extend_from_slice(app);
        text.push(0);
        text.extend_from_slice(channel);
        let partition = xxh3_64(&text) % self.tags.len() as u64;
        partition as Partition
    }

    /// The topic of an app's channel.
    #[must_use]
    pub fn topic(&self, app: &AppId, channel: &ChannelName) -> Topic {
        Topic { partition: self.partition(app, channel), app: app.clone() }
    }

    /// What every name of the layout begins with: `fanfare:1:`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key that says which layout the data has, in no partition.
    #[must_use]
    pub fn layout_key(&self) -> String {
        format!("{}layout", self.prefix)
    }

    /// What the layout's key holds in the Redis at this place of `bus.urls`, from 0: so that nodes which list several in
    /// different orders do not take each other's partitions.
    #[must_use]
    pub fn layout_value(&self, place: usize) -> String {
        let partitions = self.tags.len();
        if place == 0 { format!("{LAYOUT}:{partitions}") } else { format!("{LAYOUT}:{partitions}:{place}") }
    }

    /// A key of a partition, such as `live`.
    #[must_use]
    pub fn key(&self, partition: Partition, name: &str) -> String {
        let mut key = self.begin(partition);
        key.push_str(name);
        key
    }

    /// A key of an app in a partition, such as `seq:APP`.
    #[must_use]
    pub fn app_key(&self, topic: &Topic, name: &str) -> String {
        let mut key = self.begin(topic.partition);
        // Writing to a String cannot fail. An app's id holds no colon.
        let _ = write!(key, "{name}:{}", topic.app);
        key
    }

    /// A key of a channel, such as `m:APP:CHANNEL`.
    #[must_use]
    pub fn channel_key(&self, topic: &Topic, name: &str, channel: &ChannelName) -> String {
        let mut key = self.app_key(topic, name);
        key.push(':');
        key.push_str(channel.as_str());
        key
    }

    /// The name that a topic is published and subscribed under.
    #[must_use]
    pub fn topic_name(&self, topic: &Topic) -> String {
        self.app_key(topic, "t")
    }

    /// Where the sender of a partition hears that webhooks are to be taken.
    #[must_use]
    pub fn hooks_topic(&self, partition: Partition) -> String {
        self.key(partition, "hooked-now")
    }

    /// Where every node hears what concerns all of a Redis: an app has changed.
    #[must_use]
    pub fn control_topic(&self) -> String {
        self.key(0, "control")
    }

    /// Where one node alone hears what concerns it: what its taps are told.
    #[must_use]
    pub fn node_topic(&self, node: &str) -> String {
        self.key(0, &format!("node:{node}"))
    }

    /// The slot of a Redis Cluster that holds the keys and topics of a partition.
    #[must_use]
    pub fn slot(&self, partition: Partition) -> u16 {
        let tag = self.tags.get(usize::from(partition)).copied().unwrap_or_default();
        slot(tag.to_string().as_bytes()) as u16
    }

    /// The slot that holds the layout's key.
    #[must_use]
    pub fn layout_slot(&self) -> u16 {
        let key = self.layout_key();
        slot(hash_tag(&key).as_bytes()) as u16
    }

    fn begin(&self, partition: Partition) -> String {
        let tag = self.tags.get(usize::from(partition)).copied().unwrap_or_default();
        format!("{}{{{tag}}}:", self.prefix)
    }
}

/// The place in `bus.urls` of a partition's Redis, among so many: the one with the highest hash of both (rendezvous
/// hashing), so that one more Redis at the end takes over some partitions and moves no other.
///
/// Goes by places, not by names: nodes may write the same Redis in different ways.
#[must_use]
pub fn redis_of(partition: Partition, count: usize) -> usize {
    let weight = |place: &usize| xxh3_64(format!("{place}\0{partition}").as_bytes());
    (0..count).max_by_key(weight).unwrap_or(0)
}

/// The smallest numbers whose slots fall into equal ranges, one into each, so that a Cluster of any size spreads the
/// partitions evenly.
fn tags(partitions: u32) -> Vec<u32> {
    let mut tags = vec![None; partitions.max(1) as usize];
    let width = SLOTS / partitions.max(1);
    let mut missing = tags.len();
    for number in 0.. {
        let range = (slot(number.to_string().as_bytes()) / width) as usize;
        if let Some(tag @ None) = tags.get_mut(range) {
            *tag = Some(number);
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
    }
    tags.into_iter().flatten().collect()
}

/// The part of a key that decides its slot: between the first `{` and the `}` behind it, if there is anything.
fn hash_tag(key: &str) -> &str {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

/// The slot of a hash tag: CRC-16 (XMODEM) modulo the number of slots.
fn slot(tag: &[u8]) -> u32 {
    let crc =
        tag.iter().fold(0_u16, |crc, byte| {
            (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            })
        });
    u32::from(crc) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelName {
        ChannelName::parse(name, 164).unwrap()
    }

    #[test]
    fn a_tags_slot_is_that_of_redis() {
        // As `CLUSTER KEYSLOT` answers.
        assert_eq!([slot(b"123456789"), slot(b"foo"), slot(b"0")], [12_739, 12_182, 13_907]);
    }

    #[test]
    fn tags_are_spread_over_the_slots_evenly() {
        for partitions in [1, 2, 16, 64, 256] {
            let found = tags(partitions);
            let ranges: Vec<u32> =
                found.iter().map(|tag| slot(tag.to_string().as_bytes()) / (SLOTS / partitions)).collect();
            assert_eq!(ranges, (0..partitions).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_layout_is_written_down_here_and_may_not_change() {
        let layout = Layout::new("fanfare:", 16);
        let app = AppId::from("1");
        let topic = layout.topic(&app, &channel("presence-room"));
        assert_eq!(layout.layout_value(0), "1:16");
        assert_eq!(layout.layout_key(), "fanfare:1:layout");
        let names = [
            layout.key(topic.partition, "live"),
            layout.app_key(&topic, "seq"),
            layout.channel_key(&topic, "m", &channel("presence-room")),
            layout.topic_name(&topic),
        ];
        let tag = layout.tags[usize::from(topic.partition)];
        assert_eq!(
            names,
            ["live", "seq:1", "m:1:presence-room", "t:1"].map(|name| format!("fanfare:1:{{{tag}}}:{name}"))
        );
    }

    #[test]
    fn channels_are_spread_over_all_partitions() {
        let layout = Layout::new("", 16);
        let app = AppId::from("app");
        let mut counts = [0; 16];
        for number in 0..16_000 {
            counts[usize::from(layout.partition(&app, &channel(&format!("private-user.{number}"))))] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }

    #[test]
    fn one_more_redis_moves_no_partition_between_the_others() {
        let mut moved = 0;
        for partition in 0..256 {
            let (old, new) = (redis_of(partition, 2), redis_of(partition, 3));
            assert!(new == old || new == 2);
            moved += usize::from(new == 2);
        }
        assert!((40..140).contains(&moved), "{moved}");
    }
}
