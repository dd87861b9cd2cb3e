//! Channel names and the kinds that their prefixes decide.
//!
//! The one place that looks at a prefix; all other code asks the parsed name (WS-108).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::ids::UserId;

/// The prefix of a signed-in user's own channel, which only that user may listen to (LIM-002).
const SERVER_TO_USER: &str = "#server-to-user-";

/// The prefix of a hidden channel, whose one member is a user while that user is online (CL-051).
const ONLINE: &str = "#online-";

/// The hidden channel that an app's connections are counted on (CL-062).
const CONNECTIONS: &str = "#connections";

/// What a subscription to a channel requires, by the name alone (WS-108).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// Anybody may subscribe.
    Public,
    /// `private-`: subscribers show a signature.
    Private,
    /// `private-encrypted-`: as private; the payload is opaque to the server (WS-200).
    Encrypted,
    /// `presence-`: as private, and members see one another.
    Presence,
    /// `#server-to-user-ID`: only the connection signed in as that user (WS-190).
    ServerToUser,
}

impl ChannelKind {
    /// Whether subscribing takes a signature (WS-114).
    #[must_use]
    pub const fn is_guarded(self) -> bool {
        matches!(self, Self::Private | Self::Encrypted | Self::Presence)
    }

    /// Whether the channel's subscribers may be sent the subscription count (WS-175, WS-193).
    #[must_use]
    pub const fn has_counts(self) -> bool {
        !matches!(self, Self::Presence | Self::ServerToUser)
    }
}

/// The name of a channel, checked once; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

/// Why a text is no legal channel name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidName {
    /// The text is empty, or holds an illegal character (LIM-001, LIM-002).
    Characters,
    /// The text is longer than allowed; both lengths in characters (LIM-015).
    TooLong {
        /// The setting `limits.channel_name`.
        limit: usize,
        /// The text's length.
        length: usize,
    },
}

impl ChannelName {
    /// Checks the characters and the length, in characters, at most `longest`; the prefix of a user's own
    /// channel is not counted.
    ///
    /// # Errors
    /// The name is empty, too long, or holds a character outside `A-Z a-z 0-9 _ - = @ , . ;`.
    pub fn parse(text: &str, longest: usize) -> Result<Self, InvalidName> {
        let checked = text.strip_prefix(SERVER_TO_USER).unwrap_or(text);
        if !is_legal_name(checked) {
            Err(InvalidName::Characters)
        } else if checked.len() > longest {
            Err(InvalidName::TooLong { limit: longest, length: checked.len() })
        } else {
            Ok(Self(Arc::from(text)))
        }
    }

    /// Whether the name begins with a prefix; every name begins with the empty one.
    #[must_use]
    pub fn begins_with(&self, prefix: &str) -> bool {
        // A processor with AVX-512 takes a hundred nanoseconds to compare no bytes at no valid address, as empty texts have none.
        prefix.is_empty() || self.0.starts_with(prefix)
    }

    /// The hidden channel of a user who may be online; no client can name it.
    #[must_use]
    pub fn online(user: &UserId) -> Self {
        Self(Arc::from(format!("{ONLINE}{user}")))
    }

    /// The hidden channel of an app's connections; no client can name it.
    #[must_use]
    pub fn connections() -> Self {
        Self(Arc::from(CONNECTIONS))
    }

    /// The user whose hidden channel this is.
    #[must_use]
    pub fn online_user(&self) -> Option<&str> {
        self.0.strip_prefix(ONLINE)
    }

    /// Whether this is the hidden channel of an app's connections.
    #[must_use]
    pub fn is_connections(&self) -> bool {
        &*self.0 == CONNECTIONS
    }

