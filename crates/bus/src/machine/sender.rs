//! What the sender of a partition's webhooks knows: what was told, and what is still to be told (N10, N11).
//!
//! Plain state; when it changes is the partition's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::command::{ENTRIES_PART, EntryId, HookEntry, HookSubject};

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
    /// Entries that were taken and not handed over.
    pub unsent: VecDeque<HookEntry>,
    /// The last millisecond of `unsent` may not be whole.
    pub is_tail_open: bool,
    /// The last entry that was taken.
    pub taken: EntryId,
    /// Entries that were handed over, and may not be sent yet.
    pub handed: BTreeMap<EntryId, (bool, HookSubject)>,
    /// Entries that were handed over and then called back; some of them may have been sent.
    pub called_back: BTreeMap<EntryId, (bool, HookSubject)>,
    /// Entries that were sent and are still in the stream.
    pub sent: Vec<EntryId>,
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
            self.unsent.clear();
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
                self.unsent.push_back(entry);
            }
        }
    }

    /// The entries of the next millisecond, if all of them are here. They count as told.
    pub fn next_group(&mut self) -> Vec<HookEntry> {
        let Some(first) = self.unsent.front().map(|entry| entry.id.milliseconds) else { return Vec::new() };
        let length = self.unsent.iter().take_while(|entry| entry.id.milliseconds == first).count();
        if length == self.unsent.len() && self.is_tail_open {
            return Vec::new();
        }
        let group: Vec<HookEntry> = self.unsent.drain(..length).collect();
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
        if let Some(knowledge) = &mut self.knowledge {
            for (came, subject) in handed.values().rev() {
                knowledge.note(!came, subject);
            }
        }
        let is_any = !handed.is_empty();
        self.called_back.extend(handed);
        self.unsent.clear();
        is_any
    }

    /// An entry was sent. Called back before, it still counts as told where that is remembered.
    pub fn note_sent(&mut self, id: EntryId) {
        if let Some((came, subject)) = self.called_back.remove(&id)
            && let Some(knowledge) = self.old.as_mut().or(self.stopped.as_mut())
        {
            knowledge.note(came, &subject);
            self.is_changed |= self.old.is_some();
        }
        self.handed.remove(&id);
        self.sent.push(id);
    }

    /// Everything that was told or will be: what may have gone meanwhile.
    pub fn subjects(&self) -> BTreeSet<HookSubject> {
        let told = self.knowledge.iter().flat_map(|knowledge| knowledge.told.iter());
        let unsent = self.unsent.iter().map(|entry| &entry.subject);
        told.chain(unsent).chain(&self.backlog).cloned().collect()
    }
}
