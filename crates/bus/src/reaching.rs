//! Questions to other nodes about whom an event has reached there, and the answers to theirs (CON-042); the way of answers
//! to what a client has missed (RES-014).
//!
//! Only for whoever asks where an event went: an event that nobody traces is no question.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::local::HeardReach;
use crate::message::ReachAnswer;
use crate::node_questions::NodeQuestions;
use crate::partition::Topic;

/// Most answers to a question that wait to be added up; further ones are dropped.
const MOST_WAITING: usize = 64;

/// The open questions of this node. Their number is that of the questions to the cluster (CL-021).
#[derive(Default)]
pub(crate) struct Reaching {
    open: Mutex<HashMap<u64, mpsc::Sender<HeardReach>>>,
    last: AtomicU64,
    send: OnceLock<Sender>,
    /// Questions of another kind, for the same tasks.
    pub of_nodes: NodeQuestions,
    send_missed: OnceLock<TopicSender>,
}

/// Sends an answer to the node that has asked; never waits.
type Sender = Box<dyn Fn(ReachAnswer) + Send + Sync>;

/// Sends a message through a topic, behind all events of this node; never waits.
type TopicSender = Box<dyn Fn(&Topic, Vec<u8>) + Send + Sync>;

/// A question until it is dropped.
pub(crate) struct OpenQuestion<'a> {
    of: &'a Reaching,
    pub number: u64,
    pub answers: mpsc::Receiver<HeardReach>,
}

impl Reaching {
    /// Says how answers are sent.
    pub fn send_by(&self, send: impl Fn(ReachAnswer) + Send + Sync + 'static) {
        // Said once, at the start.
        let _ = self.send.set(Box::new(send));
    }

    /// Says how answers go through a topic.
    pub fn send_missed_by(&self, send: impl Fn(&Topic, Vec<u8>) + Send + Sync + 'static) {
        // Said once, at the start.
        let _ = self.send_missed.set(Box::new(send));
    }

    /// Answers another node what a client has missed.
    pub fn answer_missed(&self, topic: &Topic, message: Vec<u8>) {
        if let Some(send) = self.send_missed.get() {
            send(topic, message);
        }
    }

    /// Answers a question of another node.
    pub fn answer(&self, answer: ReachAnswer) {
        if let Some(send) = self.send.get() {
            send(answer);
        }
    }

    /// Opens a question of this node.
    pub fn ask(&self) -> OpenQuestion<'_> {
        let (sender, answers) = mpsc::channel(MOST_WAITING);
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        self.open.lock().insert(number, sender);
        OpenQuestion { of: self, number, answers }
    }

    /// Another node has answered; too late, nobody hears.
    pub fn heard(&self, answer: ReachAnswer) {
        if let Some(sender) = self.open.lock().get(&answer.question) {
            let _ = sender.try_send(answer.reach);
        }
    }
}

impl Drop for OpenQuestion<'_> {
    fn drop(&mut self) {
        self.of.open.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_042_answers_come_to_their_question_as_long_as_that_is_open_and_only_so_many_wait() {
        let reaching = Reaching::default();
        let (mut one, other) = (reaching.ask(), reaching.ask());
        let answer = |question, took| {
            reaching.heard(ReachAnswer {
                to: 1,
                question,
                reach: HeardReach { took, ..HeardReach::default() },
            });
        };
        for took in 0..MOST_WAITING + 10 {
            answer(one.number, took);
        }
        answer(other.number, 1000);
        let heard: Vec<usize> =
            std::iter::from_fn(|| one.answers.try_recv().ok()).map(|reach| reach.took).collect();
        assert_eq!(heard, (0..MOST_WAITING).collect::<Vec<_>>());
        let gone = one.number;
        drop((one, other));
        answer(gone, 1);
        assert!(reaching.open.lock().is_empty());
    }
}
