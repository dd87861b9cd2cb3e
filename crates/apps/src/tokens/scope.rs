//! The scopes of tokens, and their names. Knows no token.

use std::fmt;
use std::str::FromStr;

/// What a token allows; no scope includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See apps, without their secrets.
    Read,
    /// Create, change and delete apps and keys.
    Write,
    /// See the secrets of keys.
    Secrets,
    /// Send events.
    Publish,
    /// See what events carry, what members tell of themselves, and the bodies of webhooks.
    Payloads,
    /// Close connections, sign users out, repeat the delivery of a webhook.
    Operate,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Write, Self::Secrets, Self::Publish, Self::Payloads, Self::Operate];

    /// The scope's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Secrets => "secrets",
            Self::Publish => "publish",
            Self::Payloads => "payloads",
            Self::Operate => "operate",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are the scopes read, write, secrets, publish, payloads and operate")]
pub struct NotAScope;

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(NotAScope)
    }
}
