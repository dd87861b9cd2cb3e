//! Sending webhooks: one node of a partition does it, and knows what was told (N10, N11).

use std::collections::BTreeSet;
use std::time::Duration;

use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::Transition;

use super::{Lease, Leased};
use crate::command::{Beat, BusAnswer, BusCommand, EntryId, HookEntry, Operation, RefusedHooks, TakenPage};
use crate::local::{HookBatch, HookEvent};
use crate::machine::core::{Core, Purpose};
use crate::machine::mistakes::Mistake;
use crate::machine::sender::{Clocks, MOST_WAITING};

/// Subjects in one command.
const MOST_SUBJECTS: usize = 500;

/// How soon entries are taken that were added; those whose window is not over by then follow.
const HINT: u64 = 10;

impl Leased {
    /// What a beat says of the sender.
    pub(super) fn own_hooks(&mut self, core: &mut Core, beat: &Beat) {
        if beat.age < core.settling() {
            // Nobody sends anything yet; what was told before may still be stated.
            if std::mem::take(&mut self.sender.is_changed) {
                self.state_told(core);
            }
            return;
        }
        let is_owner = beat.owner == core.settings.node;
        let sender = &mut self.sender;
        if std::mem::take(&mut sender.is_changed) {
            // Sent in the old epoch, and too late to be said in this one.
            core.numbers.told_late += 1;
        }
        (sender.old, sender.stopped) = (None, None);
        sender.called_back.clear();
        let is_foreign = sender.knowledge.as_ref().is_some_and(|knowledge| knowledge.term != beat.term);
        if !is_owner || is_foreign {
            // Another has sent meanwhile.
            self.call_back(core);
            self.sender.called_back.clear();
            self.sender.knowledge = None;
        }
        let sender = &mut self.sender;
        if sender.loading.as_ref().is_some_and(|loading| !is_owner || loading.term != beat.term) {
            sender.end_loading();
        }
        if std::mem::replace(&mut sender.owns, is_owner) != is_owner {
            core.out.listen_hooks.push((self.number, is_owner));
        }
        self.take(core);
    }

    /// Takes what is to be told, one take at a time.
    fn take(&mut self, core: &mut Core) {
        let sender = &mut self.sender;
        if !sender.owns || sender.is_taking || self.lease != Lease::Up {
            return;
        }
        let last = match &sender.knowledge {
            Some(_) if sender.waiting < MOST_WAITING => Some(sender.taken),
            Some(_) => return,
            None if sender.is_first_asked => return,
            None => None,
        };
        sender.is_first_asked |= last.is_none();
        sender.is_taking = true;
        sender.due = None;
        let command = BusCommand::Take { partition: self.number, generation: self.generation, last };
        core.ask(self.number, Purpose::Take, command);
    }

    /// Answers that concern webhooks; all others need nothing.
    pub(super) fn hooks_answered(&mut self, core: &mut Core, purpose: Purpose, answer: BusAnswer) {
        match (purpose, answer) {
            (Purpose::Take, BusAnswer::Taken(page)) => {
                self.sender.is_taking = false;
                self.taken(core, page);
            }
            (Purpose::Take, BusAnswer::Term(term)) => {
                self.sender.is_taking = false;
                self.sender.load(term);
                self.ask_told(core, term, 0);
            }
            (Purpose::Take, _) => {
                self.sender.is_taking = false;
                self.sender.end_loading();
            }
            (Purpose::ToldPart { term }, answer) if self.is_loading(term) => {
                self.told_before(core, term, answer);
            }
            (Purpose::LastEntries { term }, answer) if self.is_loading(term) => {
                self.not_told_yet(core, term, answer);
            }
            (Purpose::Hooked, BusAnswer::Hooked(apps)) => {
                for (app, kinds) in apps {
                    self.ask_totals(core, app, 0, kinds);
                }
            }
            (Purpose::Totals { app, kinds }, BusAnswer::Totals { channels, cursor }) => {
                self.in_room(core, &app, |room, _| room.reconcile(channels, cursor, kinds));
            }
            (Purpose::Told, BusAnswer::Late) => core.numbers.told_late += 1,
            (Purpose::Taken { entries }, BusAnswer::Failed(_)) => self.sender.sent.push(entries),
            _ => {}
        }
    }

