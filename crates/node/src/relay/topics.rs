//! Which topics of the cluster this node hears, and what other nodes can be asked, for the hub, which asks at every
//! subscription (CL-006).
//!
//! The bus says what is live; nothing is decided here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use fanfare_bus::partition::{Layout, Partition};
use fanfare_hub::{QuestionElsewhere, Topics};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, SocketId};
use fanfare_protocol::resume::ResumeToken;
use parking_lot::RwLock;

/// The live topics of all apps.
#[derive(Debug)]
pub struct LiveTopics {
    layout: Layout,
    /// For each app a mark a partition. Guards the table only; an app without live topics leaves it.
    apps: RwLock<HashMap<AppId, Arc<[AtomicBool]>>>,
    /// What other nodes can be asked, from the start of the bus on.
    elsewhere: OnceLock<Arc<dyn Elsewhere>>,
}

/// What other nodes can be asked about their clients; as [`Topics`] says of each function.
pub(super) trait Elsewhere: Send + Sync + std::fmt::Debug {
    fn is_elsewhere(&self, token: ResumeToken) -> bool;
    fn is_whole(&self, app: &AppId, channel: &ChannelName, age: u64) -> bool;
    fn came_back(&self, app: &AppId, token: ResumeToken, newcomer: SocketId);
    fn ask(&self, question: QuestionElsewhere<'_>) -> bool;
}

impl LiveTopics {
    /// No live topic.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self { layout, apps: RwLock::default(), elsewhere: OnceLock::new() }
    }

    /// Other nodes can be asked from now on.
    pub(super) fn set_elsewhere(&self, elsewhere: Arc<dyn Elsewhere>) {
        // Said once, at the start.
        let _ = self.elsewhere.set(elsewhere);
    }

    /// Notes whether a topic is live.
    pub fn set(&self, app: &AppId, partition: Partition, is_live: bool) {
        let mut apps = self.apps.write();
        if is_live {
            let none = || (0..self.layout.partitions()).map(|_| AtomicBool::new(false)).collect();
            let marks = apps.entry(app.clone()).or_insert_with(none);
            if let Some(mark) = marks.get(usize::from(partition)) {
                mark.store(true, Ordering::Release);
            }
        } else if let Some(marks) = apps.get(app) {
            if let Some(mark) = marks.get(usize::from(partition)) {
                mark.store(false, Ordering::Release);
            }
            if marks.iter().all(|mark| !mark.load(Ordering::Relaxed)) {
                apps.remove(app);
            }
        }
    }
}

impl Topics for LiveTopics {
    fn is_live(&self, app: &AppId, channel: &ChannelName) -> bool {
        let partition = self.layout.partition(app, channel);
        let apps = self.apps.read();
        let mark = apps.get(app).and_then(|marks| marks.get(usize::from(partition)));
        mark.is_some_and(|mark| mark.load(Ordering::Acquire))
    }

    fn is_elsewhere(&self, token: ResumeToken) -> bool {
        self.elsewhere.get().is_some_and(|elsewhere| elsewhere.is_elsewhere(token))
    }

    fn is_whole(&self, app: &AppId, channel: &ChannelName, age: u64) -> bool {
        self.elsewhere.get().is_none_or(|elsewhere| elsewhere.is_whole(app, channel, age))
    }

    fn came_back(&self, app: &AppId, token: ResumeToken, newcomer: SocketId) {
        if let Some(elsewhere) = self.elsewhere.get() {
            elsewhere.came_back(app, token, newcomer);
        }
    }

    fn ask_missed(&self, question: QuestionElsewhere<'_>) -> bool {
        self.elsewhere.get().is_some_and(|elsewhere| elsewhere.ask(question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_live_from_when_that_is_said_until_it_is_taken_back() {
        let layout = Layout::new("", 16);
        let topics = LiveTopics::new(layout.clone());
        let (app, channel) = (AppId::from("1"), ChannelName::trusted("news"));
        let (own, other) = (layout.partition(&app, &channel), layout.partition(&app, &channel) ^ 1);
        assert!(!topics.is_live(&app, &channel));
        topics.set(&app, other, true);
        assert!(!topics.is_live(&app, &channel));
        topics.set(&app, own, true);
        assert!(topics.is_live(&app, &channel) && !topics.is_live(&AppId::from("2"), &channel));
        topics.set(&app, own, false);
        assert!(!topics.is_live(&app, &channel));
        topics.set(&app, other, false);
        assert!(topics.apps.read().is_empty());
    }
}
