//! The webhooks of all apps: which apps have something to send, and when.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fanfare_outgoing::Client;
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::app_hooks::AppHooks;
use crate::backlog::Backlog;
use crate::decided::Decided;
use crate::endpoint::Owner;
use crate::history::UrlHistory;
use crate::news::News;
use crate::settings::{AttemptsHeard, Losses, Settings, Spawn, Tally};
use crate::shared::Shared;
use crate::trial::{NotTested, Tested, TestedUrl, Trials};

/// Most delayed events that are sent in one call.
const MOST_AT_ONCE: usize = 1000;

/// Time at the end for keeping what durable webhooks have not delivered.
const KEEPING: Duration = Duration::from_secs(1);

/// All webhooks of a node.
pub struct Webhooks {
    pub(crate) shared: Arc<Shared>,
    pub(crate) trials: Trials,
    /// The moment that milliseconds are counted from.
    began: Instant,
    /// Guards the table, and the order in which apps are due.
    apps: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Only apps with webhooks and transitions come into the table, and idle apps leave it.
    hooks: HashMap<AppId, AppHooks>,
    /// Each app at most once, by the moment when an event is due.
    due: BTreeSet<(u64, AppId)>,
}

impl Webhooks {
    /// Webhooks that this client sends, in tasks of this spawner.
    #[must_use]
    pub fn new(settings: Settings, client: Client, spawn: Spawn) -> Self {
        let shared = Arc::new(Shared::new(settings, client, spawn));
        Self { shared, trials: Trials::default(), began: Instant::now(), apps: Mutex::default() }
    }

    /// Who hears of each attempt, from now on; once.
    pub fn set_attempts_heard(&self, heard: AttemptsHeard) {
        // A second one is never given.
        let _ = self.shared.attempts.set(heard);
    }

    /// Where durable webhooks' requests are kept, from now on; once, before any event. Without a backlog no webhook is
    /// durable.
    pub fn set_backlog(&self, backlog: Arc<dyn Backlog>) {
        // A second one is never given.
        let _ = self.shared.backlog.set(backlog);
    }

    /// Who hears of events that will never be delivered, from now on; once.
    pub fn set_losses(&self, losses: Arc<dyn Losses>) {
        // A second one is never given.
        let _ = self.shared.losses.set(losses);
    }

