//! Which frames of a channel were put on one subscription: runs of serials (RES-008).
//!
//! The last run is open: every frame of the channel belongs to it, so an event costs nothing for those who get it. An event
//! that excludes the subscriber is only counted, for its entry in the ring says so; what else is left out ends the run.

use std::sync::Arc;

use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;

use super::brought::Brought;

/// Closed runs that are remembered; older ones matter only for a client that has not counted past them.
const MOST_RUNS: usize = 16;

/// The first serial of a run of frames that one subscriber got alone, and that the ring does not hold.
const ALONE: u64 = u64::MAX;

/// The first serial of a run of frames that another node has brought.
const BROUGHT: u64 = u64::MAX - 1;

/// Frames that were put on a subscription one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    first: u64,
    /// Number of serials from the first to the last.
    span: u64,
    /// Number of frames; fewer than serials where some between do not belong to the run.
    pub(super) len: u64,
    /// The frames were replayed: those that are not replayed, or exclude a socket of the client, do not belong to the run.
    pub(super) is_replayed: bool,
}

/// The runs of one subscription.
#[derive(Debug)]
pub(super) struct Runs {
    /// The first serial of the open run.
    open: u64,
    /// Number of events since then that excluded the subscriber.
    excluded: u64,
    /// Boxed, because most subscriptions have the open run alone.
    past: Option<Box<Past>>,
}

#[derive(Debug, Default)]
struct Past {
    /// Number of frames of runs that are not remembered.
    forgotten: u64,
    runs: Vec<Run>,
    /// The sockets of the client whose own events are not in the replayed runs.
    own: Option<Arc<[SocketId]>>,
    /// The frames that another node has brought, while they are kept.
    brought: Option<Brought>,
    /// The client was told that a resume was incomplete, behind so many frames. Before the client counts a further one, it
    /// may not have got that word.
    told_incomplete: Option<u64>,
    ended: Option<Ended>,
}

/// The end of a subscription whose client may come back; its open run goes on, for all that was missed since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// The expiry.
    pub(super) until: u64,
    /// Number of frames that were put on the subscription.
    sent: u64,
    /// Bytes that are counted for the subscription.
    pub(super) bytes: usize,
}

impl Run {
    pub(super) const fn one(serial: u64) -> Self {
        Self { first: serial, span: 1, len: 1, is_replayed: false }
    }

    pub(super) const fn replayed(serial: u64) -> Self {
        Self { is_replayed: true, ..Self::one(serial) }
    }

    pub(super) const fn brought(len: u64) -> Self {
        Self { first: BROUGHT, span: len, len, is_replayed: false }
    }

    pub(super) const fn alone(len: u64) -> Self {
        Self { first: ALONE, span: len, len, is_replayed: false }
    }

    /// Adds the frame with this serial, with only frames between that do not belong to a replayed run.
    pub(super) const fn extend(&mut self, serial: u64) {
        self.span = serial + 1 - self.first;
        self.len += 1;
    }

    /// Where the last frames of the run are.
    pub(super) const fn tail(&self, lost: u64) -> Tail {
        let end = self.first.wrapping_add(self.span);
        match (self.first, self.span == self.len) {
            (ALONE, _) => Tail::Alone,
            (BROUGHT, _) => Tail::Brought,
            (_, true) => Tail::All { first: end - lost, end },
            (_, false) => Tail::Some { first: self.first, end },
        }
    }
}

/// The last frames of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Not in the ring, and not to be replayed.
    Alone,
    /// Not in the ring, but kept for the subscription.
    Brought,
    /// All of these serials.
    All { first: u64, end: u64 },
    /// The last of these serials that belong to the run.
    Some { first: u64, end: u64 },
}

impl Runs {
    /// A subscription that gets everything from this serial on.
    pub(super) const fn new(open: u64) -> Self {
        Self { open, excluded: 0, past: None }
    }

