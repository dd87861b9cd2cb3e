//! The webhooks of one app: which events its transitions make, and which URLs receive the events.

use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::webhook::{Event, Kind, Transition, Webhook};

use crate::misses::Misses;
use crate::news::News;
use crate::outlet::{Outlet, Owner, Shared};
use crate::request::Waiting;
use crate::tracker::Tracker;

/// The webhooks of one app.
pub(crate) struct AppHooks {
    app: Arc<App>,
    owner: Owner,
    shared: Arc<Shared>,
    tracker: Tracker,
    misses: Misses,
    /// One outlet for each URL that wants any event.
    outlets: Vec<Arc<Outlet>>,
    /// When the app is listed as due.
    pub listed: Option<u64>,
}

impl AppHooks {
    pub(crate) fn new(app: &Arc<App>, owner: Owner, shared: &Arc<Shared>) -> Self {
        let delay = u64::try_from(shared.settings.delay.as_millis()).unwrap_or(u64::MAX);
        let mut hooks = Self {
            app: Arc::clone(app),
            owner,
            shared: Arc::clone(shared),
            tracker: Tracker::new(delay),
            misses: Misses::default(),
            outlets: Vec::new(),
            listed: None,
        };
        hooks.set_outlets();
        hooks
    }

    /// Takes over newer settings.
    pub(crate) fn set(&mut self, app: &Arc<App>) {
        if Arc::ptr_eq(&self.app, app) {
            return;
        }
        let before = std::mem::replace(&mut self.app, Arc::clone(app));
        let forgotten = before.told().without(app.told());
        self.tracker.forget(forgotten);
        if forgotten.contains(Kind::CacheMiss) {
            self.misses = Misses::default();
        }
        self.set_outlets();
    }

    fn set_outlets(&mut self) {
        let (app, owner, shared) = (&self.app, &self.owner, &self.shared);
        let before = std::mem::take(&mut self.outlets);
        let outlet = |webhook: &Webhook| {
            let known = before.iter().find(|outlet| outlet.url == webhook.url).map(Arc::clone);
            let outlet = known.unwrap_or_else(|| Arc::new(Outlet::new(webhook, owner.clone(), shared)));
            outlet.set(webhook, app.credentials.first());
            outlet
        };
        self.outlets = app.webhooks.iter().filter(|webhook| webhook.enabled).map(outlet).collect();
        for outlet in before {
            if !self.outlets.iter().any(|kept| Arc::ptr_eq(kept, &outlet)) {
                outlet.close();
            }
        }
    }

    /// Sends the events that follow from the news.
    pub(crate) fn hear(&mut self, news: News, now: u64) {
        let News { transitions, lost, begun, present } = news;
        let wanted = self.app.told();
        // Skips transitions of kinds that no webhook wants any more: their entries would stay for ever.
        for transition in transitions.into_iter().filter(|one| wanted.contains(one.kind())) {
            match transition {
                Transition::Missed(channel) => {
                    if self.misses.miss(&channel, now) {
                        self.tell(&Transition::Missed(channel));
                    }
                }
                Transition::Filled(channel) => self.misses.fill(&channel),
                other => {
                    if let Some(told) = self.tracker.hear(other, now) {
                        self.tell(&told);
                    }
                }
            }
        }
        self.tracker.adopt(&present, begun.among(wanted));
        if lost > 0 {
            self.owner.tally.dropped(lost);
            let app = self.app.id.as_str();
            tracing::warn!(target: "fanfare::webhooks", app, lost, "more happened than could be told to webhooks");
            for told in self.tracker.catch_up(&present, wanted, now) {
                self.tell(&told);
            }
        }
    }

    /// Sends the vacated and removed events that are due, up to `most`; returns their number.
    pub(crate) fn tell_due(&mut self, now: u64, most: usize) -> usize {
        let mut count = 0;
        while count < most
            && let Some(told) = self.tracker.next_due(now)
        {
            self.tell(&told);
            count += 1;
        }
        count
    }

    /// When the next vacated or removed event is due.
    pub(crate) fn next_moment(&self) -> Option<u64> {
        self.tracker.next_moment()
    }

    fn tell(&self, transition: &Transition) {
        if let Some(waiting) = Event::of(transition).map(Waiting::from_now) {
            for outlet in &self.outlets {
                outlet.tell(&waiting);
            }
        }
    }

    /// Whether the value can be dropped without loss.
    pub(crate) fn is_idle(&self, now: u64) -> bool {
        let nobody_is_there = self.tracker.is_empty() && self.misses.is_over(now);
        nobody_is_there && self.outlets.iter().all(|outlet| outlet.is_idle())
    }

    /// Sends every delayed event now, and retries every waiting request once, at once.
    pub(crate) fn end(&mut self) {
        self.tell_due(u64::MAX, usize::MAX);
        for outlet in &self.outlets {
            outlet.end();
        }
    }

    /// Drops every event and request.
    pub(crate) fn close(&self) {
        for outlet in &self.outlets {
            outlet.close();
        }
    }
}
