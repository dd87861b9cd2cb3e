//! From a message in an app's queue to its subscribers: the checks of the HTTP API, then the common entry for events.

use std::sync::Arc;

use fanfare_laravel::feed::Broadcast;
use fanfare_node::Node;
use fanfare_node::publish::{BackEndEvent, Publisher, note_refused, publish};
use fanfare_node::refusals::{NotedRefusal, RefusalKind};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::event_name::check_event_name;
use parking_lot::Mutex;

use super::dropped::Dropped;
use super::numbers::AppNumbers;
use super::queue::{Message, QueueReceiver, QueueSender};

/// The ends of Laravel's default prefixes.
const ENDS_OF_PREFIXES: [&str; 2] = ["database_", "database-"];

/// The route of an app's messages from a Redis to its subscribers.
pub(super) struct FeedRoute {
    /// The app as it is now. The lock guards the reference only.
    app: Mutex<Arc<App>>,
    sender: QueueSender,
    numbers: Arc<AppNumbers>,
    node: Arc<Node>,
}

impl FeedRoute {
    pub fn new(app: Arc<App>, sender: QueueSender, numbers: Arc<AppNumbers>, node: &Arc<Node>) -> Self {
        Self { app: Mutex::new(app), sender, numbers, node: Arc::clone(node) }
    }

    pub fn app(&self) -> Arc<App> {
        Arc::clone(&self.app.lock())
    }

    /// The app's settings have changed.
    pub fn set_app(&self, app: &Arc<App>) {
        *self.app.lock() = Arc::clone(app);
    }

    /// A message has arrived; queued, or dropped if the queue is full. Never waits.
    pub fn receive(&self, channel: &str, payload: Vec<u8>) {
        self.numbers.receive();
        if let Err(full) = self.sender.push(Message { channel: Box::from(channel), payload }) {
            self.count(channel, Dropped::QueueFull);
            // One for all, because a flood would drive out the traces before it.
            if full.is_first {
                self.keep_refused(channel, &[], Dropped::QueueFull);
                let app = self.numbers.app.as_str();
                tracing::warn!(target: "fanfare::redis_feed", app, "dropping: {}", Dropped::QueueFull);
            }
        }
    }

    /// A message has arrived that was too long to be read.
    pub fn receive_too_long(&self, channel: &str) {
        self.numbers.receive();
        self.drop_one(channel, &[], Dropped::TooLarge);
    }

    /// Counts a dropped message, and keeps the reason for apps that trace.
    fn drop_one(&self, channel: &str, payload: &[u8], why: Dropped) {
        self.count(channel, why);
        // Other messages of the application are no publishes.
        if why != Dropped::NotABroadcast {
            self.keep_refused(channel, payload, why);
        }
    }

    /// Counts a dropped message, and makes known that it was dropped.
    fn count(&self, channel: &str, why: Dropped) {
        self.numbers.count_dropped(why, channel);
        let kind = if why == Dropped::OverQuota { RefusalKind::Quota } else { RefusalKind::Redis };
        let refusal =
            NotedRefusal { channel: Some(channel), ..NotedRefusal::new(kind, None, why.label(), &why) };
        self.node.note_refusal(Some(&self.numbers.app), &refusal);
    }

    fn keep_refused(&self, channel: &str, payload: &[u8], why: Dropped) {
        let app = self.app();
        if app.trace {
            let event = Broadcast::parse(payload).map(|broadcast| broadcast.event).unwrap_or_default();
            let text = format!("{why} (channel {channel})");
            note_refused(&self.node, &app, &event, Publisher::Feed, (None, &text));
        }
    }
}

/// Publishes messages until no more can arrive. Holds the route only while publishing a message, because the
/// route holds the sending end.
pub(super) async fn run(route: std::sync::Weak<FeedRoute>, mut receiver: QueueReceiver) {
    while let Some(Message { channel, payload }) = receiver.next().await {
        let Some(route) = route.upgrade() else { return };
        if let Err(why) = publish_one(&route.node, &route.app(), &channel, &payload) {
            route.drop_one(&channel, &payload, why);
        }
        if let Some(count) = receiver.take_dropped() {
            let app = route.numbers.app.as_str();
            tracing::warn!(target: "fanfare::redis_feed", app, count, "there is room again for messages");
        }
    }
}

fn publish_one(node: &Node, app: &Arc<App>, channel: &str, payload: &[u8]) -> Result<(), Dropped> {
    let channel = ChannelName::parse(channel, app.limits.channel_name)?;
    match channel.kind() {
        ChannelKind::Encrypted => return Err(Dropped::Encrypted),
        ChannelKind::Public if is_prefixed(channel.as_str()) => return Err(Dropped::Prefix),
        _ => {}
    }
    let Broadcast { event, data, except } = Broadcast::parse(payload)?;
    check_event_name(&event, &app.limits)?;
    if data.len() > app.limits.event_bytes {
        return Err(Dropped::TooLarge);
    }
    let event = BackEndEvent { name: &event, data: &data, channels: &[channel], except };
    publish(node, app, &[event], Publisher::Feed).map_err(|_| Dropped::OverQuota)?;
    Ok(())
}

/// Whether a public name is a guarded one behind something that looks like the rest of a prefix.
fn is_prefixed(channel: &str) -> bool {
    ["private-", "presence-"].iter().any(|kind| {
        let before = channel.match_indices(kind).filter_map(|(at, _)| channel.get(..at));
        before.into_iter().any(|before| ENDS_OF_PREFIXES.iter().any(|end| before.ends_with(end)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_the_rest_of_a_prefix_is_told_from_one_that_only_holds_a_word() {
        for name in
            ["laravel_database_private-a", "my-app-database-presence-room", "database_private-encrypted-a"]
        {
            assert!(is_prefixed(name), "{name}");
        }
        for name in
            ["news", "my-private-room", "laravel_database_news", "database-privates", "private_database_a"]
        {
            assert!(!is_prefixed(name), "{name}");
        }
    }
}