    /// The sockets of the client whose own events are not in the replayed runs.
    pub(super) fn own(&self) -> &[SocketId] {
        self.past.as_ref().and_then(|past| past.own.as_deref()).unwrap_or_default()
    }

    pub(super) fn set_own(&mut self, own: Arc<[SocketId]>) {
        self.past.get_or_insert_default().own = Some(own);
    }

    /// Keeps what another node has brought, or no more.
    pub(super) fn set_brought(&mut self, brought: Option<Brought>) {
        if brought.is_some() || self.past.is_some() {
            self.past.get_or_insert_default().brought = brought;
        }
    }

    /// The last frames that another node has brought; `None` if they are not kept.
    pub(super) fn brought(&self, last: u64) -> Option<&[Frame]> {
        let frames = self.past.as_ref()?.brought.as_ref()?.frames();
        frames.get(frames.len().checked_sub(usize::try_from(last).ok()?)?..)
    }

    /// The last event excluded the subscriber.
    pub(super) const fn exclude(&mut self) {
        self.excluded += 1;
    }

    /// Frames that were put on the subscription before everything else.
    pub(super) fn begin_with(&mut self, runs: impl IntoIterator<Item = Run>) {
        for run in runs {
            self.past.get_or_insert_default().push(run);
        }
    }

    /// The client is told next, before the frame with this serial, that its resume was incomplete.
    pub(super) fn tell_incomplete(&mut self, next: u64) {
        let sent = self.sent(next);
        self.past.get_or_insert_default().told_incomplete = Some(sent);
    }

    /// The frames from one serial to before the other were not put on the subscription.
    pub(super) fn leave_out(&mut self, first: u64, end: u64) {
        self.close(first);
        self.open = end;
    }

    /// The subscriber alone got a frame, before the next serial.
    pub(super) fn add_alone(&mut self, next: u64) {
        self.close(next);
        self.past.get_or_insert_default().push(Run::alone(1));
    }

    fn close(&mut self, end: u64) {
        let run = self.open_run(end);
        if run.len > 0 {
            self.past.get_or_insert_default().push(run);
        }
        (self.open, self.excluded) = (end, 0);
    }

    const fn open_run(&self, end: u64) -> Run {
        let span = end - self.open;
        Run { first: self.open, span, len: span - self.excluded, is_replayed: false }
    }

    pub(super) fn ended(&self) -> Option<&Ended> {
        self.past.as_ref()?.ended.as_ref()
    }

    /// The subscription ends, with its open run.
    pub(super) fn end(&mut self, next: u64, until: u64, bytes: usize) {
        let sent = self.sent(next);
        self.past.get_or_insert_default().ended = Some(Ended { until, sent, bytes });
    }

    /// Bytes beside the subscription's place in the table.
    pub(super) fn bytes(&self) -> usize {
        let Some(past) = self.past.as_ref() else { return 0 };
        size_of::<Past>() + past.runs.capacity() * size_of::<Run>() + size_of_val(self.own())
    }

    fn sent(&self, next: u64) -> u64 {
        let past = self.past.as_ref();
        let runs = past.map_or(0, |past| past.forgotten + past.runs.iter().map(|run| run.len).sum::<u64>());
        runs + self.open_run(next).len
    }

    /// What was put on the subscription behind the first `count` frames, and what would have been since its end: each run
    /// with the number of its last frames. `None` if the runs do not reach back, or so many frames were never sent, or the
    /// client may not know of an earlier gap.
    pub(super) fn after(&self, count: u64, next: u64) -> Option<impl Iterator<Item = (Run, u64)>> {
        let (forgotten, runs) =
            self.past.as_ref().map_or((0, &[][..]), |past| (past.forgotten, &past.runs[..]));
        let sent = self.ended().map_or_else(|| self.sent(next), |ended| ended.sent);
        let told_incomplete = self.past.as_ref().and_then(|past| past.told_incomplete);
        if count > sent || told_incomplete.is_some_and(|before| count <= before) {
            return None;
        }
        let mut counted = count.checked_sub(forgotten)?;
        let open = self.open_run(next);
        Some(runs.iter().copied().chain([open]).filter_map(move |run| {
            let of_run = counted.min(run.len);
            counted -= of_run;
            (of_run < run.len).then_some((run, run.len - of_run))
        }))
    }
}

