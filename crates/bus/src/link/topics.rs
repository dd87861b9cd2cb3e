//! Which topics a link wants, and which of them are subscribed to.
//!
//! A topic that is wanted again while its end is under way waits for the end: otherwise nobody could say whether a
//! confirmation is of before or of after. Only a topic that is subscribed to has an end that comes: a topic that is
//! released before its confirmation stays wanted until the confirmation.

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
    /// What concerns the node of this name alone.
    Node(Arc<str>),
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
    /// Asked for; perhaps released meanwhile, and to be ended at the confirmation.
    Asked {
        is_released: bool,
    },
    Confirmed,
    /// Subscribed to, and wanted no more: the end comes, or the connection is lost.
    Ending {
        is_wanted_again: bool,
    },
}

const ASKED: Subscribed = Subscribed::Asked { is_released: false };

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
            TopicMeaning::Node(node) => self.layout.node_topic(node),
        })
    }

    /// Wants a topic; true if the topic is subscribed to already.
    pub fn want(&mut self, meaning: TopicMeaning) -> bool {
        let name = self.name(&meaning);
        match self.states.get_mut(&name) {
            Some(Subscribed::Confirmed) => return true,
            Some(Subscribed::Ending { is_wanted_again }) => *is_wanted_again = true,
            Some(Subscribed::Asked { is_released }) => *is_released = false,
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
        match self.states.get_mut(&name) {
            Some(Subscribed::Asked { is_released }) => *is_released = true,
            Some(Subscribed::Ending { is_wanted_again }) => *is_wanted_again = false,
            Some(Subscribed::Confirmed) => self.begin_end(&name),
            None => {}
        }
    }

    /// The topic is subscribed to; its meaning, unless nobody wants to know.
    pub fn confirm(&mut self, name: &str) -> Option<TopicMeaning> {
        let state = self.states.get_mut(name)?;
        match state {
            Subscribed::Ending { .. } => return None,
            Subscribed::Asked { is_released: true } => {
                self.begin_end(name);
                return None;
            }
            Subscribed::Asked { .. } | Subscribed::Confirmed => *state = Subscribed::Confirmed,
        }
        self.meanings.read().get(name).cloned()
    }

    /// Redis refuses the topic; says whether somebody still wants it.
    pub fn refuse(&mut self, name: &str) -> bool {
        let is_released = matches!(self.states.get(name), Some(Subscribed::Asked { is_released: true }));
        if is_released {
            self.forget(name);
        }
        !is_released
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
        let mut over = Vec::new();
        for (name, state) in &self.states {
            match state {
                Subscribed::Ending { .. } => over.push((Arc::clone(name), true)),
                Subscribed::Asked { is_released: true } => over.push((Arc::clone(name), false)),
                Subscribed::Asked { .. } | Subscribed::Confirmed => {}
            }
        }
        for (name, has_end) in over {
            if has_end { self.end(&name) } else { self.forget(&name) }
        }
        for state in self.states.values_mut() {
            *state = ASKED;
        }
    }

    fn begin_end(&mut self, name: &str) {
        if let Some(state) = self.states.get_mut(name) {
            *state = Subscribed::Ending { is_wanted_again: false };
        }
        self.wanted.send_if_modified(|wanted| wanted.remove(name));
    }

    fn ask(&mut self, name: Arc<str>) {
        self.states.insert(Arc::clone(&name), ASKED);
        self.wanted.send_if_modified(|wanted| wanted.insert(name));
    }

    fn forget(&mut self, name: &str) {
        self.states.remove(name);
        self.meanings.write().remove(name);
        self.wanted.send_if_modified(|wanted| wanted.remove(name));
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

    #[test]
    fn a_topic_that_is_released_while_nobody_is_subscribed_can_be_wanted_again() {
        let mut topics = Topics::new(Arc::new(Layout::new("x:", 1)));
        let wanted = topics.wanted();
        let is_wanted = || wanted.borrow().len() == 1;
        topics.want(app());
        let name = topics.name(&app());
        topics.confirm(&name);
        topics.lose();
        // The subscriber is away: nobody will say that the topic has ended.
        topics.release(&app());
        assert!(!topics.want(app()) && is_wanted());
        assert_eq!(topics.confirm(&name), Some(app()));
    }

    #[test]
    fn a_topic_that_is_released_before_its_confirmation_ends_behind_it() {
        let mut topics = Topics::new(Arc::new(Layout::new("x:", 1)));
        let wanted = topics.wanted();
        let is_wanted = || wanted.borrow().len() == 1;
        topics.want(app());
        let name = topics.name(&app());
        topics.release(&app());
        assert!(is_wanted(), "the subscriber may have asked already");
        assert_eq!(topics.confirm(&name), None, "nobody wants to know");
        assert!(!is_wanted());
        assert!(!topics.want(app()) && !is_wanted(), "the end is under way");
        topics.release(&app());
        topics.end(&name);
        assert!(topics.states.is_empty() && topics.meanings.read().is_empty());
        for is_refused in [true, false] {
            topics.want(app());
            topics.release(&app());
            if is_refused {
                assert!(!topics.refuse(&name))
            } else {
                topics.lose()
            }
            assert!(topics.states.is_empty() && topics.meanings.read().is_empty() && !is_wanted());
        }
        topics.want(app());
        assert!(topics.refuse(&name) && is_wanted());
    }
}
