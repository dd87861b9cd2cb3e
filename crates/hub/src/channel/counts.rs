//! The number of subscriptions, as subscribers and webhooks are told (WS-175 … WS-177, CL-022).
//!
//! A node alone tells its own number. In a cluster the node tells the cluster its number, and subscribers get the
//! cluster's.

use fanfare_protocol::cluster::{Change, Telling};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::server;
use fanfare_protocol::webhook::{Kind, Transition};

use super::Channel;
use crate::conn::Conn;
use crate::dialect::Dialect;
use crate::sharing::InCluster;
use crate::transitions::Hooks;

/// With more subscribers than this, the count is sent now and then only (WS-176).
pub(super) const MOST_COUNTED_AT_ONCE: usize = 100;

/// Bytes of counts that a channel delivers at once between two calls of [`Channel::tell_changes`]: a hundred subscribers
/// that subscribe one after the other, and unsubscribe, all get every count (WS-175).
const COUNTS_AT_ONCE: usize = if cfg!(shuttle) { 400 } else { 1280 * 1024 };

/// Bytes of a count event besides the channel's name.
const COUNT: usize = 100;

/// Who is sent the number of subscribers.
#[derive(Clone, Copy)]
pub(crate) struct Counting<'a> {
    /// The subscribers themselves (WS-175).
    pub(crate) subscribers: bool,
    /// Webhooks that want the count (HOOK-016).
    pub(crate) hooks: Hooks<'a>,
}

impl Counting<'_> {
    pub(crate) const fn anybody(&self) -> bool {
        self.subscribers || self.hooks.want(Kind::SubscriptionCount)
    }
}

impl Channel {
    /// Sends the count to everybody, or lists the channel in the right list for later (WS-175, WS-176). A newcomer of
    /// a channel with at most 100 subscribers is sent the count at once, right behind the acknowledgement (WS-124).
    pub(crate) fn count_changed(&mut self, told: Counting<'_>, newcomer: Option<&Conn>) {
        self.count_is_due = true;
        if self.members.len() > MOST_COUNTED_AT_ONCE {
            return;
        }
        let recipients = if told.subscribers { self.members.len() } else { 0 };
        let bytes = (COUNT + self.name.as_str().len()) * recipients;
        if self.merging.may_tell(bytes, COUNTS_AT_ONCE) {
            self.tell_count_if_due(told);
        } else if let Some(newcomer) =
            newcomer.filter(|newcomer| told.subscribers && newcomer.dialect == Dialect::Pusher)
        {
            newcomer.outbox.push(&server::subscription_count(&self.name, self.members.len()));
            self.note_alone(newcomer.id);
        }
    }

    /// Whether the channel has many subscribers, a count to send, and is not listed yet; marks it listed (WS-176).
    pub(crate) fn is_crowd_to_be_counted(&mut self) -> bool {
        let waits = self.count_is_due && self.members.len() > MOST_COUNTED_AT_ONCE;
        waits && !std::mem::replace(&mut self.is_listed, true)
    }

    /// Sends the count if the count is due; the channel is not listed any more.
    pub(crate) fn tell_listed_count(&mut self, told: Counting<'_>) {
        self.is_listed = false;
        self.tell_count_if_due(told);
    }

    pub(super) fn tell_count_if_due(&mut self, told: Counting<'_>) {
        if !std::mem::take(&mut self.count_is_due) {
            return;
        }
        let count = self.members.len();
        if told.subscribers && count > 0 {
            self.push_to_pusher(&server::subscription_count(&self.name, count));
        }
        told.hooks.tell(Kind::SubscriptionCount, || Transition::Counted(self.name.clone(), count));
    }

    /// Tells the cluster how many subscriptions this node has.
    pub(super) fn count_for_the_cluster(&self, at: &InCluster<'_>) {
        at.sharing.push(Change::Counted {
            channel: self.name.clone(),
            count: self.subscriptions(),
            told: self.telling(at),
            hooked: at.hooks.want(Kind::ChannelExistence),
        });
    }

    /// Who is to hear of the number.
    pub(super) fn telling(&self, at: &InCluster<'_>) -> Telling {
        let wanted = at.app.subscription_counts || at.hooks.want(Kind::SubscriptionCount);
        if wanted && self.name.kind().has_counts() { Telling::Crowds } else { Telling::Off }
    }

    /// Sends the cluster's number to all acknowledged subscribers.
    pub(crate) fn told_count(&mut self, count: usize, at: &InCluster<'_>) {
        let Some(copy) = &mut self.copy else { return };
        copy.count = Some(count);
        copy.is_count_missed |= !copy.waiting.is_empty();
        if let Some(frame) = self.known_count(at) {
            self.push_to_pusher(&frame);
        }
    }

    /// What newcomers are sent of the cluster's number with their acknowledgement. The number that counts them in follows
    /// by itself, so an older one is sent only where that takes long: in a crowd (WS-176), or without the cluster.
    pub(super) fn count_for_newcomers(&self, at: &InCluster<'_>) -> Option<Frame> {
        let copy = self.copy.as_ref()?;
        let is_crowd = copy.count? >= MOST_COUNTED_AT_ONCE;
        let is_due = is_crowd || copy.is_count_missed || !at.sharing.is_live(&self.name);
        self.known_count(at).filter(|_| is_due)
    }

    /// The cluster's number as last heard, where subscribers are told.
    fn known_count(&self, at: &InCluster<'_>) -> Option<Frame> {
        let count = self.copy.as_ref()?.count?;
        let is_told = at.app.subscription_counts && self.name.kind().has_counts();
        is_told.then(|| server::subscription_count(&self.name, count))
    }
}
