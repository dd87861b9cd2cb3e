//! The task of one live list: from its tap to its reader.
//!
//! Waits for this reader alone, and no longer than [`PATIENCE`].

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_apps::{AuditEntry, OperationError, SessionTimes};
use fanfare_node::clock::unix_milliseconds;
use fanfare_node::taps::{KindCounts, LeftOut, LiveItem, TapNews, TapNodes, TapReader};
use fanfare_protocol::ids::AppId;
use fanfare_protocol::utc::utc_milliseconds;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::connections::ChunkSender;
use crate::state::State;

/// How long a reader may leave what was sent unread (CON-032).
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a list in which nothing happens sends a comment, so that no proxy takes the list for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How often the token or the session, and whether the app is still there, is checked.
const LOOK: Duration = Duration::from_secs(2);

/// What is sent first: readers come back after a second.
const GREETING: &str = "retry: 1000\n: listening\n\n";

/// Largest chunk of the answer, in bytes.
const CHUNK: usize = 64 * 1024;

/// A live list, and its way out.
pub(super) struct LiveStream {
    pub state: Arc<State>,
    pub reader: TapReader,
    pub sender: ChunkSender,
    /// The session's id, where a session has opened the list, and how long sessions last.
    pub session: Option<(String, SessionTimes)>,
    /// The number of the token.
    pub token: i64,
    /// The app.
    pub app: AppId,
    /// What the audit log says of the list.
    pub entry: Option<AuditEntry>,
}

/// Why a list has ended.
#[derive(PartialEq, Eq)]
enum ListEnd {
    /// The reader has gone, and may come back.
    Gone,
    /// The list is over.
    Over,
}

impl LiveStream {
    /// Sends entries until the reader has gone, or may look no longer.
    pub async fn run(mut self) {
        let end = self.send_all().await;
        let Self { state, reader, sender, entry, .. } = self;
        drop(sender);
        if let Some(entry) = entry {
            let entry = entry.with("to", utc_milliseconds(unix_milliseconds()).into());
            state.node.apps.audit(&entry).await;
        }
        if end == ListEnd::Gone {
            reader.wait_for_return().await;
        }
    }

    async fn send_all(&mut self) -> ListEnd {
        let [mut heartbeats, mut looks] = [HEARTBEAT, LOOK].map(interval);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut text = GREETING.to_owned();
        loop {
            if let Err(end) = self.send(std::mem::take(&mut text)).await {
                return end;
            }
            tokio::select! {
                news = self.reader.next() => match news {
                    Some(TapNews::Items(items)) => {
                        items.iter().for_each(|item| put(&mut text, item, self.reader.shows_data()));
                    }
                    Some(TapNews::Nodes(nodes)) => put_nodes(&mut text, &nodes),
                    None => return ListEnd::Over,
                },
                () = self.sender.gone() => return ListEnd::Gone,
                _ = heartbeats.tick() => text.push_str(":\n\n"),
                _ = looks.tick() => {
                    if !self.may_look().await {
                        return ListEnd::Over;
                    }
                }
            }
        }
    }

    async fn send(&self, text: String) -> Result<(), ListEnd> {
        let mut left = Bytes::from(text);
        while !left.is_empty() {
            let chunk = left.split_to(left.len().min(CHUNK));
            match timeout(PATIENCE, self.sender.send(chunk)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ListEnd::Gone),
                Err(_) => return Err(ListEnd::Over),
            }
        }
        Ok(())
    }

    /// Whether the app is still there, and the token or the session still lets its bearer look. While the database is away, nobody has
    /// taken anything back.
    async fn may_look(&self) -> bool {
        let (apps, app) = (&self.state.node.apps, self.app.as_str());
        let bearer = match &self.session {
            Some((id, times)) => apps.bearer_of_session(id, *times).await,
            None => apps.bearer_of_number(self.token).await,
        };
        let may = bearer.map_or(true, |bearer| bearer.is_some_and(|bearer| bearer.is_for(app)));
        may && !matches!(apps.show(app).await, Err(OperationError::NoSuchApp(_)))
    }
}

/// Adds an item as the stream tells it (CON-082).
fn put(text: &mut String, item: &LiveItem, with_data: bool) {
    // Writing to a String cannot fail.
    let _ = match item {
        LiveItem::Entry(entry) => write!(text, "id: {}\ndata: {}\n\n", entry.id, entry.json(with_data)),
        LiveItem::LeftOut(left_out) => {
            write!(text, "id: {}\nevent: left_out\ndata: {}\n\n", left_out.id, told(left_out))
        }
    };
}

/// Adds which other nodes are looked at, and which are missing (CON-037). Without a number: a reader who comes back is told anew.
fn put_nodes(text: &mut String, nodes: &TapNodes) {
    let TapNodes { answering, missing, full, is_in_touch } = nodes;
    let data = json!({ "nodes": missing, "answering": answering, "full": full, "redis": is_in_touch });
    // Writing to a String cannot fail.
    let _ = write!(text, "event: missing\ndata: {data}\n\n");
}

fn told(left_out: &LeftOut) -> Value {
    let LeftOut { kinds, is_sample, .. } = left_out;
    let by_name = kinds.as_ref().map(KindCounts::by_name).unwrap_or_default();
    json!({ "count": kinds.as_ref().map(KindCounts::total), "kinds": by_name, "sample": is_sample })
}
