//! Questions to all other nodes about what each has in its own memory, and of which nodes an answer is (CON-026).
//!
//! A node that stands alone asks nobody. The others are asked forty times a second at most, because each answer goes through
//! Redis to every node, and of that a quarter at most is about one app, so that who looks at one app leaves room for those who
//! look at others. Who asks what was asked within the last second gets that answer (`shared`).
//! Operations are neither refused nor shared.

mod rates;
mod shared;

use std::sync::Arc;

use fanfare_bus::{KnownNode, NodeSubject, NodesSaid};
use fanfare_protocol::ids::AppId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::node::Node;

pub(crate) use self::rates::AskingRates;
use self::shared::AskedFor;
pub(crate) use self::shared::SharedAnswers;

/// Of which nodes an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// There are no other nodes.
    pub is_alone: bool,
    /// The names of the nodes that have answered, this one first.
    pub nodes: Vec<String>,
    /// The names of the nodes that have not within a second; `None` if nobody was asked, because Redis is away, or too much
    /// is asked.
    pub missing: Option<Vec<String>>,
}

impl Reached {
    /// Of which nodes two answers together are: of those that have given both.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.nodes.retain(|node| other.nodes.contains(node));
        self.missing = self.missing.zip(other.missing.as_ref()).map(|(mut missing, others)| {
            let more = others.iter().filter(|node| !missing.contains(node)).cloned().collect::<Vec<_>>();
            missing.extend(more);
            missing
        });
        self
    }
}

/// A question to all nodes, as JSON.
pub(crate) trait NodeQuestion: Serialize {
    /// What the question is about.
    const SUBJECT: NodeSubject;

    /// Whether something is done.
    fn is_operation(&self) -> bool {
        false
    }
}

/// What a node has said.
#[derive(Debug)]
pub(crate) struct NodeSays<Said> {
    /// What tells the node from others of its name; `None` for a node that stands alone.
    pub id: Option<String>,
    /// The node's name, or its id where another node of the answer has that name.
    pub name: String,
    /// What it has said.
    pub said: Said,
}

/// Asks all nodes; `own` is this node's answer.
pub(crate) async fn of_all<Question: NodeQuestion, Said: DeserializeOwned>(
    node: &Node,
    app: &AppId,
    question: &Question,
    own: Said,
) -> (Vec<NodeSays<Said>>, Reached) {
    let name = node.name().to_owned();
    let mut reached =
        Reached { is_alone: node.bus().is_none(), nodes: vec![name.clone()], missing: Some(Vec::new()) };
    let mut says = vec![NodeSays { id: node.bus().map(|bus| bus.own_id().to_owned()), name, said: own }];
    if reached.is_alone {
        return (says, reached);
    }
    let said = match serde_json::to_vec(question) {
        Ok(about) => others(node, app, (Question::SUBJECT, &about), question.is_operation()).await,
        Err(_) => None,
    };
    let Some(said) = said else {
        reached.missing = None;
        return (says, reached);
    };
    let mut missing: Vec<String> = said.missing.iter().map(name_of).collect();
    for (known, text) in &said.answers {
        let name = name_of(known);
        match serde_json::from_slice(text) {
            Ok(answer) => {
                let name = if reached.nodes.contains(&name) { known.id.clone() } else { name };
                reached.nodes.push(name.clone());
                says.push(NodeSays { id: Some(known.id.clone()), name, said: answer });
            }
            Err(_) => missing.push(name),
        }
    }
    reached.missing = Some(missing);
    (says, reached)
}

/// What the others say; `None` if they were not asked.
async fn others(
    node: &Node,
    app: &AppId,
    asked: (NodeSubject, &[u8]),
    is_operation: bool,
) -> Option<Arc<NodesSaid>> {
    let bus = node.bus()?;
    if is_operation {
        let said = bus.ask_nodes(app, asked).await;
        node.answers.forget(app);
        return said.ok().map(Arc::new);
    }
    let may_ask = || {
        let tenant = (!app.as_str().is_empty()).then(|| node.tenants.of(app));
        node.asking_nodes.take(tenant.as_deref().map(|tenant| &tenant.asked_of_nodes), node.nanoseconds())
    };
    let answer = node.answers.find_or_begin(AskedFor::new(app, asked), Instant::now(), may_ask)?;
    let asking = || async { bus.ask_nodes(app, asked).await.ok().map(Arc::new) };
    let said = answer.get_or_init(asking).await.clone();
    node.answers.make_room();
    said
}

/// What people call a node.
pub(crate) fn name_of(known: &KnownNode) -> String {
    known.says.as_ref().map_or_else(|| known.id.clone(), |says| says.name.clone())
}
