//! What every other node knows from its own memory: the question to all, and their answers (CON-026, CON-054).

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_protocol::ids::AppId;
use tokio::time::{Instant, timeout_at};

use super::known_nodes::{KnownNode, nodes};
use super::links::{BusAway, Links};
use crate::local::NodeSubject;
use crate::message::{EventKind, LONGEST, NodeQuestionText};
use crate::node_questions::MOST_ASKED;

/// Most bytes of all answers to one question; the nodes that are left out count as silent.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What other nodes have said.
#[derive(Clone, Debug, Default)]
pub struct NodesSaid {
    /// Who has answered, and the answers.
    pub answers: Vec<(KnownNode, Vec<u8>)>,
    /// Who has not answered in time.
    pub missing: Vec<KnownNode>,
}

/// Answers of this node go to every node; they name the one that has asked.
pub(super) fn answer_by(links: &Links) {
    let (questions, weak) = (&links.shared.reaching.of_nodes, Arc::downgrade(&links.shared));
    let numbers = links.clone_numbers();
    questions.send_by(move |answer| {
        // Longer ones would not be read; who asks names the node as silent.
        if let Some(shared) = weak.upgrade().filter(|_| answer.text.len() < LONGEST) {
            let links = Links::with(shared, Arc::clone(&numbers));
            links.tell_all(EventKind::NodeAnswer, &AppId::from(""), &answer.write());
        }
    });
}

/// Asks all other nodes that have a lease, and takes what comes until the deadline. Every node hears the question; with `alone` the
/// answer of the node with this id alone is waited for.
pub(super) async fn ask(
    links: &Links,
    app: &AppId,
    (subject, about): (NodeSubject, &[u8]),
    (alone, until): (Option<&str>, Instant),
) -> Result<NodesSaid, BusAway> {
    if about.len() > MOST_ASKED {
        return Err(BusAway);
    }
    let known = timeout_at(until, nodes(links)).await.unwrap_or(Err(BusAway))?;
    let own = &*links.shared.key;
    let is_asked = |node: &KnownNode| node.id != own && alone.is_none_or(|id| node.id == id);
    let mut silent: HashMap<String, KnownNode> =
        known.into_iter().filter(is_asked).map(|node| (node.id.clone(), node)).collect();
    let mut said = NodesSaid::default();
    let mut question = links.shared.reaching.of_nodes.ask();
    if !silent.is_empty() {
        let text = NodeQuestionText { question: question.number, subject: subject.code(), about };
        links.tell_all(EventKind::AskNodes, app, &text.write());
    }
    let mut bytes = 0;
    while !silent.is_empty() && bytes < MOST_BYTES {
        let Ok(Some((node, text))) = timeout_at(until, question.answers.recv()).await else { break };
        bytes += text.len();
        if let Some(node) = silent.remove(&format!("{node:016x}")) {
            said.answers.push((node, text));
        }
    }
    said.answers.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    said.missing = silent.into_values().collect();
    said.missing.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(said)
}
