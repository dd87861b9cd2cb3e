//! Clients that were connected to another node: the questions to that node about what they missed, each with one deadline,
//! and the answers to such questions of other nodes (RES-014).
//!
//! Nothing waits but the task of the deadlines. Why the answers are exact: `fanfare_hub::channel::ring::newcomers`.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use fanfare_bus::{AskedMissed, Bus, FoundMissed, HeardMissed, MissedNews};
use fanfare_hub::{MissedElsewhere, QuestionElsewhere};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, SocketId};
use fanfare_protocol::resume::ResumeToken;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::topics::Elsewhere;
use crate::node::Node;

/// How long an answer is waited for; the client waits so long for its acknowledgement.
const PATIENCE: Duration = Duration::from_secs(1);

/// Most questions within the time of one deadline; an app has at most as many as stay free. Of more, none is asked.
const MOST_QUESTIONS: usize = 16_384;

/// The questions of this node.
pub(super) struct MissedQuestions {
    /// Weak, because the node holds the questions.
    node: Weak<Node>,
    /// Guards the deadlines; a leaf.
    asked: Mutex<Asked>,
    bell: Notify,
}

impl fmt::Debug for MissedQuestions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MissedQuestions").field("asked", &self.asked).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Asked {
    /// By their deadlines, also those that were answered.
    questions: VecDeque<Question>,
    of_apps: HashMap<AppId, usize>,
}

#[derive(Debug)]
struct Question {
    until: Instant,
    app: AppId,
    channel: ChannelName,
    newcomer: SocketId,
    number: u64,
}

impl MissedQuestions {
    pub(super) fn new(node: &Arc<Node>) -> Arc<Self> {
        Arc::new(Self { node: Arc::downgrade(node), asked: Mutex::default(), bell: Notify::new() })
    }

    /// Ends the waiting for answers that do not come; runs until the node ends.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            let next = self.asked.lock().questions.front().map(|question| question.until);
            let Some(until) = next else {
                self.bell.notified().await;
                continue;
            };
            sleep_until(until).await;
            let due = self.asked.lock().take_due(Instant::now());
            let Some(node) = self.node.upgrade() else { return };
            for Question { app, channel, newcomer, number, .. } in due {
                if let Some(hub) = node.hubs.get(&app) {
                    hub.answer_missed(&channel, (newcomer, number), None, node.milliseconds());
                }
            }
        }
    }
}

impl Elsewhere for MissedQuestions {
    fn is_elsewhere(&self, token: ResumeToken) -> bool {
        self.node.upgrade().is_some_and(|node| node.bus().is_some_and(|bus| bus.knows(token)))
    }

    fn is_whole(&self, app: &AppId, channel: &ChannelName, age: u64) -> bool {
        let age = Duration::from_millis(age);
        self.node
            .upgrade()
            .is_some_and(|node| node.bus().is_some_and(|bus| bus.is_whole_for(app, channel, age)))
    }

    fn came_back(&self, app: &AppId, token: ResumeToken, newcomer: SocketId) {
        if let Some(node) = self.node.upgrade()
            && let Some(bus) = node.bus()
        {
            bus.came_back(app, token, newcomer);
        }
    }

    /// Asks, if there is room, and nothing was lost on the way to other nodes that the answer would lack.
    fn ask(&self, question: QuestionElsewhere<'_>) -> bool {
        let QuestionElsewhere { app, channel, number, token, count, newcomer, age } = question;
        let Some(node) = self.node.upgrade() else { return false };
        let Some(bus) = node.bus().filter(|bus| may_tell(&node, bus, app, channel, age)) else {
            return false;
        };
        let mut asked = self.asked.lock();
        if !asked.has_room_for(&app.id)
            || !bus.ask_missed(&app.id, channel, number, AskedMissed { token, count, newcomer })
        {
            return false;
        }
        let until = Instant::now() + PATIENCE;
        asked.push(Question { until, app: app.id.clone(), channel: channel.clone(), newcomer, number });
        drop(asked);
        self.bell.notify_one();
        true
    }
}

