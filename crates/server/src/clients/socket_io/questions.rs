//! What a session is asking its app's application: everything else of the session goes on meanwhile (SIO-065).
//!
//! No answer of a cancelled question is heard (SIO-052). A cancelled question goes on nevertheless, and counts: the
//! application is at work on it.

use std::pin::Pin;
use std::task::{Context, Poll};

use fanfare_laravel::authorize::Yes;
use fanfare_protocol::channel::ChannelName;

use crate::authorize::Refusal;

/// Questions of one session under way; more are refused.
const MOST: usize = 32;

/// An application's answer.
pub(super) type Verdict = Result<Yes, Refusal>;

struct Question {
    channel: ChannelName,
    is_cancelled: bool,
    answer: Pin<Box<dyn Future<Output = Verdict> + Send>>,
}

/// The questions of one session.
#[derive(Default)]
pub(super) struct Questions(Vec<Question>);

impl Questions {
    /// Whether the application is being asked about a channel.
    pub fn are_about(&self, channel: &str) -> bool {
        self.0.iter().any(|question| !question.is_cancelled && question.channel.as_str() == channel)
    }

    /// Whether no more can be asked.
    pub const fn are_many(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Asks.
    pub fn ask(&mut self, channel: ChannelName, answer: impl Future<Output = Verdict> + Send + 'static) {
        self.0.push(Question { channel, is_cancelled: false, answer: Box::pin(answer) });
    }

    /// Takes back a question.
    pub fn cancel(&mut self, channel: &str) {
        for question in self.0.iter_mut().filter(|question| question.channel.as_str() == channel) {
            question.is_cancelled = true;
        }
    }

    /// The next answer, and what about.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(ChannelName, Verdict)> {
        let mut at = 0;
        while let Some(question) = self.0.get_mut(at) {
            let Poll::Ready(verdict) = question.answer.as_mut().poll(cx) else {
                at += 1;
                continue;
            };
            let Question { channel, is_cancelled, .. } = self.0.swap_remove(at);
            if self.0.is_empty() {
                self.0 = Vec::new();
            }
            if !is_cancelled {
                return Poll::Ready((channel, verdict));
            }
        }
        Poll::Pending
    }
}
