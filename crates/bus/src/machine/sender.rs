//! What the sender of a partition's webhooks knows: what was told, and what is still to be told (N10, N11).
//!
//! Plain state; when it changes is the partition's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fanfare_protocol::ids::AppId;

use crate::command::{ENTRIES_PART, EntryId, HookEntry, HookSubject};

/// Entries of one app that are with the webhooks' queues at once.
pub const MOST_HANDED: usize = 1_000;

/// Entries in this node's memory that wait to be handed over; with more, no more are taken.
pub const MOST_WAITING: usize = 200_000;

/// The same moment by two clocks, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clocks {
    /// By this node's.
    pub here: u64,
    /// By that of Redis.
    pub redis: u64,
    /// When the epoch began, by that of Redis: what is older may be of another master's clock (CL-073).
    pub born: u64,
}

impl Clocks {
    /// For how long what happened then by Redis's clock has waited, as far as this epoch knows.
    pub const fn age(self, now: u64, milliseconds: u64) -> u64 {
        let since = if milliseconds > self.born { milliseconds } else { self.born };
        (self.redis + now.saturating_sub(self.here)).saturating_sub(since)
    }
}

/// What back ends were told, by whom: the higher term knows better.
#[derive(Clone)]
pub struct Knowledge {
    pub term: u64,
    pub told: BTreeSet<HookSubject>,
}

impl Knowledge {
    /// Changes what was told.
    pub fn note(&mut self, came: bool, subject: &HookSubject) {
        if came {
            self.told.insert(subject.clone());
        } else {
            self.told.remove(subject);
        }
    }
}

/// The state of a sender, or of a node that may become one.
#[derive(Clone, Default)]
pub struct Sender {
    /// The last beat said that this node sends.
    pub owns: bool,
    /// What was told, as far as entries were handed over. None before the first take.
    pub knowledge: Option<Knowledge>,
    /// Entries that were taken and not handed over, of each app by itself: no app waits for another.
    pub unsent: BTreeMap<AppId, VecDeque<HookEntry>>,
    /// How many there are in all.
    pub waiting: usize,
    /// The group of the last entry taken may not be whole.
    pub is_tail_open: bool,
    /// The clocks when entries were taken last.
    pub clocks: Clocks,
    /// The last entry that was taken.
    pub taken: EntryId,
    /// Entries that were handed over, and may not be sent yet.
    pub handed: BTreeMap<EntryId, (bool, HookSubject)>,
    /// How many of these an app has.
    pub handed_of: BTreeMap<AppId, usize>,
    /// Entries that were handed over and then called back; some of them may have been sent.
    pub called_back: BTreeMap<EntryId, (bool, HookSubject)>,
    /// Entries that were sent and are still in the stream, those of one group together.
    pub sent: Vec<Vec<EntryId>>,
    /// When the last beat was sent that was answered: the lease is no shorter.
    pub beaten: Option<u64>,
    /// What was told before this epoch, to be said while the epoch is young.
    pub old: Option<Knowledge>,
    /// What was told when sending had to stop.
    pub stopped: Option<Knowledge>,
    /// What was told is to be said once more.
    pub is_changed: bool,
    /// A first take is on its way, and what was told before is being read.
    pub is_first_asked: bool,
    /// What was read of that, as soon as there is a term.
    pub loading: Option<Knowledge>,
    /// What the entries are about that were to be told at the first take, until all of them were taken.
    pub backlog: BTreeSet<HookSubject>,
    /// A take is on its way.
    pub is_taking: bool,
    /// Entries were added: when they are to be taken.
    pub due: Option<u64>,
}

impl Sender {
    /// Whether this node sends the partition's webhooks.
    pub const fn is_owner(&self) -> bool {
        self.owns
    }

    /// A first take: what Redis holds as told is read, in parts.
    pub fn load(&mut self, term: u64) {
        self.loading = Some(Knowledge { term, told: BTreeSet::new() });
        self.backlog.clear();
    }

    /// No first take is under way any more.
    pub fn end_loading(&mut self) {
        (self.is_first_asked, self.loading) = (false, None);
    }

    /// Part of what Redis holds as told. What changes meanwhile has an entry.
    pub fn load_told(&mut self, subjects: Vec<HookSubject>) {
        if let Some(loading) = &mut self.loading {
            loading.told.extend(subjects);
        }
    }

