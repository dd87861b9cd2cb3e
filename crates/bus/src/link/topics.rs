//! Which topics a link wants, and which of them are subscribed to.
//!
//! A topic that is wanted again while its end is under way waits for the end: otherwise nobody could say whether a
//! confirmation is of before or of after.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_redis::WantedTopics;
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::partition::{Layout, Partition, Topic};

/// What a topic's name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TopicMeaning {
    /// Events and deltas of an app.
    App(Topic),
    /// Webhooks wait in a partition.
    Hooks(Partition),
    /// What concerns every node.
    Control,
}

/// The meanings of all names, for whoever hears messages.
pub(super) type Meanings = Arc<RwLock<HashMap<Arc<str>, TopicMeaning>>>;

/// The topics of a link.
pub(super) struct Topics {
    layout: Arc<Layout>,
    states: HashMap<Arc<str>, Subscribed>,
    meanings: Meanings,
    wanted: watch::Sender<WantedTopics>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subscribed {
    Asked,
    Confirmed,
    Ending { is_wanted_again: bool },
}

impl Topics {
    pub fn new(layout: Arc<Layout>) -> Self {
        let wanted = watch::Sender::default();
        Self { layout, states: HashMap::new(), meanings: Meanings::default(), wanted }
    }

    pub fn meanings(&self) -> Meanings {
        Arc::clone(&self.meanings)
    }

    /// What the subscriber is to want.
    pub fn wanted(&self) -> watch::Receiver<WantedTopics> {
        self.wanted.subscribe()
    }

    fn name(&self, meaning: &TopicMeaning) -> Arc<str> {
        Arc::from(match meaning {
            TopicMeaning::App(topic) => self.layout.topic_name(topic),
            TopicMeaning::Hooks(partition) => self.layout.hooks_topic(*partition),
            TopicMeaning::Control => self.layout.control_topic(),
        })
    }

    /// Wants a topic; true if the topic is subscribed to already.
    pub fn want(&mut self, meaning: TopicMeaning) -> bool {
        let name = self.name(&meaning);
        match self.states.get_mut(&name) {
            Some(Subscribed::Confirmed) => return true,
            Some(Subscribed::Ending { is_wanted_again }) => *is_wanted_again = true,
            Some(Subscribed::Asked) => {}
            None => {
                self.meanings.write().insert(Arc::clone(&name), meaning);
                self.ask(name);
            }
        }
        false
    }

    /// Wants a topic no more.
    pub fn release(&mut self, meaning: &TopicMeaning) {
        let name = self.name(meaning);
        if let Some(state) = self.states.get_mut(&name) {
            *state = Subscribed::Ending { is_wanted_again: false };
            self.wanted.send_if_modified(|wanted| wanted.remove(&name));
        }
    }

    /// The topic is subscribed to; its meaning, unless nobody wants to know.
    pub fn confirm(&mut self, name: &str) -> Option<TopicMeaning> {
        let state = self.states.get_mut(name)?;
        if matches!(state, Subscribed::Ending { .. }) {
            return None;
        }
        *state = Subscribed::Confirmed;
        self.meanings.read().get(name).cloned()
    }

    /// The topic's subscription has ended.
    pub fn end(&mut self, name: &str) {
        match self.states.get(name) {
            Some(Subscribed::Ending { is_wanted_again: true }) => self.ask(Arc::from(name)),
            Some(Subscribed::Ending { is_wanted_again: false }) => self.forget(name),
            _ => {}
        }
    }

    /// The subscriber's connection is lost, and all of its subscriptions.
    pub fn lose(&mut self) {
        let ending: Vec<Arc<str>> = self
            .states
            .iter()
            .filter(|(_, state)| matches!(state, Subscribed::Ending { .. }))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        for name in ending {
            self.end(&name);
        }
        for state in self.states.values_mut() {
            *state = Subscribed::Asked;
        }
    }

    fn ask(&mut self, name: Arc<str>) {
        self.states.insert(Arc::clone(&name), Subscribed::Asked);
        self.wanted.send_if_modified(|wanted| wanted.insert(name));
    }

    fn forget(&mut self, name: &str) {
        self.states.remove(name);
        self.meanings.write().remove(name);
    }
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::ids::AppId;

    use super::*;

    fn app() -> TopicMeaning {
        TopicMeaning::App(Topic { partition: 0, app: AppId::from("1") })
    }

    #[test]
    fn a_topic_that_is_wanted_again_waits_for_its_end() {
        let mut topics = Topics::new(Arc::new(Layout::new("x:", 1)));
        let wanted = topics.wanted();
        let is_wanted = || wanted.borrow().len() == 1;
        assert!(!topics.want(app()) && is_wanted());
        let name = topics.name(&app());
        assert_eq!(topics.confirm(&name), Some(app()));
        assert!(topics.want(app()));
        topics.release(&app());
        assert!(!is_wanted() && !topics.want(app()) && !is_wanted());
        assert_eq!(topics.confirm(&name), None, "of before");
        topics.end(&name);
        assert!(is_wanted());
        assert_eq!(topics.confirm(&name), Some(app()));
        topics.release(&app());
        topics.end(&name);
        assert!(!is_wanted() && topics.meanings.read().is_empty());
    }

    #[test]
    fn a_lost_connection_ends_what_is_ending_and_confirms_nothing() {
        let mut topics = Topics::new(Arc::new(Layout::new("x:", 1)));
        topics.want(app());
        topics.want(TopicMeaning::Control);
        let name = topics.name(&app());
        topics.confirm(&name);
        topics.release(&app());
        topics.lose();
        assert_eq!(topics.meanings.read().len(), 1);
        assert!(!topics.want(app()));
        assert_eq!(topics.wanted().borrow().len(), 2);
    }
}
