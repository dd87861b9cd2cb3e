//! What the cluster has been told: changes alternate, numbers grow, and everything adds up to the snapshot.

use std::collections::BTreeMap;

use fanfare_hub::AppHub;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, CopyId, Snapshot, Ticket};

/// The open channels by the changes, and the numbers that were ever given.
#[derive(Debug, Default)]
pub struct Ledger {
    open: BTreeMap<String, Open>,
    /// Every copy that a channel ever had, the newest last.
    pub copies: BTreeMap<String, Vec<CopyId>>,
    /// Every join that a user of a channel ever had, the newest last.
    pub tickets: BTreeMap<(String, String), Vec<Ticket>>,
    newest: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Open {
    copy: Option<CopyId>,
    count: usize,
    users: BTreeMap<String, Ticket>,
}

impl Ledger {
    /// Takes all changes; panics at one that is none.
    pub fn take(&mut self, hub: &AppHub) {
        let mut changes = Vec::new();
        while hub.take_changes(&mut changes, 5).more {}
        for change in &changes {
            self.apply(change);
        }
        self.compare(&hub.snapshot());
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Opened { channel, copy } => {
                self.number(*copy);
                let before = self.at(channel).copy.replace(*copy);
                assert!(before.is_none() || channel.is_cached(), "{change:?} of an open channel");
                self.copies.entry(channel.to_string()).or_default().push(*copy);
            }
            Change::Closed { channel, copy } => {
                let open = self.at(channel);
                assert_eq!(open.copy.take(), Some(*copy), "{change:?}");
                let is_hidden = channel.online_user().is_some();
                assert!(is_hidden || *open == Open::default(), "{change:?} with somebody: {open:?}");
            }
            Change::Joined(joined) => {
                self.number(joined.ticket);
                let open = self.at(&joined.channel);
                assert!(
                    open.copy.is_some() || joined.channel.online_user().is_some(),
                    "{change:?}, not open"
                );
                open.users.insert(joined.user.to_string(), joined.ticket);
                let key = (joined.channel.to_string(), joined.user.to_string());
                self.tickets.entry(key).or_default().push(joined.ticket);
            }
            Change::Left { channel, user, ticket } => {
                self.number(*ticket);
                assert!(
                    self.at(channel).users.remove(user.as_str()).is_some(),
                    "{change:?}, who is not there"
                );
            }
            Change::Counted { channel, count, .. } => {
                let open = self.at(channel);
                let is_open = open.copy.is_some() || channel.online_user().is_some();
                assert!(is_open && open.count != *count, "{change:?} of {open:?}");
                open.count = *count;
            }
            Change::Kept(_) | Change::Missed { .. } => {}
        }
        self.open.retain(|_, open| *open != Open::default());
    }

    fn at(&mut self, channel: &ChannelName) -> &mut Open {
        self.open.entry(channel.to_string()).or_default()
    }

    fn number(&mut self, number: u64) {
        assert!(number > self.newest, "{number} after {}", self.newest);
        self.newest = number;
    }

    fn compare(&self, snapshot: &Snapshot) {
        let channels = snapshot.channels.iter().filter(|open| !open.channel.is_connections());
        let found: BTreeMap<String, Open> = channels
            .map(|open| {
                let users = open.users.iter().map(|joined| (joined.user.to_string(), joined.ticket));
                let (copy, count) = (open.copy, open.count);
                (open.channel.to_string(), Open { copy, count, users: users.collect() })
            })
            .collect();
        assert_eq!(self.open, found, "the changes, and the snapshot");
    }

    /// The copy before so many others.
    pub fn copy(&self, channel: &str, back: usize) -> Option<CopyId> {
        let copies = self.copies.get(channel)?;
        copies.len().checked_sub(back + 1).map(|at| copies[at])
    }

    /// The join before so many others.
    pub fn ticket(&self, channel: &str, user: &str, back: usize) -> Option<Ticket> {
        let tickets = self.tickets.get(&(channel.to_owned(), user.to_owned()))?;
        tickets.len().checked_sub(back + 1).map(|at| tickets[at])
    }
}
