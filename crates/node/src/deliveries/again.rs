//! A failed delivery once more: only the node that has made it still has what was sent, so that this node does it, whichever is asked
//! (CON-054).

use std::sync::Arc;
use std::time::Duration;

use fanfare_bus::{NodeReply, NodeSubject};
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::{NotRepeated, Repeated};
use serde::{Deserialize, Serialize};

use crate::asking::name_of;
use crate::node::Node;

/// How long the way to another node and back takes at most, beside the attempt.
const WAY: Duration = Duration::from_secs(2);

/// What one node asks another to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RepeatQuestion {
    /// The id of the node that has made the delivery; the others do nothing.
    node: String,
    /// The delivery's number there.
    number: u64,
}

/// Why it is not known that a delivery was repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRepeatedThere {
    /// Nothing was sent.
    NotRepeated(NotRepeated),
    /// The node of this name has not answered: perhaps the delivery was repeated.
    Silent(String),
    /// The other nodes cannot be asked now: nothing was sent.
    NotAsked,
}

impl From<NotRepeated> for NotRepeatedThere {
    fn from(error: NotRepeated) -> Self {
        Self::NotRepeated(error)
    }
}

/// Repeats the delivery of this name, on the node that has made it.
///
/// # Errors
/// Nothing was sent, or the node did not answer.
pub async fn repeat(node: &Node, app: &App, id: &str) -> Result<Repeated, NotRepeatedThere> {
    let Some(bus) = node.bus() else {
        let number = id.parse().map_err(|_| NotRepeated::NoSuchDelivery)?;
        return Ok(node.outgoing.webhooks.repeat(app, number).await?);
    };
    let named = id.split_once('-').and_then(|(made_by, number)| Some((made_by, number.parse().ok()?)));
    let (made_by, number) = named.ok_or(NotRepeated::NoSuchDelivery)?;
    if made_by == bus.own_id() {
        return Ok(node.outgoing.webhooks.repeat(app, number).await?);
    }
    let question = RepeatQuestion { node: made_by.to_owned(), number };
    let about = serde_json::to_vec(&question).map_err(|_| NotRepeated::NoSuchDelivery)?;
    let patience = node.config().webhooks.settings().timeout + WAY;
    let asked = (NodeSubject::RepeatDelivery, &*about);
    let said = bus.ask_node(&app.id, asked, (made_by, patience)).await;
    node.answers.forget(&app.id);
    let said = said.map_err(|_| NotRepeatedThere::NotAsked)?;
    if let Some(silent) = said.missing.first() {
        return Err(NotRepeatedThere::Silent(name_of(silent)));
    }
    // Without an answer the node is not among those that live, and its deliveries went with it.
    let (there, text) = said.answers.first().ok_or(NotRepeated::NoSuchDelivery)?;
    let done: Result<Repeated, NotRepeated> =
        serde_json::from_slice(text).map_err(|_| NotRepeatedThere::Silent(name_of(there)))?;
    Ok(done?)
}

/// Repeats a delivery of this node for another one that was asked; does nothing if it is another node's. The attempt is a task of its
/// own: tests of an app, of which this counts as one, are bounded.
pub(crate) fn repeat_for_others(node: &Arc<Node>, app: AppId, about: &[u8], reply: NodeReply) {
    let Ok(RepeatQuestion { node: made_by, number }) = serde_json::from_slice(about) else { return };
    if node.bus().is_none_or(|bus| bus.own_id() != made_by) {
        return;
    }
    let here = Arc::clone(node);
    node.tasks.spawn_work("repeated delivery", async move {
        let found = here.apps.by_id(app.as_str()).await.ok().flatten();
        let done = match found.filter(|app| app.enabled) {
            Some(app) => here.outgoing.webhooks.repeat(&app, number).await,
            None => Err(NotRepeated::NoSuchDelivery),
        };
        if let Ok(text) = serde_json::to_vec(&done) {
            reply.say(&text);
        }
    });
}
