//! Questions that wait to be sent, in their order.
//!
//! Their askers have the bound in number; few go into one pipeline, so that a beat does not wait behind all of them (N14).

use crate::board::Asking;

/// Most commands of questions in one pipeline, but for those of its first question.
const MOST_COMMANDS: usize = 128;

/// Questions in their order.
#[derive(Default)]
pub(super) struct Questions(Vec<Asking>);

impl Questions {
    pub fn push(&mut self, question: Asking) {
        self.0.push(question);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops all questions, which their askers hear.
    pub fn drop_all(&mut self) {
        self.0.clear();
    }

    /// Takes the questions of one pipeline, without those that nobody waits for any more.
    pub fn take(&mut self, mut is_ready: impl FnMut(&Asking) -> bool) -> Vec<Asking> {
        self.0.retain(|question| !question.is_given_up());
        let mut room = MOST_COMMANDS;
        let fits = |question: &mut Asking| {
            let is_taken = room > 0 && is_ready(question);
            if is_taken {
                room = room.saturating_sub(question.commands.len());
            }
            is_taken
        };
        self.0.extract_if(.., fits).collect()
    }
}

#[cfg(test)]
mod tests {
    use redis::cmd;
    use tokio::sync::oneshot;

    use super::*;

    fn question(commands: usize) -> Asking {
        Asking::new((0..commands).map(|_| cmd("GET")).collect(), None, None)
    }

    fn sizes(taken: &[Asking]) -> Vec<usize> {
        taken.iter().map(|question| question.commands.len()).collect()
    }

    #[test]
    fn n14_a_pipeline_takes_few_questions_and_one_of_any_size() {
        let mut questions = Questions::default();
        [1000, 1, 127, 2, 3].map(question).into_iter().for_each(|one| questions.push(one));
        assert_eq!(sizes(&questions.take(|_| true)), [1000]);
        assert_eq!(sizes(&questions.take(|_| true)), [1, 127]);
        assert_eq!(sizes(&questions.take(|question| question.commands.len() == 3)), [3]);
        assert_eq!(sizes(&questions.take(|_| true)), [2]);
    }

    #[test]
    fn a_question_that_nobody_waits_for_any_more_is_not_asked() {
        let mut questions = Questions::default();
        let ((gone, _), (answer, _heard)) = (oneshot::channel(), oneshot::channel());
        questions.push(Asking { answer: Some(gone), ..question(1) });
        questions.push(Asking { answer: Some(answer), ..question(2) });
        assert_eq!(sizes(&questions.take(|_| true)), [2]);
        questions.push(question(3));
        questions.drop_all();
        assert!(questions.take(|_| true).is_empty());
    }
}
