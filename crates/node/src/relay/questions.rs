//! Questions of other nodes about what this one has in memory (CON-026, CON-054): a queue, so that the answers take turns with all
//! other work, and no task of the bus makes one.

use std::sync::Arc;

use fanfare_bus::{NodeReply, NodeSubject};
use fanfare_protocol::ids::AppId;
use tokio::sync::mpsc;

use crate::node::Node;
use crate::{deliveries, inquiry, listing, numbers};

/// Most questions that wait, 64 KiB each; further ones get no answer.
const MOST_WAITING: usize = 64;

/// The questions that wait.
#[derive(Clone)]
pub(super) struct NodesQuestions(mpsc::Sender<WaitingQuestion>);

struct WaitingQuestion {
    app: AppId,
    subject: NodeSubject,
    about: Vec<u8>,
    reply: NodeReply,
}

impl NodesQuestions {
    /// Starts the task that answers.
    pub fn begin(node: &Arc<Node>) -> Self {
        let (questions, mut waiting) = Self::new();
        let of = Arc::clone(node);
        node.tasks.spawn("questions of other nodes", async move {
            while let Some(question) = waiting.recv().await {
                answer(&of, question).await;
            }
        });
        questions
    }

    fn new() -> (Self, mpsc::Receiver<WaitingQuestion>) {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        (Self(sender), receiver)
    }

    /// Queues a question; without room the other node hears nothing, and names this one.
    pub fn push(&self, app: &AppId, (subject, about): (NodeSubject, &[u8]), reply: NodeReply) {
        let question = WaitingQuestion { app: app.clone(), subject, about: about.to_vec(), reply };
        let _ = self.0.try_send(question);
    }
}

/// Answers, unless the question is of a later release.
async fn answer(node: &Arc<Node>, WaitingQuestion { app, subject, about, reply }: WaitingQuestion) {
    let text = match subject {
        NodeSubject::Open => listing::told_to_others(node, &app, &about).await,
        NodeSubject::Numbers => numbers::told_to_others(node, &app, &about).await,
        NodeSubject::Traces => inquiry::told_to_others(node, &app, &about).await,
        NodeSubject::WebhookDeliveries => deliveries::told_to_others(node, &app),
        // Takes as long as the receiver.
        NodeSubject::RepeatDelivery => return deliveries::repeat_for_others(node, app, &about, reply),
    };
    if let Some(text) = text {
        reply.say(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_026_so_many_questions_of_other_nodes_wait_and_no_more() {
        let (questions, mut waiting) = NodesQuestions::new();
        for _ in 0..MOST_WAITING + 10 {
            questions.push(&AppId::from("1"), (NodeSubject::Open, b""), NodeReply::new(|_| ()));
        }
        let waited = std::iter::from_fn(|| waiting.try_recv().ok()).count();
        assert_eq!(waited, MOST_WAITING);
    }
}