    /// Whether back ends see the channel in lists and webhooks: no hidden channel, and no user's own (HOOK-019).
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.0.starts_with('#')
    }

    /// A name that another node has checked.
    #[must_use]
    pub fn trusted(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// Whether nodes keep a roster of the channel: a presence channel, or a user's hidden one.
    #[must_use]
    pub fn has_roster(&self) -> bool {
        self.kind() == ChannelKind::Presence || self.0.starts_with(ONLINE)
    }

    /// The user whose own channel this is, on channels of signed-in users (WS-190).
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.0.strip_prefix(SERVER_TO_USER)
    }

    /// The kind that the name's prefix says.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        let name = &*self.0;
        if name.starts_with("private-encrypted-") {
            ChannelKind::Encrypted
        } else if name.starts_with("private-") {
            ChannelKind::Private
        } else if name.starts_with("presence-") {
            ChannelKind::Presence
        } else if name.starts_with(SERVER_TO_USER) {
            ChannelKind::ServerToUser
        } else {
            ChannelKind::Public
        }
    }

    /// Whether the name is that of a cache channel: `cache-` behind the prefix of its kind (WS-108).
    #[must_use]
    pub fn is_cached(&self) -> bool {
        behind_kind(&self.0).starts_with("cache-")
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A channel's name without what its prefixes say: `private-encrypted-cache-a`, `presence-a` and `cache-a` are all `a`.
#[must_use]
pub fn without_kind(name: &str) -> &str {
    let rest = behind_kind(name);
    rest.strip_prefix("cache-").unwrap_or(rest)
}

/// What stands behind the prefix of a name's kind.
fn behind_kind(name: &str) -> &str {
    let kinds = ["private-encrypted-", "private-", "presence-"];
    kinds.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// Whether a text has the characters of a channel name or of a signed-in user's id (LIM-001, LIM-005).
pub(crate) fn is_legal_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_legal)
}

/// The characters of LIM-001.
const fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'=' | b'@' | b',' | b'.' | b';')
}

/// Whether a `filter_by_prefix` can only match presence channels (API-031).
#[must_use]
pub fn is_presence_prefix(prefix: &str) -> bool {
    prefix.starts_with("presence-")
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> ChannelKind {
        ChannelName::parse(name, 164).expect(name).kind()
    }

    #[test]
    fn ws_108_the_hyphen_belongs_to_the_prefix() {
        assert_eq!(kind("news"), ChannelKind::Public);
        assert_eq!(kind("privatefoo"), ChannelKind::Public);
        assert_eq!(kind("presencefoo"), ChannelKind::Public);
        assert_eq!(kind("private-a"), ChannelKind::Private);
        assert_eq!(kind("private-encrypted"), ChannelKind::Private);
        assert_eq!(kind("private-encrypted-a"), ChannelKind::Encrypted);
        assert_eq!(kind("presence-a"), ChannelKind::Presence);
        assert_eq!(kind("#server-to-user-12345"), ChannelKind::ServerToUser);
    }

    #[test]
    fn ws_108_cache_channels_have_the_word_behind_their_kind() {
        let is_cached = |name: &str| ChannelName::parse(name, 164).expect(name).is_cached();
        for name in ["cache-a", "private-cache-a", "presence-cache-a", "private-encrypted-cache-a"] {
            assert!(is_cached(name), "{name}");
        }
        for name in ["cache", "cached-a", "my-cache-a", "private-my-cache-a", "#server-to-user-cache-a"] {
            assert!(!is_cached(name), "{name}");
        }
    }

    #[test]
    fn lim_001_names_hold_only_the_documented_characters() {
        for name in ["a", "A-z_0=9@,.;", "private-App.Models.User.7"] {
            assert!(ChannelName::parse(name, 164).is_ok(), "{name}");
        }
        for name in ["", "a b", "a/b", "é", "a#b", "a:b", "a\0", "a\n"] {
            assert_eq!(ChannelName::parse(name, 164), Err(InvalidName::Characters), "{name:?}");
        }
    }

    #[test]
    fn lim_002_a_hash_is_legal_only_in_front_of_server_to_user() {
        for name in ["#", "#news", "#server-to-user-", "#server-to-user-a#b", "##server-to-user-1"] {
            assert_eq!(ChannelName::parse(name, 164), Err(InvalidName::Characters), "{name}");
        }
    }

    #[test]
    fn lim_003_the_longest_name_is_a_setting() {
        let name = "x".repeat(165);
        let fault = InvalidName::TooLong { limit: 164, length: 165 };
        assert_eq!(ChannelName::parse(&name, 164), Err(fault));
        assert!(ChannelName::parse(&name, 200).is_ok());
        assert!(ChannelName::parse(&name[..164], 164).is_ok());
        assert!(ChannelName::parse(&format!("#server-to-user-{}", &name[..164]), 164).is_ok());
    }
}
