//! Test events: one signed request to a webhook, sent when asked for, with its outcome (CON-054).
//!
//! A test goes past the URL's queue, by the same client, time-out and rules of addresses as every webhook. Bounded in
//! requests under way, and for each app in a minute, because whoever may ask makes the server send requests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::app::App;
use fanfare_protocol::auth::Credential;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::{Transition, Webhook, WebhookEvent};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::attempt::Attempt;
use crate::delivery::Delivery;
use crate::request::{Prepared, SignedTest, Waiting};
use crate::shared::Shared;

/// The channel of the test event.
const CHANNEL: &str = "fanfare-test";

/// Most requests of tests under way on a node; an app has at most ten webhooks.
const MOST_UNDER_WAY: usize = 16;

/// Most tests of an app in a minute.
const MOST_IN_A_MINUTE: u32 = 20;

const MINUTE: Duration = Duration::from_secs(60);

/// Most apps whose tests of the last minute are counted.
const MOST_APPS: usize = 1000;

/// Which webhooks are to be tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestedUrl<'a> {
    /// All that are enabled.
    Enabled,
    /// The one with this URL, also if it is disabled.
    Named(&'a str),
    /// The one at this place of the settings, counted from 1, also if it is disabled.
    Numbered(usize),
}

/// What a test has found out about a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The URL.
    pub url: String,
    /// Whether the webhook is enabled: a disabled one gets nothing but tests.
    pub enabled: bool,
    /// How the attempt ended.
    pub delivery: Delivery,
    /// What was sent.
    pub request: SignedTest,
}

/// Why nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NotTested {
    /// The settings list no webhook.
    #[error("This app has no webhooks")]
    NoWebhooks,
    /// Every webhook is disabled, and none was named.
    #[error("Every webhook of this app is disabled; one that is named is tested all the same: {}", .0.join(", "))]
    AllDisabled(Vec<String>),
    /// No webhook has the URL, or the place, that was named; the URLs that there are.
    #[error("This app has no such webhook; its webhooks are: {}", .0.join(", "))]
    NoSuchWebhook(Vec<String>),
    /// The app has no valid key.
    #[error("This app has no key that could sign")]
    NoKey,
    /// The node sends the most tests that it may.
    #[error("This node tests as many webhooks as it may at once ({MOST_UNDER_WAY}); try again")]
    Busy,
    /// The app's webhooks were tested as often as they may be.
    #[error("The webhooks of an app are tested at most {MOST_IN_A_MINUTE} times a minute")]
    TooOften(Duration),
}

/// The tests of a node.
pub(crate) struct Trials {
    turns: Semaphore,
    /// How many tests an app had since when.
    counts: Mutex<HashMap<AppId, (Instant, u32)>>,
}

impl Default for Trials {
    fn default() -> Self {
        Self { turns: Semaphore::new(MOST_UNDER_WAY), counts: Mutex::default() }
    }
}

impl Trials {
    /// Sends to the wanted webhooks at the same time, and waits for all.
    pub async fn run(
        &self,
        shared: &Arc<Shared>,
        app: &App,
        wanted: TestedUrl<'_>,
    ) -> Result<Vec<Tested>, NotTested> {
        let webhooks = chosen(app, wanted)?;
        let credential = app.credentials.first().ok_or(NotTested::NoKey)?;
        let count = u32::try_from(webhooks.len()).unwrap_or(u32::MAX);
        let _turns = self.turns.try_acquire_many(count).map_err(|_| NotTested::Busy)?;
        self.count(&app.id, Instant::now())?;
        let mut tests = JoinSet::new();
        for (at, webhook) in webhooks.into_iter().enumerate() {
            let request = request(credential);
            let (shared, app, webhook) = (Arc::clone(shared), app.id.clone(), webhook.clone());
            tests.spawn(async move { (at, test(&shared, &app, webhook, &request).await) });
        }
        let mut tested = tests.join_all().await;
        tested.sort_unstable_by_key(|(at, _)| *at);
        Ok(tested.into_iter().map(|(_, tested)| tested).collect())
    }

