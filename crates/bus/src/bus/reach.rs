//! Whom an event has reached on other nodes: the question to all that hear the app's topic, and their answers (CON-042).

use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, SocketId};
use tokio::time::{Instant, timeout_at};

use super::links::Links;
use crate::local::HeardReach;
use crate::message::{EventKind, EventMessage};

/// Answers of this node go to every node; they name the one that has asked.
pub(super) fn answer_by(links: &Links) {
    let (reaching, weak) = (&links.shared.reaching, Arc::downgrade(&links.shared));
    let numbers = links.clone_numbers();
    reaching.send_by(move |answer| {
        if let Some(shared) = weak.upgrade() {
            let links = Links::with(shared, Arc::clone(&numbers));
            links.tell_all(EventKind::Reach, &AppId::from(""), &answer.write());
        }
    });
}

/// Asks so many other nodes whom an event has reached that this node has sent before; adds up what comes until the deadline.
pub(super) async fn ask(
    links: &Links,
    (app, channel): (&AppId, &ChannelName),
    except: Option<SocketId>,
    (nodes, until): (usize, Instant),
) -> HeardReach {
    let mut sum = HeardReach::default();
    let topic = links.topic(app, channel);
    let Some(board) = links.board(topic.partition) else { return sum };
    let mut question = links.shared.reaching.ask();
    let message = EventMessage {
        kind: EventKind::AskReach,
        flags: 0,
        node: links.shared.node.id,
        number: 0,
        except,
        channel: channel.as_str(),
        text: &question.number.to_be_bytes(),
    };
    // In the queue of events, behind the event. Without room the question is not asked.
    if !board.events.push(topic, message.write()) {
        return sum;
    }
    let heard = async {
        for _ in 0..nodes {
            let Some(HeardReach { took, excluded, slow }) = question.answers.recv().await else { break };
            sum.took += took;
            sum.excluded += excluded;
            sum.slow += slow;
        }
    };
    // What has come until then counts.
    let _ = timeout_at(until, heard).await;
    sum
}
