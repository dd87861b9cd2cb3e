//! Answers of other nodes that several operators get: whoever asks the same within a second of the first.
//!
//! Bounded in number and in bytes: the oldest answers go. Knows no node.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fanfare_bus::{NodeSubject, NodesSaid};
use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// How long an answer is good, from the moment of the question.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// Most answers.
const MOST_ANSWERS: usize = 64;

/// Most bytes of all answers that have come.
const MOST_BYTES: usize = 4 << 20;

/// Estimated memory of a question beside its text, and of each node's answer.
const AROUND: usize = 256;

/// The answer, as soon as it has come; nothing in it if nobody could be asked.
type ComingAnswer = Arc<OnceCell<Option<Arc<NodesSaid>>>>;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AskedFor {
    app: AppId,
    subject: NodeSubject,
    about: Box<[u8]>,
}

impl AskedFor {
    pub fn new(app: &AppId, (subject, about): (NodeSubject, &[u8])) -> Self {
        Self { app: app.clone(), subject, about: about.into() }
    }
}

/// The answers of the last second.
#[derive(Default)]
pub(crate) struct SharedAnswers(Mutex<VecDeque<SharedAnswer>>);

struct SharedAnswer {
    of: AskedFor,
    asked_at: Instant,
    coming: ComingAnswer,
}

impl SharedAnswer {
    fn is_good(&self, now: Instant) -> bool {
        now < self.asked_at + GOOD_FOR
    }

    /// Memory of the answer.
    fn cost(&self) -> usize {
        let said = self.coming.get().and_then(Option::as_ref);
        let answers = said.into_iter().flat_map(|said| &said.answers);
        let bytes: usize = answers.map(|(_, text)| AROUND + text.len()).sum();
        AROUND + self.of.about.len() + bytes
    }
}

impl SharedAnswers {
    /// The answer of whoever asked this within the last second; else a new one, which the caller brings, if `may_ask` allows.
    pub(super) fn find_or_begin(
        &self,
        of: AskedFor,
        now: Instant,
        may_ask: impl FnOnce() -> bool,
    ) -> Option<ComingAnswer> {
        let mut answers = self.0.lock();
        answers.retain(|answer| answer.is_good(now));
        if let Some(known) = answers.iter().find(|answer| answer.of == of) {
            return Some(Arc::clone(&known.coming));
        }
        if !may_ask() {
            return None;
        }
        if answers.len() >= MOST_ANSWERS {
            answers.pop_front();
        }
        let coming = ComingAnswer::default();
        answers.push_back(SharedAnswer { of, asked_at: now, coming: Arc::clone(&coming) });
        Some(coming)
    }

    /// Drops the oldest answers until the others are as few bytes as allowed.
    pub(super) fn make_room(&self) {
        let mut answers = self.0.lock();
        let mut bytes: usize = answers.iter().map(SharedAnswer::cost).sum();
        while bytes > MOST_BYTES
            && let Some(oldest) = answers.pop_front()
        {
            bytes -= oldest.cost();
        }
    }

    /// Something of the app was changed: the next question is asked anew.
    pub(crate) fn forget(&self, app: &AppId) {
        self.0.lock().retain(|answer| answer.of.app != *app);
    }

    /// Drops what nobody gets any more.
    pub(crate) fn drop_old(&self, now: Instant) {
        self.0.lock().retain(|answer| answer.is_good(now));
    }
}

#[cfg(test)]
mod tests {
    use fanfare_bus::KnownNode;

    use super::*;

    fn asked(app: &str, about: &str) -> AskedFor {
        AskedFor::new(&AppId::from(app), (NodeSubject::Open, about.as_bytes()))
    }

    fn said(bytes: usize) -> Option<Arc<NodesSaid>> {
        let node = KnownNode { id: "1".to_owned(), says: None, lease_left: 0 };
        Some(Arc::new(NodesSaid { answers: vec![(node, vec![b'x'; bytes])], missing: Vec::new() }))
    }

    #[test]
    fn con_026_who_asks_the_same_within_a_second_gets_the_same_answer_and_costs_no_question() {
        let (answers, start) = (SharedAnswers::default(), Instant::now());
        let first = answers.find_or_begin(asked("3", "x"), start, || true).expect("a question");
        let late = start + GOOD_FOR - Duration::from_millis(1);
        let same = answers.find_or_begin(asked("3", "x"), late, || false).expect("the answer is shared");
        assert!(Arc::ptr_eq(&first, &same));
        for other in [asked("4", "x"), asked("3", "y")] {
            assert!(answers.find_or_begin(other, late, || false).is_none(), "another question");
        }
        assert!(answers.find_or_begin(asked("3", "x"), start + GOOD_FOR, || false).is_none(), "too old");
        answers.find_or_begin(asked("3", "x"), start, || true);
        answers.forget(&AppId::from("4"));
        assert!(answers.find_or_begin(asked("3", "x"), start, || false).is_some());
        answers.forget(&AppId::from("3"));
        assert!(answers.find_or_begin(asked("3", "x"), start, || false).is_none(), "something has changed");
        answers.find_or_begin(asked("3", "x"), start, || true);
        answers.drop_old(start + GOOD_FOR);
        assert!(answers.0.lock().is_empty());
    }

    #[test]
    fn con_026_shared_answers_are_bounded_in_number_and_in_bytes() {
        let (answers, now) = (SharedAnswers::default(), Instant::now());
        for about in 0..MOST_ANSWERS * 2 {
            answers.find_or_begin(asked("3", &about.to_string()), now, || true);
            answers.make_room();
        }
        assert_eq!(answers.0.lock().len(), MOST_ANSWERS);
        for about in 0..MOST_ANSWERS {
            let coming = answers.find_or_begin(asked("4", &about.to_string()), now, || true);
            coming.expect("a question").set(said(MOST_BYTES / 8)).expect("no answer yet");
            answers.make_room();
            let held: usize = answers.0.lock().iter().map(SharedAnswer::cost).sum();
            assert!(held <= MOST_BYTES, "{held} bytes");
        }
        assert_eq!(answers.0.lock().len(), 7, "the newest stay");
        let coming = answers.find_or_begin(asked("5", "large"), now, || true);
        coming.expect("a question").set(said(2 * MOST_BYTES)).expect("no answer yet");
        answers.make_room();
        assert!(answers.0.lock().is_empty(), "an answer that is too large is not kept");
    }
}