    /// A turn for one request that an operator asks for beside the tests, and counts as one of these.
    ///
    /// # Errors
    /// Too many are under way, or were asked for.
    pub(crate) fn enter(&self, app: &AppId) -> Result<SemaphorePermit<'_>, NotTested> {
        let turn = self.turns.try_acquire().map_err(|_| NotTested::Busy)?;
        self.count(app, Instant::now())?;
        Ok(turn)
    }

    /// Counts a test of an app.
    fn count(&self, app: &AppId, now: Instant) -> Result<(), NotTested> {
        let mut counts = self.counts.lock();
        if counts.len() >= MOST_APPS {
            counts.retain(|_, (since, _)| now < *since + MINUTE);
            if counts.len() >= MOST_APPS && !counts.contains_key(app) {
                return Err(NotTested::Busy);
            }
        }
        let (since, count) = counts.entry(app.clone()).or_insert((now, 0));
        if now >= *since + MINUTE {
            (*since, *count) = (now, 0);
        }
        if *count >= MOST_IN_A_MINUTE {
            return Err(NotTested::TooOften(*since + MINUTE - now));
        }
        *count += 1;
        Ok(())
    }
}

/// The webhooks to test, at least one.
fn chosen<'a>(app: &'a App, wanted: TestedUrl<'_>) -> Result<Vec<&'a Webhook>, NotTested> {
    let urls = || app.webhooks.iter().map(|webhook| webhook.url.clone()).collect();
    let chosen: Vec<&Webhook> = match wanted {
        _ if app.webhooks.is_empty() => return Err(NotTested::NoWebhooks),
        TestedUrl::Enabled => app.webhooks.iter().filter(|webhook| webhook.enabled).collect(),
        TestedUrl::Named(url) => app.webhooks.iter().filter(|webhook| webhook.url == url).collect(),
        TestedUrl::Numbered(place) => {
            place.checked_sub(1).and_then(|at| app.webhooks.get(at)).into_iter().collect()
        }
    };
    match wanted {
        _ if !chosen.is_empty() => Ok(chosen),
        TestedUrl::Enabled => Err(NotTested::AllDisabled(urls())),
        TestedUrl::Named(_) | TestedUrl::Numbered(_) => Err(NotTested::NoSuchWebhook(urls())),
    }
}

/// A request with the one event.
fn request(credential: &Credential) -> Prepared {
    let event = WebhookEvent::of(&Transition::Occupied(ChannelName::trusted(CHANNEL)));
    let events: Vec<Waiting> = event.map(Waiting::from_now).into_iter().collect();
    Prepared::new(&events, credential, false)
}

async fn test(shared: &Shared, app: &AppId, webhook: Webhook, request: &Prepared) -> Tested {
    let attempt =
        Attempt::make(&shared.client, (app, &webhook.url), request, shared.settings().timeout).await;
    let mut delivery = Delivery { test: true, ..attempt.of(request, false) };
    let history = shared.histories.of(app, &webhook.url);
    delivery.number = shared.keep(app, &history, (delivery.clone(), None));
    let Webhook { url, enabled, .. } = webhook;
    Tested { url, enabled, delivery, request: request.shown() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn con_054_an_app_has_so_many_tests_a_minute_and_only_so_many_apps_are_counted() {
        let trials = Trials::default();
        let (one, start) = (AppId::from("1"), Instant::now());
        for _ in 0..MOST_IN_A_MINUTE {
            assert_eq!(trials.count(&one, start), Ok(()));
        }
        let later = start + Duration::from_secs(20);
        assert_eq!(trials.count(&one, later), Err(NotTested::TooOften(Duration::from_secs(40))));
        assert_eq!(trials.count(&AppId::from("2"), later), Ok(()), "another app");
        assert_eq!(trials.count(&one, start + MINUTE), Ok(()));
        for app in 0..MOST_APPS {
            let _ = trials.count(&AppId::from(&*format!("a{app}")), start + MINUTE);
        }
        assert_eq!(trials.counts.lock().len(), MOST_APPS);
        assert_eq!(trials.count(&AppId::from("more"), start + MINUTE), Err(NotTested::Busy));
        assert_eq!(trials.count(&one, start + MINUTE), Ok(()), "who is counted goes on");
        assert_eq!(trials.count(&AppId::from("more"), start + 3 * MINUTE), Ok(()));
    }
}