    /// Whether the first take of this term is under way.
    fn is_loading(&self, term: u64) -> bool {
        self.sender.loading.as_ref().is_some_and(|loading| loading.term == term)
    }

    fn ask_told(&self, core: &mut Core, term: u64, cursor: u64) {
        let command = BusCommand::ToldPart { partition: self.number, cursor };
        core.ask(self.number, Purpose::ToldPart { term }, command);
    }

    fn ask_last_entries(&self, core: &mut Core, term: u64, before: Option<EntryId>) {
        let command = BusCommand::LastEntries { partition: self.number, before };
        core.ask(self.number, Purpose::LastEntries { term }, command);
    }

    /// Part of what Redis holds as told; behind the last part come the entries that are not sent yet (N10).
    fn told_before(&mut self, core: &mut Core, term: u64, answer: BusAnswer) {
        let BusAnswer::ToldPart { subjects, cursor } = answer else { return self.sender.end_loading() };
        self.sender.load_told(subjects);
        if cursor == 0 {
            self.ask_last_entries(core, term, None);
        } else {
            self.ask_told(core, term, cursor);
        }
    }

    fn not_told_yet(&mut self, core: &mut Core, term: u64, answer: BusAnswer) {
        let BusAnswer::LastEntries(entries) = answer else { return self.sender.end_loading() };
        if let Some(next) = self.sender.undo(&entries) {
            return self.ask_last_entries(core, term, Some(next));
        }
        core.numbers.hooks_taken_over += 1;
        // With the entries: what they say to be there may be no more.
        self.reconcile(core);
        self.take(core);
    }

    fn taken(&mut self, core: &mut Core, page: TakenPage) {
        if self.sender.knowledge.is_none() {
            return;
        }
        self.sender.clocks = Clocks { here: core.now, redis: page.now, born: page.born };
        self.sender.add(page.entries, page.is_whole_page);
        for RefusedHooks { app, count, has_room } in page.refused {
            if count > 0 {
                core.numbers.hooks_refused += count;
                core.out.refused_hooks.push((app.clone(), count));
            }
            if let Some(kinds) = has_room.filter(|kinds| !kinds.is_empty()) {
                self.ask_totals(core, app, 0, kinds);
            }
        }
        self.hand_over(core);
        if page.is_whole_page {
            self.take(core);
        } else if page.wait > 0 {
            self.sender.due.get_or_insert(core.now + page.wait);
        }
    }

    /// Webhooks for whatever has changed while nobody noted it; may be done any number of times.
    pub(super) fn reconcile(&mut self, core: &mut Core) {
        if self.sender.knowledge.is_none() || core.makes(Mistake::NothingIsReconciled) {
            return;
        }
        core.ask(self.number, Purpose::Hooked, BusCommand::Hooked { partition: self.number });
        for subject in self.sender.subjects() {
            let (app, channel, user) = (subject.app, subject.channel, subject.user);
            self.in_room(core, &app, |room, _| room.say(Operation::ReconcileGone { channel, user }));
        }
    }

    /// Hands over what may be sent.
    fn hand_over(&mut self, core: &mut Core) {
        for app in self.sender.unsent.keys().cloned().collect::<Vec<_>>() {
            self.hand_over_of(core, &app);
        }
    }

    /// Hands over what may be sent of an app, in groups of one window (CL-032).
    fn hand_over_of(&mut self, core: &mut Core, app: &AppId) {
        while self.may_send(core) {
            let group = self.sender.next_group(app);
            let Some(time_ms) = group.first().map(|entry| entry.id.milliseconds) else { break };
            if core.makes(Mistake::HooksAreRemovedBeforeTheyAreSent) && core.random(10) < 3 {
                let entries: Vec<EntryId> = group.iter().map(|entry| entry.id).collect();
                self.hooks_sent(core, &entries);
                continue;
            }
            let age = Duration::from_millis(self.sender.clocks.age(core.now, time_ms));
            let events = group.into_iter().map(event).collect();
            core.out.hooks.push(HookBatch { app: app.clone(), partition: self.number, time_ms, age, events });
        }
    }

