//! Which channels have member events or counts to send to their subscribers.
//!
//! Knows no clock: the caller says when it is time.

use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;

use super::AppHub;
use crate::bell::Bell;
use crate::channel::{Channel, Counting};
use crate::conn::Conn;
use crate::sync::Mutex;

/// The lists of such channels. A list holds each channel once, so its bound is the number of channels.
#[derive(Debug)]
pub(super) struct Due {
    app: AppId,
    /// Channels that changed since [`AppHub::tell_changes`].
    changes: Mutex<Vec<ChannelName>>,
    /// Crowded channels whose count changed since [`AppHub::tell_counts`].
    crowds: Mutex<Vec<ChannelName>>,
    /// Rung when the first change is listed.
    bell: Arc<Bell>,
}

impl Due {
    pub(super) fn new(app: AppId, bell: Arc<Bell>) -> Self {
        Self { app, changes: Mutex::default(), crowds: Mutex::default(), bell }
    }
}

impl AppHub {
    /// Called under the lock of the channel's shard, after a newcomer subscribed or a subscription ended.
    pub(super) fn changed(&self, channel: &mut Channel, told: Counting<'_>, newcomer: Option<&Conn>) {
        if self.sharing.is_none() && told.anybody() && channel.name.kind().has_counts() {
            channel.count_changed(told, newcomer);
            if channel.is_crowd_to_be_counted() {
                self.due.crowds.lock().push(channel.name.clone());
            }
        }
        self.list_told(channel);
    }

    /// Lists the channel for [`AppHub::tell_changes`], if its subscribers are to be told something later.
    pub(super) fn list_told(&self, channel: &mut Channel) {
        if channel.is_to_be_told() {
            let mut changes = self.due.changes.lock();
            changes.push(channel.name.clone());
            let is_first = changes.len() == 1;
            drop(changes);
            if is_first {
                self.due.bell.ring(&self.due.app);
            }
        }
    }

    /// Sends what has waited since the last call, or was sent at once; to be called some 100 milliseconds after
    /// [`Hubs::poll_changes`](crate::Hubs::poll_changes) has named the app.
    pub fn tell_changes(&self) {
        let due = std::mem::take(&mut *self.due.changes.lock());
        for name in due {
            self.with_listed(&name, Channel::tell_changes);
        }
    }

    /// Sends the counts of crowded channels that have changed since the last call; to be called every five
    /// seconds (WS-176).
    pub fn tell_counts(&self) {
        let due = std::mem::take(&mut *self.due.crowds.lock());
        for name in due {
            self.with_listed(&name, Channel::tell_listed_count);
        }
    }

    fn with_listed(&self, name: &ChannelName, tell: impl FnOnce(&mut Channel, Counting<'_>)) {
        self.change(name, |channel| {
            let app = self.app.read();
            let hooks = self.hooks(&app, name);
            tell(channel, Counting { subscribers: app.subscription_counts, hooks });
        });
    }
}
