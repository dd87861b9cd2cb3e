//! The webhooks of one app: which events its transitions make, and which URLs receive the events.

use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::webhook::{Kind, Transition, Webhook, WebhookEvent};

use crate::decided::{Decided, Group};
use crate::endpoint::{Endpoint, Owner};
use crate::misses::Misses;
use crate::news::News;
use crate::request::Waiting;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::tracker::Tracker;

/// The webhooks of one app.
pub(crate) struct AppHooks {
    app: Arc<App>,
    owner: Owner,
    shared: Arc<Shared>,
    tracker: Tracker,
    misses: Misses,
    /// One outlet for each URL that wants any event.
    endpoints: Vec<Arc<Endpoint>>,
    /// When the app is listed as due.
    pub listed: Option<u64>,
}

impl AppHooks {
    pub(crate) fn new(app: &Arc<App>, owner: Owner, shared: &Arc<Shared>) -> Self {
        let mut hooks = Self {
            app: Arc::clone(app),
            owner,
            shared: Arc::clone(shared),
            tracker: Tracker::new(shared.settings().delay_milliseconds()),
            misses: Misses::default(),
            endpoints: Vec::new(),
            listed: None,
        };
        hooks.set_endpoints();
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
        self.set_endpoints();
    }

    /// Takes over other times and bounds; a leave that is delayed already keeps its moment.
    pub(crate) fn set_settings(&mut self, settings: Settings) {
        self.tracker.set_delay(settings.delay_milliseconds());
        for endpoint in &self.endpoints {
            endpoint.set_settings(settings);
        }
    }

    fn set_endpoints(&mut self) {
        let (app, owner, shared) = (&self.app, &self.owner, &self.shared);
        let before = std::mem::take(&mut self.endpoints);
        let endpoint = |webhook: &Webhook| {
            let known = before.iter().find(|endpoint| endpoint.url == webhook.url).map(Arc::clone);
            let endpoint = known.unwrap_or_else(|| Arc::new(Endpoint::new(webhook, owner.clone(), shared)));
            endpoint.set(webhook, app.credentials.first());
            endpoint
        };
        self.endpoints = app.webhooks.iter().filter(|webhook| webhook.enabled).map(endpoint).collect();
        for endpoint in before {
            if !self.endpoints.iter().any(|kept| Arc::ptr_eq(kept, &endpoint)) {
                endpoint.close();
            }
        }
    }

    /// Sends the events that follow from the news.
    pub(crate) fn hear(&mut self, news: News, now: u64) {
        let News { transitions, lost, newly_wanted, present } = news;
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
        self.tracker.adopt(&present, newly_wanted.among(wanted));
        if lost > 0 {
            self.owner.tally.dropped(lost);
            let app = self.app.id.as_str();
            tracing::warn!(target: "fanfare::webhooks", app, lost, "more happened than could be told to webhooks");
            for told in self.tracker.catch_up(&present, wanted, now) {
                self.tell(&told);
            }
        }
    }

    /// Sends events as they are, to the URLs that want them.
    pub(crate) fn send(&self, Decided { transitions, again }: Decided) {
        let is_over = || Arc::clone(&self.shared.is_over);
        let group = again.map(|again| Arc::new(Group::new(again, is_over())));
        for event in transitions.iter().filter_map(WebhookEvent::of) {
            let waiting = match &group {
                Some(group) => Waiting::of_group(event, group),
                None => Waiting::from_now(event),
            };
            for endpoint in &self.endpoints {
                endpoint.tell(&waiting);
            }
        }
    }

    /// Events of a URL that wait, or are under way.
    pub(crate) fn waiting(&self, url: &str) -> usize {
        self.endpoints.iter().find(|endpoint| endpoint.url == url).map_or(0, |endpoint| endpoint.waiting())
    }

    /// Drops the events of a source that are not under way.
    pub(crate) fn withdraw(&self, source: u32) {
        for endpoint in &self.endpoints {
            endpoint.withdraw(source);
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
        if let Some(waiting) = WebhookEvent::of(transition).map(Waiting::from_now) {
            for endpoint in &self.endpoints {
                endpoint.tell(&waiting);
            }
        }
    }

    /// Whether the value can be dropped without loss.
    pub(crate) fn is_idle(&self, now: u64) -> bool {
        let nobody_is_there = self.tracker.is_empty() && self.misses.is_over(now);
        nobody_is_there && self.endpoints.iter().all(|endpoint| endpoint.is_idle())
    }

    /// Sends every delayed event now, and retries every waiting request once, at once.
    pub(crate) fn end(&mut self) {
        self.tell_due(u64::MAX, usize::MAX);
        for endpoint in &self.endpoints {
            endpoint.end();
        }
    }

    /// Keeps what was not delivered, of durable URLs, and sends these nothing more.
    pub(crate) fn park(&self) {
        for endpoint in &self.endpoints {
            endpoint.park();
        }
    }

    /// Drops every event and request.
    pub(crate) fn close(&self) {
        for endpoint in &self.endpoints {
            endpoint.close();
        }
    }
}
