//! Events for webhooks that the nodes have decided together, on the node that sends them (CL-030, CL-035).
//!
//! Bounded: the bus takes so many entries from Redis and more only as these are done, and what is lost with this node is
//! dropped and counted over a bound. Apps are looked up apart from each other, so that a look-up without an answer holds up
//! nobody else.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fanfare_bus::partition::Partition;
use fanfare_bus::{HookBatch, HooksDone};
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::Transition;
use fanfare_webhooks::{Decided, SentAgain, Tally};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::node::Node;
use crate::refusals;
use crate::unlogged::Unlogged;

/// How soon an app's settings are looked up again.
const AGAIN: Duration = Duration::from_secs(1);

/// The longest look-up; the database has less.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most look-ups at once; other apps wait for their turn.
const MOST_LOOK_UPS: usize = 256;

/// Most events that wait and are lost with this node: of an app, and of all apps.
const MOST_OF_APP: usize = 50_000;
const MOST_IN_ALL: usize = 100_000;

/// Events whose app is being looked up.
#[derive(Clone, Default)]
pub struct HookQueue(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Guards the queue, and that no batch is sent after it was stopped.
    queue: Mutex<Queue>,
    bell: Notify,
    /// Rung when no event waits that is lost with this node.
    rest: Notify,
    /// Events without room that were not logged.
    refused: Unlogged,
}

#[derive(Default)]
struct Queue {
    apps: BTreeMap<AppId, OfApp>,
    /// Apps to be looked up, in their order; an app may have left `apps` meanwhile.
    due: VecDeque<AppId>,
    /// Events of `OfApp::told`, of all apps.
    told: usize,
    /// The node stops: the next sender sends the batches that come.
    has_ended: bool,
}

/// What waits of an app.
#[derive(Default)]
struct OfApp {
    /// Kept in Redis until they are done; the oldest first.
    batches: Vec<(HookBatch, HooksDone)>,
    /// Told by this node alone, and lost with it (CL-035); the oldest first.
    told: Vec<Transition>,
}

impl HookQueue {
    pub(super) fn push(&self, batch: HookBatch, done: HooksDone) {
        let mut queue = self.0.queue.lock();
        if queue.has_ended {
            return;
        }
        let app = batch.app.clone();
        queue.of(&app).batches.push((batch, done));
        drop(queue);
        self.0.bell.notify_one();
    }

    /// Counts events of an app that had no room in Redis, and logs them now and then.
    pub(super) fn note_refused(&self, node: &Node, app: &AppId, events: u64) {
        drop_events(node, app, events);
        if let Some(events) = self.0.refused.add(events) {
            let app = app.as_str();
            tracing::warn!(target: "fanfare::webhooks", app, events, "too many webhook events of the cluster wait; events of this app, perhaps of others, were dropped");
        }
    }

    /// Queues an event that this node alone tells, whether or not the app has a hub here.
    pub(super) fn tell(&self, node: &Node, app: &AppId, event: Transition) {
        if node.hubs.get(app).is_some_and(|hub| !hub.app().told().contains(event.kind())) {
            return;
        }
        if self.queue_told(app, event) {
            self.0.bell.notify_one();
        } else {
            drop_events(node, app, 1);
        }
    }

    /// Returns whether there was room.
    fn queue_told(&self, app: &AppId, event: Transition) -> bool {
        let mut queue = self.0.queue.lock();
        if queue.told >= MOST_IN_ALL {
            return false;
        }
        let of_app = queue.of(app);
        if of_app.told.len() >= MOST_OF_APP {
            return false;
        }
        of_app.told.push(event);
        queue.told += 1;
        true
    }

    /// Drops the batches of a partition, and what the webhooks have of them and is not under way.
    pub(super) fn stop(&self, node: &Node, partition: Partition) {
        let mut queue = self.0.queue.lock();
        queue.retain(|batch| batch.partition != partition);
        node.outgoing.webhooks.withdraw(u32::from(partition));
    }

    /// Drops all batches, also those to come, and what the webhooks have of them and is not under way. Returns when the
    /// events that would be lost with this node are sent.
    pub(super) async fn end(&self, node: &Node) {
        self.stop_all(node);
        while self.0.queue.lock().told > 0 {
            self.0.rest.notified().await;
        }
    }

    fn stop_all(&self, node: &Node) {
        let mut queue = self.0.queue.lock();
        queue.has_ended = true;
        queue.retain(|_| false);
        for partition in 0..node.config().bus.partitions {
            node.outgoing.webhooks.withdraw(u32::from(partition));
        }
    }

    /// Sends what is pushed, for ever.
    pub(super) async fn run(self, node: Arc<Node>) {
        let find = |app: AppId| {
            let node = Arc::clone(&node);
            async move { look_up(&node, &app).await }
        };
        self.serve(find, |app, found| self.send(&node, app, found)).await;
    }

    /// Looks up each app that something waits for; `find` answers `None` if that is to be tried again later.
    async fn serve<F>(&self, find: impl Fn(AppId) -> F, send: impl Fn(&AppId, Option<&Arc<App>>))
    where
        F: Future<Output = Option<Option<Arc<App>>>> + Send + 'static,
    {
        let mut asked = JoinSet::new();
        loop {
            while asked.len() < MOST_LOOK_UPS
                && let Some(app) = self.next_due()
            {
                let answer = find(app.clone());
                asked.spawn(async move {
                    let answer = timeout(PATIENCE, answer).await.ok().flatten();
                    if answer.is_none() {
                        sleep(AGAIN).await;
                    }
                    (app, answer)
                });
            }
            tokio::select! {
                () = self.0.bell.notified() => {}
                Some(answer) = asked.join_next(), if !asked.is_empty() => match answer {
                    Ok((app, Some(found))) => send(&app, found.as_ref()),
                    Ok((app, None)) => self.0.queue.lock().due.push_back(app),
                    // A look-up has panicked: nobody knows which.
                    Err(_) => self.0.queue.lock().ask_all(),
                },
            }
        }
    }