    /// Part of the entries, from the last to the first: what is not sent yet does not count as told. Whatever comes behind
    /// the last is newer than what was read as told. Returns where to go on; at the end the node knows what was told.
    pub fn undo(&mut self, entries: &[HookEntry]) -> Option<EntryId> {
        let loading = self.loading.as_mut()?;
        for entry in entries {
            loading.note(!entry.came, &entry.subject);
            self.backlog.insert(entry.subject.clone());
        }
        let next = entries.get(ENTRIES_PART - 1).map(|entry| entry.id);
        if next.is_none() {
            self.knowledge = self.loading.take();
            self.is_first_asked = false;
            self.forget_unsent();
            self.taken = EntryId { milliseconds: 0, number: 0 };
        }
        next
    }

    /// Entries that were taken, in order; known ones are left out.
    pub fn add(&mut self, entries: Vec<HookEntry>, is_whole_page: bool) {
        self.is_tail_open = is_whole_page;
        if !is_whole_page {
            self.backlog.clear();
        }
        for entry in entries {
            if entry.id > self.taken {
                self.taken = entry.id;
                self.waiting += 1;
                self.unsent.entry(entry.subject.app.clone()).or_default().push_back(entry);
            }
        }
    }

    fn forget_unsent(&mut self) {
        self.unsent.clear();
        self.waiting = 0;
    }

    /// The entries of an app's next group, if all of them are here and the app has room. They count as told.
    pub fn next_group(&mut self, app: &AppId) -> Vec<HookEntry> {
        let has_room = self.handed_of.get(app).is_none_or(|handed| *handed < MOST_HANDED);
        let Some(unsent) = self.unsent.get_mut(app).filter(|_| has_room) else { return Vec::new() };
        let Some(first) = unsent.front().map(|entry| entry.id.group()) else { return Vec::new() };
        if first == self.taken.group() && self.is_tail_open {
            return Vec::new();
        }
        let length = unsent.iter().take_while(|entry| entry.id.group() == first).count();
        let group: Vec<HookEntry> = unsent.drain(..length).collect();
        if unsent.is_empty() {
            self.unsent.remove(app);
        }
        self.waiting -= length;
        *self.handed_of.entry(app.clone()).or_default() += length;
        for entry in &group {
            if let Some(knowledge) = &mut self.knowledge {
                knowledge.note(entry.came, &entry.subject);
            }
            self.handed.insert(entry.id, (entry.came, entry.subject.clone()));
        }
        group
    }

    /// Entries that were handed over count as not told any more: they are called back. Says whether there are any.
    pub fn call_back(&mut self) -> bool {
        let handed = std::mem::take(&mut self.handed);
        self.handed_of.clear();
        if let Some(knowledge) = &mut self.knowledge {
            for (came, subject) in handed.values().rev() {
                knowledge.note(!came, subject);
            }
        }
        let is_any = !handed.is_empty();
        self.called_back.extend(handed);
        self.forget_unsent();
        is_any
    }

    /// An entry was sent. Called back before, it still counts as told where that is remembered. Returns the app of an
    /// entry that was not called back.
    pub fn note_sent(&mut self, id: EntryId) -> Option<AppId> {
        if let Some((came, subject)) = self.called_back.remove(&id)
            && let Some(knowledge) = self.old.as_mut().or(self.stopped.as_mut())
        {
            knowledge.note(came, &subject);
            self.is_changed |= self.old.is_some();
        }
        let (_, HookSubject { app, .. }) = self.handed.remove(&id)?;
        if let Some(handed) = self.handed_of.get_mut(&app) {
            *handed -= 1;
            if *handed == 0 {
                self.handed_of.remove(&app);
            }
        }
        Some(app)
    }

    /// Everything that was told or will be: what may have gone meanwhile.
    pub fn subjects(&self) -> BTreeSet<HookSubject> {
        let told = self.knowledge.iter().flat_map(|knowledge| knowledge.told.iter());
        let unsent = self.unsent.values().flatten().map(|entry| &entry.subject);
        told.chain(unsent).chain(&self.backlog).cloned().collect()
    }
}