    /// Other times and bounds from now on; the number of requests under way keeps its bound.
    pub fn set_settings(&self, settings: Settings) {
        let mut table = self.apps.lock();
        self.shared.set_settings(settings);
        for hooks in table.hooks.values_mut() {
            hooks.set_settings(settings);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sends the events that follow from the news, now or later; has to be called within a runtime.
    ///
    /// `app` is called under a lock, when no other caller can bring newer settings. A caller with newer
    /// settings first changes what `app` returns, and then calls [`Webhooks::set_app`] or [`Webhooks::remove`].
    pub fn hear(&self, tally: &Arc<dyn Tally>, news: News, app: impl FnOnce() -> Arc<App>) {
        let mut table = self.apps.lock();
        let app = &app();
        let hooks = table.hooks.entry(app.id.clone()).or_insert_with(|| {
            let owner = Owner { app: app.id.clone(), tally: Arc::clone(tally) };
            AppHooks::new(app, owner, &self.shared)
        });
        hooks.set(app);
        hooks.hear(news, self.now());
        table.list(&app.id);
    }

    /// Sends events that were decided elsewhere; as [`Webhooks::hear`] otherwise.
    pub fn send(&self, tally: &Arc<dyn Tally>, decided: Decided, app: impl FnOnce() -> Arc<App>) {
        let mut table = self.apps.lock();
        let app = &app();
        let hooks = table.hooks.entry(app.id.clone()).or_insert_with(|| {
            let owner = Owner { app: app.id.clone(), tally: Arc::clone(tally) };
            AppHooks::new(app, owner, &self.shared)
        });
        hooks.set(app);
        hooks.send(decided);
        table.list(&app.id);
    }

    /// Drops what was decided under a source and is not under way: another node sends it (CL-032).
    pub fn withdraw(&self, source: u32) {
        for hooks in self.apps.lock().hooks.values() {
            hooks.withdraw(source);
        }
    }

    /// Takes over newer settings of an app; events that are not wanted any more are dropped.
    pub fn set_app(&self, app: &Arc<App>) {
        let mut table = self.apps.lock();
        if let Some(hooks) = table.hooks.get_mut(&app.id) {
            hooks.set(app);
            table.list(&app.id);
        }
        self.shared.histories.retain(&app.id, &app.webhooks);
    }

    /// The app was deleted, and none of its events are sent any more.
    pub fn remove(&self, app: &AppId) {
        let mut table = self.apps.lock();
        if let Some(hooks) = table.hooks.remove(app) {
            hooks.close();
            table.due.retain(|(_, due)| due != app);
        }
        self.shared.histories.retain(app, &[]);
    }

    /// The last deliveries of each URL of an app that had any (CON-054).
    #[must_use]
    pub fn histories(&self, app: &AppId) -> Vec<UrlHistory> {
        let mut histories = self.shared.histories.show(app);
        if let Some(hooks) = self.apps.lock().hooks.get(app) {
            for history in &mut histories {
                history.waiting = hooks.waiting(&history.url);
            }
        }
        histories
    }

    /// Sends one signed test event to webhooks of an app, past their queues; a test counts in no metric, quota or usage.
    ///
    /// # Errors
    /// There is no such webhook, or too many tests were asked for; nothing is sent then.
    pub async fn test(&self, app: &App, wanted: TestedUrl<'_>) -> Result<Vec<Tested>, NotTested> {
        self.trials.run(&self.shared, app, wanted).await
    }

    /// Sends delayed vacated and removed events that are due, at most `MOST_AT_ONCE`. Returns when the next is
    /// due, if any is delayed; the moment may be in the past.
    pub fn tell_due(&self) -> Option<Instant> {
        let mut table = self.apps.lock();
        let now = self.now();
        let mut left = MOST_AT_ONCE;
        loop {
            let (moment, app) = table.due.first().cloned()?;
            if moment > now || left == 0 {
                return Some(self.began + Duration::from_millis(moment));
            }
            match table.hooks.get_mut(&app) {
                Some(hooks) => {
                    left -= hooks.tell_due(now, left);
                    table.list(&app);
                }
                None => drop(table.due.pop_first()),
            }
        }
    }

    /// Drops apps that have nothing to send.
    pub fn drop_idle(&self) {
        let now = self.now();
        self.apps.lock().hooks.retain(|_, hooks| !hooks.is_idle(now));
    }

    /// Graceful shutdown: sends everything that waits, once and at once, and drops the rest at the deadline, or keeps
    /// what is durable shortly before; to be called when no further news comes.
    pub async fn end(&self, deadline: Instant) {
        for hooks in self.apps.lock().hooks.values_mut() {
            hooks.end();
        }
        let left = deadline.saturating_duration_since(Instant::now());
        self.rest_until(deadline - KEEPING.min(left / 2)).await;
        self.shared.parked.send_replace(true);
        for hooks in self.apps.lock().hooks.values() {
            hooks.park();
        }
        self.rest_until(deadline).await;
        self.shared.is_over.store(true, Ordering::Release);
        let mut table = self.apps.lock();
        for (_, hooks) in table.hooks.drain() {
            hooks.close();
        }
        table.due.clear();
    }
}

impl Webhooks {
    /// Waits until nothing is to be sent or kept any more.
    async fn rest_until(&self, deadline: Instant) {
        while self.shared.is_busy() {
            if timeout_at(deadline, self.shared.rest.notified()).await.is_err() {
                return;
            }
        }
    }
}

impl Table {
    /// Lists the app by the moment when its next event is due.
    fn list(&mut self, app: &AppId) {
        let Some(hooks) = self.hooks.get_mut(app) else { return };
        let moment = hooks.next_moment();
        if hooks.listed == moment {
            return;
        }
        if let Some(before) = std::mem::replace(&mut hooks.listed, moment) {
            self.due.remove(&(before, app.clone()));
        }
        if let Some(moment) = moment {
            self.due.insert((moment, app.clone()));
        }
    }
}
