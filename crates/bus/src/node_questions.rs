//! Questions that every other node answers from its own memory, and the answers to theirs (CON-026, CON-054).
//!
//! Only for whoever asks: what nobody asks for is no message.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::local::{Local, NodeReply, NodeSubject};
use crate::message::{NodeAnswerText, NodeQuestionText};

/// Most answers to a question that wait to be taken; further ones are dropped.
const MOST_WAITING: usize = 64;

/// Sends an answer to the node that has asked; never waits.
type Sender = Arc<dyn Fn(&NodeAnswerText<'_>) + Send + Sync>;

/// Longest question beside its subject, in bytes; a longer one is neither sent nor answered.
pub const MOST_ASKED: usize = 64 * 1024;

/// A node by its number, and what it has said.
pub(crate) type Said = (u64, Vec<u8>);

/// The open questions of this node.
#[derive(Default)]
pub(crate) struct NodeQuestions {
    open: Mutex<HashMap<u64, mpsc::Sender<Said>>>,
    last: AtomicU64,
    send: OnceLock<Sender>,
}

/// A question until it is dropped.
pub(crate) struct OpenNodeQuestion<'a> {
    of: &'a NodeQuestions,
    pub number: u64,
    pub answers: mpsc::Receiver<Said>,
}

impl NodeQuestions {
    /// Says how answers are sent.
    pub fn send_by(&self, send: impl Fn(&NodeAnswerText<'_>) + Send + Sync + 'static) {
        // Said once, at the start.
        let _ = self.send.set(Arc::new(send));
    }

    /// Opens a question of this node.
    pub fn ask(&self) -> OpenNodeQuestion<'_> {
        let (sender, answers) = mpsc::channel(MOST_WAITING);
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        self.open.lock().insert(number, sender);
        OpenNodeQuestion { of: self, number, answers }
    }

    /// Answers a question of another node; a subject of a later release is not answered.
    pub fn answer(&self, local: &dyn Local, (to, app): (u64, &AppId), asked: NodeQuestionText<'_>) {
        let NodeQuestionText { question, subject, about } = asked;
        let subject = NodeSubject::with_code(subject).filter(|_| about.len() <= MOST_ASKED);
        if let (Some(send), Some(subject)) = (self.send.get().map(Arc::clone), subject) {
            let say = move |text: &[u8]| send(&NodeAnswerText { to, question, text });
            local.asked(app, (subject, about), NodeReply::new(say));
        }
    }

    /// Another node has answered; too late, nobody hears.
    pub fn heard(&self, from: u64, answer: &NodeAnswerText<'_>) {
        if let Some(sender) = self.open.lock().get(&answer.question) {
            let _ = sender.try_send((from, answer.text.to_vec()));
        }
    }
}

impl Drop for OpenNodeQuestion<'_> {
    fn drop(&mut self) {
        self.of.open.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_054_answers_come_to_their_question_as_long_as_that_is_open_and_only_so_many_wait() {
        let questions = NodeQuestions::default();
        let (mut one, other) = (questions.ask(), questions.ask());
        let answer = |from, question| questions.heard(from, &NodeAnswerText { to: 1, question, text: b"x" });
        for from in 0..MOST_WAITING as u64 + 10 {
            answer(from, one.number);
        }
        answer(1000, other.number);
        let heard: Vec<u64> =
            std::iter::from_fn(|| one.answers.try_recv().ok()).map(|(from, _)| from).collect();
        assert_eq!(heard, (0..MOST_WAITING as u64).collect::<Vec<_>>());
        let gone = one.number;
        drop((one, other));
        answer(1, gone);
        assert!(questions.open.lock().is_empty());
    }
}
