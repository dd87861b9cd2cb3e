//! What scripts publish about rosters and counts: an array in MessagePack (version 1).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::UserId;

/// The version of the message that this release reads and its scripts write.
const VERSION: u64 = 1;

/// A change that the scripts have decided, under its number in the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The epoch that the number counts in.
    pub epoch: String,
    /// The number; each is one more than the one before.
    pub number: u64,
    /// The channel.
    pub channel: ChannelName,
    /// What has changed.
    pub kind: DeltaKind,
}

/// What has changed on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeltaKind {
    /// `A`: a user is there who was not.
    Added(UserId, String),
    /// `U`: a user who is there has another `user_info`.
    Updated(UserId, String),
    /// `R`: a user is there no more.
    Removed(UserId),
    /// `N`: the number of subscriptions in the cluster, to be told.
    Count(usize),
    /// A kind of a later release: only the number counts.
    Unknown,
}

/// Why a message is no delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotADelta {
    /// The message is of another version.
    Version(u64),
    /// The message cannot be read.
    Garbled,
}

impl Delta {
    /// Whether a message of a topic is meant as a delta, by its first byte: an array of up to 15.
    #[must_use]
    pub fn is_meant(message: &[u8]) -> bool {
        message.first().is_some_and(|first| first >> 4 == 9)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The message is of another version, or cannot be read.
    pub fn read(message: &[u8]) -> Result<Self, NotADelta> {
        let mut reader = Reader(message);
        let length = reader.byte().filter(|tag| tag >> 4 == 9).ok_or(NotADelta::Garbled)? & 15;
        let version = reader.number().ok_or(NotADelta::Garbled)?;
        if version != VERSION {
            return Err(NotADelta::Version(version));
        }
        // A later release may add fields at the end.
        if length < 7 { None } else { reader.delta() }.ok_or(NotADelta::Garbled)
    }
}

/// As much of MessagePack as the scripts write.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn delta(&mut self) -> Option<Delta> {
        let epoch = self.text()?.to_owned();
        let number = self.number()?;
        let (kind, channel) = (self.text()?, ChannelName::trusted(self.text()?));
        let (user, info) = (self.text()?, self.text()?);
        let kind = match kind {
            "A" => DeltaKind::Added(UserId::from(user), info.to_owned()),
            "U" => DeltaKind::Updated(UserId::from(user), info.to_owned()),
            "R" => DeltaKind::Removed(UserId::from(user)),
            "N" => DeltaKind::Count(user.parse().ok()?),
            _ => DeltaKind::Unknown,
        };
        Some(Delta { epoch, number, channel, kind })
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn big_endian(&mut self, bytes: usize) -> Option<u64> {
        Some(self.bytes(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn number(&mut self) -> Option<u64> {
        match self.byte()? {
            small @ 0..=0x7f => Some(u64::from(small)),
            // Unsigned or signed of 1, 2, 4, 8 bytes; nothing here is negative.
            tag @ 0xcc..=0xcf => self.big_endian(1 << (tag - 0xcc)),
            tag @ 0xd0..=0xd3 => self.big_endian(1 << (tag - 0xd0)),
            // A number above 2^53 would be a float: none is.
            _ => None,
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = match self.byte()? {
            tag @ 0xa0..=0xbf => usize::from(tag & 31),
            0xd9 | 0xc4 => self.big_endian(1)? as usize,
            0xda | 0xc5 => self.big_endian(2)? as usize,
            0xdb | 0xc6 => self.big_endian(4)? as usize,
            _ => return None,
        };
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_scripts_is_read() {
        let message = b"\x97\x01\xa2e1\xcd\x01\x02\xa1A\xaapresence-a\xa2u1\xa2{}";
        let delta = Delta::read(message).unwrap();
        let kind = DeltaKind::Added(UserId::from("u1"), "{}".to_owned());
        let channel = ChannelName::trusted("presence-a");
        assert_eq!(delta, Delta { epoch: "e1".to_owned(), number: 258, channel, kind });
        assert!(Delta::is_meant(message));
    }

    #[test]
    fn other_versions_and_noise_are_told_apart() {
        assert_eq!(Delta::read(b"\x92\x02\xa1x"), Err(NotADelta::Version(2)));
        for noise in [&b""[..], b"\x97", b"\x97\x01\xa2e", b"\x90", b"abc", b"\x97\x01\xdb\xff\xff\xff\xff"] {
            assert_eq!(Delta::read(noise), Err(NotADelta::Garbled), "{noise:?}");
        }
    }
}
