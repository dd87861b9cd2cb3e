//! One URL of an app: its queue, and the task that sends the queued events.
//!
//! The task lives as long as the queue holds something to send. Nobody waits for the task: callers
//! leave events in the queue.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fanfare_protocol::auth::Credential;
use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::Webhook;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::attempt::{Attempt, Failure};
use crate::backlog::KeptRequest;
use crate::history::History;
use crate::queue::Queue;
use crate::request::{Prepared, Waiting};
use crate::settings::{Lost, Settings, Tally};
use crate::shared::Shared;
use crate::turns::{QUICK, TurnRequest};

/// Shortest time between two log lines about losses of one URL.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// The outlet's app, and its counters.
#[derive(Clone)]
pub(crate) struct Owner {
    pub app: AppId,
    pub tally: Arc<dyn Tally>,
}

/// One URL.
pub(crate) struct Endpoint {
    pub url: String,
    host: String,
    owner: Owner,
    shared: Arc<Shared>,
    history: Arc<History>,
    /// Guards the queue and its settings.
    state: Mutex<State>,
    /// Rings for something new in the queue.
    bell: Notify,
}

/// What a task of an outlet has come to.
enum Ended {
    /// An attempt.
    Attempt(Prepared, Attempt),
    /// Requests were to be kept, and are or are not.
    Keeping(Vec<Prepared>, bool),
}

struct State {
    queue: Queue,
    /// The webhook's settings: what its URL wants.
    wanted: Webhook,
    /// The oldest valid pair (HOOK-004).
    credential: Option<Credential>,
    is_running: bool,
    is_closed: bool,
    unlogged: Lost,
    logged: Option<Instant>,
}