    /// The next app that something waits for.
    fn next_due(&self) -> Option<AppId> {
        let mut queue = self.0.queue.lock();
        loop {
            let app = queue.due.pop_front()?;
            if queue.apps.contains_key(&app) {
                return Some(app);
            }
        }
    }

    /// Sends all that waits for an app; an app that does not exist any more is told of nothing.
    fn send(&self, node: &Node, app: &AppId, found: Option<&Arc<App>>) {
        let mut queue = self.0.queue.lock();
        let Some(OfApp { batches, told }) = queue.apps.remove(app) else { return };
        queue.told -= told.len();
        if queue.told == 0 {
            self.0.rest.notify_one();
        }
        let tally: Arc<dyn Tally> = node.tenants.of(app);
        let Some(found) = found else {
            batches.into_iter().for_each(|(_, done)| done.done());
            return;
        };
        let newest = || node.hubs.get(app).map_or_else(|| Arc::clone(found), |hub| hub.app());
        for (HookBatch { partition, time_ms, age, events, .. }, done) in batches {
            let transitions = events.into_iter().map(|event| event.transition).collect();
            let again =
                SentAgain { time_ms, age, source: u32::from(partition), done: Box::new(move || done.done()) };
            node.outgoing.webhooks.send(&tally, Decided { transitions, again: Some(again) }, newest);
        }
        if !told.is_empty() {
            node.outgoing.webhooks.send(&tally, Decided { transitions: told, again: None }, newest);
        }
    }
}

impl Queue {
    fn of(&mut self, app: &AppId) -> &mut OfApp {
        match self.apps.entry(app.clone()) {
            Entry::Occupied(of_app) => of_app.into_mut(),
            Entry::Vacant(place) => {
                self.due.push_back(app.clone());
                place.insert(OfApp::default())
            }
        }
    }

    /// Keeps these batches, and all events that are lost with this node.
    fn retain(&mut self, mut is_kept: impl FnMut(&HookBatch) -> bool) {
        self.apps.retain(|_, of_app| {
            of_app.batches.retain(|(batch, _)| is_kept(batch));
            !of_app.batches.is_empty() || !of_app.told.is_empty()
        });
    }

    /// Has every app looked up, those too that are being looked up.
    fn ask_all(&mut self) {
        self.due = self.apps.keys().cloned().collect();
    }
}

/// The app, if it exists; nothing if the database does not say.
/// Counts events that found no room, and makes known that they were dropped.
fn drop_events(node: &Node, app: &AppId, events: u64) {
    node.tenants.of(app).dropped(events);
    refusals::dropped_between_nodes(node, app, events);
}

async fn look_up(node: &Node, app: &AppId) -> Option<Option<Arc<App>>> {
    match node.apps.by_id(app.as_str()).await {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::debug!(target: "fanfare::webhooks", app = app.as_str(), %error, "app not looked up");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use fanfare_apps::Apps;
    use fanfare_config::Config;
    use fanfare_protocol::channel::ChannelName;
    use prometheus_client::registry::Registry;
    use tokio::sync::mpsc;

    use super::*;
    use crate::node::NodeBounds;
    use crate::refusals::RefusalKind;
    use crate::tasks::Tasks;

    fn event() -> Transition {
        Transition::Missed(ChannelName::trusted("cache-a"))
    }

    #[tokio::test]
    async fn a_look_up_without_an_answer_holds_up_no_other_app() {
        let queue = HookQueue::default();
        for app in ["first", "second", "third"] {
            assert!(queue.queue_told(&AppId::from(app), event()));
        }
        let find =
            |app: AppId| async move { if app.as_str() == "second" { Some(None) } else { pending().await } };
        let (sent, mut told) = mpsc::channel(3);
        let send = |app: &AppId, _: Option<&Arc<App>>| sent.try_send(app.clone()).expect("the test listens");
        tokio::select! {
            () = queue.serve(find, send) => {}
            app = told.recv() => assert_eq!(app, Some(AppId::from("second"))),
            () = sleep(Duration::from_secs(4)) => panic!("nobody is told"),
        }
    }

    #[tokio::test]
    async fn con_045_events_without_room_between_the_nodes_are_told_with_their_number() {
        let config = Config::default();
        let apps = Apps::open(Vec::new(), None, config.kept()).await.expect("no database");
        let node = Node::new(config, apps, Tasks::default(), NodeBounds::default(), Registry::default());
        let (queue, app) = (HookQueue::default(), AppId::from("1"));
        for _ in 0..MOST_OF_APP + 2 {
            queue.tell(&node, &app, event());
        }
        queue.note_refused(&node, &app, 3);
        let [row] = &node.refusals.show(Some(&app))[..] else { panic!("one refusal") };
        assert_eq!((row.kind, row.cause, row.count), (RefusalKind::Webhook, "no_room_between_nodes", 5));
    }

    #[test]
    fn one_app_cannot_take_the_room_of_all_and_all_have_a_bound() {
        let queue = HookQueue::default();
        let fill = |app: &str| {
            (0..=MOST_IN_ALL).take_while(|_| queue.queue_told(&AppId::from(app), event())).count()
        };
        assert_eq!([fill("1"), fill("2"), fill("3")], [MOST_OF_APP, MOST_IN_ALL - MOST_OF_APP, 0]);
    }
}