impl Asked {
    fn has_room_for(&self, app: &AppId) -> bool {
        let of_app = self.of_apps.get(app).copied().unwrap_or_default();
        of_app < MOST_QUESTIONS - self.questions.len()
    }

    fn push(&mut self, question: Question) {
        *self.of_apps.entry(question.app.clone()).or_default() += 1;
        self.questions.push_back(question);
    }

    /// Takes what is not to be waited for any longer.
    fn take_due(&mut self, now: Instant) -> Vec<Question> {
        let mut due = Vec::new();
        while let Some(question) = self.questions.pop_front_if(|question| question.until <= now) {
            if let Some(of_app) = self.of_apps.get_mut(&question.app) {
                *of_app -= 1;
                if *of_app == 0 {
                    self.of_apps.remove(&question.app);
                }
            }
            due.push(question);
        }
        if self.questions.is_empty() {
            *self = Self::default();
        }
        due
    }
}

/// Whether every event of the channel of the last `age` milliseconds has come through the topic, as far as this node knows.
fn may_tell(node: &Node, bus: &Bus, app: &App, channel: &ChannelName, age: u64) -> bool {
    let is_heard_everywhere = node.config().redis_feed.prefix_of(app).is_some();
    !is_heard_everywhere && bus.is_whole_for(&app.id, channel, Duration::from_millis(age))
}

/// Answers another node what a client of this node has missed.
pub(super) fn answer(
    node: &Node,
    (app, channel): (&AppId, &str),
    asked: AskedMissed,
    answer: &mut dyn FnMut(Option<&FoundMissed>),
) {
    let Some((hub, bus)) = node.hubs.get(app).zip(node.bus()) else { return answer(None) };
    let channel = ChannelName::trusted(channel);
    let may_tell = may_tell(node, bus, &hub.app(), &channel, hub.resume_age());
    hub.tell_missed(&channel, (asked.token, asked.count), asked.newcomer, |found| {
        let found = found.filter(|_| may_tell);
        answer(found.map(|MissedElsewhere { own, frames }| FoundMissed { own, frames }).as_ref());
    });
}

/// Brings to the hub what is heard of a question of this node.
pub(super) fn hear(node: &Node, (app, channel): (&AppId, &str), heard: HeardMissed) {
    let Some(hub) = node.hubs.get(app) else { return };
    let HeardMissed { newcomer, question, news } = heard;
    let channel = ChannelName::trusted(channel);
    match news {
        MissedNews::Asked => hub.hear_question(&channel, newcomer, question),
        MissedNews::Answered(from, found) => {
            let age = hub.resume_age();
            let is_whole = || node.bus().is_some_and(|bus| may_tell(node, bus, &hub.app(), &channel, age));
            let found = found.filter(|_| is_whole());
            let found = found.map(|FoundMissed { own, frames }| (from, MissedElsewhere { own, frames }));
            hub.answer_missed(&channel, (newcomer, question), found, node.milliseconds());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(app: &str) -> Question {
        let (app, channel) = (AppId::from(app), ChannelName::trusted("news"));
        Question {
            until: Instant::now() + PATIENCE,
            app,
            channel,
            newcomer: SocketId::from_bits(1),
            number: 1,
        }
    }

    #[test]
    fn res_014_an_app_asks_at_most_as_many_questions_as_stay_free_until_their_deadline() {
        let mut asked = Asked::default();
        let fill = |asked: &mut Asked, app: &str| {
            let before = asked.questions.len();
            while asked.has_room_for(&AppId::from(app)) {
                asked.push(question(app));
            }
            asked.questions.len() - before
        };
        assert_eq!(fill(&mut asked, "1"), MOST_QUESTIONS / 2);
        assert_eq!(fill(&mut asked, "2"), MOST_QUESTIONS / 4);
        assert_eq!(fill(&mut asked, "1"), 0);
        let now = Instant::now();
        assert!(asked.take_due(now).is_empty());
        assert_eq!(asked.take_due(now + PATIENCE).len(), MOST_QUESTIONS / 4 * 3);
        assert!(asked.of_apps.is_empty());
        assert_eq!(fill(&mut asked, "1"), MOST_QUESTIONS / 2);
    }
}