impl Endpoint {
    pub(crate) fn new(webhook: &Webhook, owner: Owner, shared: &Arc<Shared>) -> Self {
        let host = webhook.url.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next());
        Self {
            url: webhook.url.clone(),
            host: host.unwrap_or_default().to_owned(),
            history: shared.histories.of(&owner.app, &webhook.url),
            owner,
            shared: Arc::clone(shared),
            state: Mutex::new(State {
                queue: Queue::new(shared.settings(), Arc::clone(&shared.bytes)),
                wanted: webhook.clone(),
                credential: None,
                is_running: false,
                is_closed: false,
                unlogged: Lost::default(),
                logged: None,
            }),
            bell: Notify::new(),
        }
    }

    /// Takes over newer settings; the new pair signs waiting events, but no request that was tried already.
    pub(crate) fn set(&self, webhook: &Webhook, credential: Option<&Credential>) {
        let mut state = self.state.lock();
        state.queue.batch = webhook.batch;
        state.queue.durable = webhook.durable && self.shared.backlog.get().is_some();
        state.wanted = webhook.clone();
        state.credential = credential.cloned();
    }

    /// Takes over other times and bounds; what waits goes by them too.
    pub(crate) fn set_settings(&self, settings: Settings) {
        self.state.lock().queue.settings = settings;
        self.bell.notify_one();
    }

    /// Queues an event, if the webhook wants the event; has to be called within a runtime.
    pub(crate) fn tell(self: &Arc<Self>, waiting: &Waiting) {
        let mut state = self.state.lock();
        if state.is_closed || !state.wanted.wants(waiting.event.kind, &waiting.event.channel) {
            return;
        }
        state.queue.push(waiting.clone());
        self.count_lost(&mut state);
        if state.queue.is_empty() {
            return;
        }
        if std::mem::replace(&mut state.is_running, true) {
            drop(state);
            self.bell.notify_one();
        } else {
            self.shared.busy.fetch_add(1, Ordering::Release);
            (self.shared.spawn)(Box::pin(Arc::clone(self).run()));
        }
    }

    /// Whether nothing waits and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        !self.state.lock().is_running
    }

    /// Events that wait, or are under way.
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// Drops the events of a source that are not under way.
    pub(crate) fn withdraw(&self, source: u32) {
        self.state.lock().queue.withdraw(source);
        self.bell.notify_one();
    }

    /// Retries every waiting request once, at once.
    pub(crate) fn end(&self) {
        self.state.lock().queue.end();
        self.bell.notify_one();
    }

    /// Keeps what was not delivered, of a durable URL, and sends nothing more.
    pub(crate) fn park(&self) {
        self.state.lock().queue.park();
        self.bell.notify_one();
    }

    /// Drops everything, requests under way included.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.queue.clear();
        self.count_lost(&mut state);
        self.log_lost(&mut state);
        drop(state);
        self.bell.notify_one();
    }

    /// Sends until the queue is empty.
    async fn run(self: Arc<Self>) {
        let mut attempts = JoinSet::new();
        while let Some(next) = self.begin(&mut attempts) {
            tokio::select! {
                Some(ended) = attempts.join_next() => {
                    match ended {
                        Ok(Ended::Attempt(request, attempt)) => self.note(request, attempt),
                        Ok(Ended::Keeping(requests, are_kept)) => self.note_kept(requests, are_kept),
                        // The requests sent are not known any more, so that the queue cannot go on.
                        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                        // No attempt is aborted while this runs.
                        Err(_) => {}
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                () = self.bell.notified() => {}
            }
        }
        // Attempts of a URL that is not wanted any more end here.
        drop(attempts);
        self.shared.busy.fetch_sub(1, Ordering::Release);
        self.shared.rest.notify_one();
    }

    /// Starts every request that is due; returns when to look again, or `None` for an empty queue.
    fn begin(self: &Arc<Self>, attempts: &mut JoinSet<Ended>) -> Option<Option<Instant>> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let State { queue, credential, .. } = &mut *state;
        let unkept = queue.take_unkept(credential.as_ref(), now);
        if !unkept.is_empty() {
            let as_kept = unkept.iter().map(|request| queue.to_keep(request, now)).collect();
            attempts.spawn(Arc::clone(self).keep(unkept, as_kept));
        }
        match credential {
            Some(credential) => {
                let turns = &self.shared.turns;
                loop {
                    queue.one_at_a_time = turns.are_scarce();
                    let Some(request) = queue.next(credential, now) else { break };
                    let wanted = (!queue.is_failing()).then(|| turns.want());
                    attempts.spawn(Arc::clone(self).attempt(request, wanted, queue.durable));
                }
            }
            // No receiver could verify an unsigned request.
            None => queue.give_up_fresh(),
        }
        self.count_lost(&mut state);
        if state.queue.is_empty() {
            self.log_lost(&mut state);
            state.is_running = false;
            return None;
        }
        Some(state.queue.next_moment())
    }

    async fn attempt(
        self: Arc<Self>,
        request: Prepared,
        wanted: Option<TurnRequest>,
        durable: bool,
    ) -> Ended {
        let began = Instant::now();
        let sending = async {
            let sending = self.send(&request);
            match wanted {
                Some(wanted) => {
                    let ended = wanted.quick(sending).await;
                    ended.unwrap_or_else(|_| Attempt::given_up(Failure::Crowded, QUICK))
                }
                None => self.shared.turns.patient(sending).await,
            }
        };
        let mut parked = self.shared.parked.subscribe();
        let attempt = tokio::select! {
            attempt = sending => attempt,
            _ = parked.wait_for(|is_parked| *is_parked), if durable => {
                Attempt::given_up(Failure::Late, began.elapsed())
            }
        };
        Ended::Attempt(request, attempt)
    }

    async fn send(&self, request: &Prepared) -> Attempt {
        let settings = self.shared.settings();
        if settings.is_late(request.since, Instant::now()) {
            return Attempt::given_up(Failure::Late, Duration::ZERO);
        }
        Attempt::make(&self.shared.client, (&self.owner.app, &self.url), request, settings.timeout).await
    }

    /// Has requests kept; the backlog has its own deadline.
    async fn keep(self: Arc<Self>, requests: Vec<Prepared>, as_kept: Vec<KeptRequest>) -> Ended {
        let are_kept = match self.shared.backlog.get() {
            Some(backlog) => backlog.keep(&self.owner.app, &self.url, as_kept).await,
            None => false,
        };
        Ended::Keeping(requests, are_kept)
    }

    fn note_kept(&self, requests: Vec<Prepared>, are_kept: bool) {
        let mut state = self.state.lock();
        if state.is_closed {
            return;
        }
        let count = requests.len() as u64;
        if are_kept {
            self.owner.tally.kept(count);
            state.queue.kept(&requests);
            // Outside the lock, because whoever waits for the events to be done is told.
            drop(state);
            drop(requests);
        } else {
            self.owner.tally.not_kept(count);
            state.queue.not_kept(requests, Instant::now());
        }
    }

    fn note(&self, request: Prepared, attempt: Attempt) {
        let mut state = self.state.lock();
        if state.is_closed {
            return;
        }
        let (app, host) = (self.owner.app.as_str(), &*self.host);
        let now = Instant::now();
        let again = attempt.outcome.is_err() && state.queue.tries_again(&request, now);
        let sent = attempt.outcome.is_err().then(|| request.to_keep(now, Duration::ZERO));
        self.shared.keep(&self.owner.app, &self.history, (attempt.of(&request, again), sent));
        match attempt.outcome {
            Ok(_) => {
                self.owner.tally.delivered();
                if state.queue.delivered(&request) {
                    tracing::info!(target: "fanfare::webhooks", app, host, "webhook is answered again");
                }
            }
            Err(failure) => {
                if !matches!(failure, Failure::Late) {
                    self.owner.tally.failed();
                }
                if state.queue.failed(request, now) {
                    tracing::warn!(
                        target: "fanfare::webhooks", app, host, %failure, "webhook failed; trying again"
                    );
                } else {
                    tracing::debug!(target: "fanfare::webhooks", app, host, %failure, "webhook failed");
                }
            }
        }
    }

    /// Counts the losses, and logs them now and then.
    fn count_lost(&self, state: &mut State) {
        let lost = state.queue.take_lost();
        if lost.events() == 0 {
            return;
        }
        self.owner.tally.dropped(lost.events());
        if let Some(losses) = self.shared.losses.get() {
            losses.lost(&self.owner.app, &self.host, lost);
        }
        state.unlogged.no_room += lost.no_room;
        state.unlogged.given_up += lost.given_up;
        if state.logged.is_none_or(|at| at.elapsed() >= BETWEEN_LINES) {
            self.log_lost(state);
        }
    }

    fn log_lost(&self, state: &mut State) {
        let Lost { no_room, given_up } = std::mem::take(&mut state.unlogged);
        if no_room + given_up > 0 {
            state.logged = Some(Instant::now());
            let (app, host) = (self.owner.app.as_str(), &*self.host);
            tracing::warn!(target: "fanfare::webhooks", app, host, no_room, given_up, "webhook events were dropped");
        }
    }
}