impl Past {
    fn push(&mut self, run: Run) {
        match self.runs.last_mut() {
            Some(last) if last.first == ALONE && run.first == ALONE => {
                (last.span, last.len) = (last.span + run.span, last.len + run.len);
            }
            _ => self.runs.push(run),
        }
        if self.runs.len() > MOST_RUNS {
            self.forgotten += self.runs.remove(0).len;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What happens to a subscription: a frame for all that it gets or not, or one for it alone.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Got,
        Excluded,
        LeftOut,
        Alone,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            12 => Just(Step::Got),
            4 => Just(Step::Excluded),
            1 => Just(Step::LeftOut),
            1 => Just(Step::Alone),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// Every frame behind the first `count`, by its serial, or none for a frame that the subscriber got alone.
    fn flat(runs: &Runs, count: u64, next: u64, excluded: &[u64]) -> Option<Vec<Option<u64>>> {
        let mut flat = Vec::new();
        for (run, lost) in runs.after(count, next)? {
            match run.tail(lost) {
                Tail::Alone | Tail::Brought => flat.extend((0..lost).map(|_| None)),
                Tail::All { first, end } => flat.extend((first..end).map(Some)),
                Tail::Some { first, end } => {
                    let all: Vec<u64> = (first..end).filter(|serial| !excluded.contains(serial)).collect();
                    flat.extend(all[all.len() - lost as usize..].iter().copied().map(Some));
                }
            }
        }
        Some(flat)
    }

    proptest! {
        #[test]
        fn res_008_the_runs_are_what_a_list_of_all_frames_says(steps in steps(), begin in 0..100_u64) {
            let (mut runs, mut next) = (Runs::new(begin), begin);
            let (mut list, mut closed, mut excluded) = (Vec::new(), 0, Vec::new());
            for step in steps {
                match step {
                    Step::Alone => {
                        runs.add_alone(next);
                        list.push(None);
                        continue;
                    }
                    Step::Got => list.push(Some(next)),
                    Step::Excluded => {
                        runs.exclude();
                        excluded.push(next);
                    }
                    Step::LeftOut => {
                        runs.leave_out(next, next + 1);
                        closed += 1;
                    }
                }
                next += 1;
            }
            for count in 0..=list.len() {
                let found = flat(&runs, count as u64, next, &excluded);
                let is_forgotten = runs.past.as_ref().is_some_and(|past| past.forgotten > count as u64);
                prop_assert!(!is_forgotten || closed > 0 || list.contains(&None));
                prop_assert_eq!(found, (!is_forgotten).then(|| list[count..].to_vec()), "{}", count);
            }
            prop_assert_eq!(flat(&runs, list.len() as u64 + 1, next, &excluded), None, "so many were never sent");
        }
    }

    #[test]
    fn res_008_sixteen_closed_runs_are_remembered() {
        let mut runs = Runs::new(0);
        for serial in 0..40 {
            if serial % 2 == 1 {
                runs.leave_out(serial, serial + 1);
            }
        }
        assert_eq!(flat(&runs, 3, 40, &[]), None);
        assert_eq!(flat(&runs, 4, 40, &[]).map(|frames| frames.len()), Some(16));
    }

    #[test]
    fn the_end_of_a_subscription_is_the_last_frame_that_may_have_been_counted() {
        let mut runs = Runs::new(0);
        runs.end(3, 100, 0);
        assert_eq!(flat(&runs, 3, 5, &[]), Some(vec![Some(3), Some(4)]), "what came since is missed");
        assert_eq!(flat(&runs, 4, 5, &[]), None);
    }
}