    /// While the lease certainly holds, by this node's own clock.
    fn may_send(&self, core: &Core) -> bool {
        self.sender.beaten.is_some_and(|beaten| core.now < beaten + core.lease())
    }

    /// Time goes on: entries are taken and removed, and sending ends with the lease.
    pub(super) fn tick_hooks(&mut self, core: &mut Core) {
        if self.sender.knowledge.is_some() && !self.may_send(core) {
            self.stop_hooks(core);
            self.sender.stopped = self.sender.knowledge.take();
        }
        if self.sender.due.take_if(|due| *due <= core.now).is_some() {
            if self.sender.is_taking {
                self.hooks_due(core.now);
            }
            self.take(core);
        }
        self.hand_over(core);
        self.remove_sent(core);
    }

    /// Nothing that was handed over may be sent any more, nor what would be brought to the node only now.
    fn call_back(&mut self, core: &mut Core) {
        if self.sender.call_back() {
            let number = self.number;
            core.out.hooks.retain(|batch| batch.partition != number);
            core.out.stop_hooks.push(number);
        }
    }

    fn stop_hooks(&mut self, core: &mut Core) {
        self.call_back(core);
        if std::mem::replace(&mut self.sender.owns, false) {
            core.out.listen_hooks.push((self.number, false));
        }
    }

    /// When webhooks want something done: entries are to be taken, or sending ends with the lease.
    pub(super) fn next_hooks(&self, core: &Core) -> Option<u64> {
        let due = self.sender.due.filter(|_| self.sender.owns);
        let knows = self.sender.knowledge.is_some();
        let ends = self.sender.beaten.filter(|_| knows).map(|beaten| beaten + core.lease());
        [due, ends].into_iter().flatten().min()
    }

    /// Another Redis, or one that may lack something: what was sent is said in the new epoch (N11).
    pub(super) fn leave_epoch(&mut self, core: &mut Core) {
        self.stop_hooks(core);
        let told = self.sender.knowledge.take().or_else(|| self.sender.stopped.take());
        if self.sender.old.is_none() {
            self.sender.old = told;
        }
    }

    /// Says what was told before this epoch.
    pub(super) fn state_told(&mut self, core: &mut Core) {
        let Some(old) = &self.sender.old else { return };
        let subjects: Vec<_> = old.told.iter().cloned().collect();
        let mut parts: Vec<_> = subjects.chunks(MOST_SUBJECTS).map(<[_]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        for (at, subjects) in parts.into_iter().enumerate() {
            let (partition, term, is_first) = (self.number, old.term, at == 0);
            core.ask(partition, Purpose::Told, BusCommand::Told { partition, term, is_first, subjects });
        }
    }

    /// Entries were added to the stream.
    pub fn hooks_due(&mut self, now: u64) {
        self.sender.due.get_or_insert(now + HINT);
    }

    /// Entries of one batch need no more sending.
    pub fn hooks_sent(&mut self, core: &mut Core, entries: &[EntryId]) {
        let apps: BTreeSet<AppId> = entries.iter().filter_map(|id| self.sender.note_sent(*id)).collect();
        self.sender.sent.push(entries.to_vec());
        self.remove_sent(core);
        for app in apps {
            self.hand_over_of(core, &app);
        }
    }

    /// A batch is removed as a whole: what is left would be another batch.
    fn remove_sent(&mut self, core: &mut Core) {
        if self.lease == Lease::Up {
            for entries in std::mem::take(&mut self.sender.sent) {
                let purpose = Purpose::Taken { entries: entries.clone() };
                core.ask(self.number, purpose, BusCommand::Taken { partition: self.number, entries });
            }
        }
    }
}

fn event(entry: HookEntry) -> HookEvent {
    let channel = entry.subject.channel;
    let transition = match (entry.subject.user, entry.came) {
        (None, true) => Transition::Occupied(channel),
        (None, false) => Transition::Vacated(channel),
        (Some(user), true) => Transition::Joined(channel, user),
        (Some(user), false) => Transition::Left(channel, user),
    };
    HookEvent { number: entry.id.number, transition }
}
