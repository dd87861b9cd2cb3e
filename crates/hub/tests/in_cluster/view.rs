//! A subscription as its client knows it.

use std::collections::BTreeSet;

use fanfare_hub::Dialect;

use crate::seen::{Seen, ids};

#[derive(Debug)]
pub enum View {
    /// Subscribed as this user, and not acknowledged.
    Waiting(String),
    In {
        user: String,
        members: BTreeSet<String>,
    },
}

/// The channel in the text of a refusal.
pub fn refused_channel(seen: &Seen) -> String {
    let text = seen.data["message"].as_str().expect("a message");
    text.split(' ').nth(2).expect("a channel").to_owned()
}

impl View {
    /// A new subscription; on other channels than presence channels, Socket.IO has no acknowledgement.
    pub fn new(dialect: Dialect, channel: &str, user: &str) -> Self {
        let user = user.to_owned();
        if dialect == Dialect::Pusher || channel.starts_with("presence-") {
            Self::Waiting(user)
        } else {
            Self::In { user, members: BTreeSet::new() }
        }
    }

    /// Follows a frame of the channel; panics at what a client cannot believe.
    pub fn see(&mut self, channel: &str, seen: &Seen) {
        let is_presence = channel.starts_with("presence-");
        if let Self::Waiting(user) = self {
            assert_eq!(seen.event, "subscription_succeeded", "before the acknowledgement");
            let members = if is_presence { ids(&seen.data["presence"]["ids"]) } else { BTreeSet::new() };
            assert!(!is_presence || members.contains(user), "{user} is not in its own roster: {members:?}");
            *self = Self::In { user: std::mem::take(user), members };
            return;
        }
        let Self::In { user, members } = self else { return };
        let whom = || seen.data["user_id"].as_str().expect("an id").to_owned();
        match seen.event.as_str() {
            "member_added" => {
                assert_ne!(whom(), *user, "told of itself");
                assert!(members.insert(whom()), "told of {}, whom it knows", whom());
            }
            "member_removed" => {
                assert_ne!(whom(), *user, "told of itself");
                assert!(members.remove(&whom()), "told of {}, whom it does not know", whom());
            }
            "subscription_count" => assert!(!is_presence),
            "cache_miss" => assert!(channel.contains("cache-")),
            "e" => {}
            other => panic!("unexpected {other}"),
        }
    }
}
