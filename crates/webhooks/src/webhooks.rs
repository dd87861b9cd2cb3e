//! The webhooks of all apps: who has something to tell, and when.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use fanfare_outgoing::Client;
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::app_hooks::AppHooks;
use crate::news::News;
use crate::outlet::{Owner, Shared};
use crate::settings::{Settings, Spawn, Tally};

/// Most goings that are told in one go.
const MOST_AT_ONCE: usize = 1000;

/// All webhooks of a node.
pub struct Webhooks {
    shared: Arc<Shared>,
    /// The moment that milliseconds are counted from.
    began: Instant,
    /// Guards the table, and the order in which apps are due.
    apps: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Only apps with webhooks that somebody has heard of get here, and those that are idle leave it.
    hooks: HashMap<AppId, AppHooks>,
    /// Each of them once at most, by the moment when something is to be told.
    due: BTreeSet<(u64, AppId)>,
}

impl Webhooks {
    /// Webhooks that are sent with this client, by tasks of this spawner.
    #[must_use]
    pub fn new(settings: Settings, client: Client, spawn: Spawn) -> Self {
        let shared = Arc::new(Shared::new(settings, client, spawn));
        Self { shared, began: Instant::now(), apps: Mutex::default() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells what follows from what has happened, now or later; has to be called within a runtime.
    ///
    /// `app` is asked once nobody else can bring newer settings. Whoever changes them changes what it answers, and
    /// then calls [`Webhooks::set_app`] or [`Webhooks::remove`].
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

    /// Takes over newer settings of an app; what is not wanted any more is given up.
    pub fn set_app(&self, app: &Arc<App>) {
        let mut table = self.apps.lock();
        if let Some(hooks) = table.hooks.get_mut(&app.id) {
            hooks.set(app);
            table.list(&app.id);
        }
    }

    /// The app is no more, and nobody is told anything of it.
    pub fn remove(&self, app: &AppId) {
        let mut table = self.apps.lock();
        if let Some(hooks) = table.hooks.remove(app) {
            hooks.close();
            table.due.retain(|(_, due)| due != app);
        }
    }

    /// Tells goings whose time has come, but not so many that others would wait for it; the moment of the next,
    /// if any waits, which may have come.
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

    /// Forgets the apps of which nothing is to be told.
    pub fn drop_idle(&self) {
        let now = self.now();
        self.apps.lock().hooks.retain(|_, hooks| !hooks.is_idle(now));
    }

    /// Sends everything that waits, once and at once, and gives up what is left at the deadline; to be called
    /// when nothing more will happen.
    pub async fn end(&self, deadline: Instant) {
        for hooks in self.apps.lock().hooks.values_mut() {
            hooks.end();
        }
        while self.shared.is_busy() {
            if timeout_at(deadline, self.shared.rest.notified()).await.is_err() {
                break;
            }
        }
        let mut table = self.apps.lock();
        for (_, hooks) in table.hooks.drain() {
            hooks.close();
        }
        table.due.clear();
    }
}

impl Table {
    /// Lists the app by the moment when something of it is due.
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
