//! What the outlets of all apps share: the settings, the client, the histories, and how much is under way.
//!
//! Sends nothing itself.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use fanfare_outgoing::Client;
use fanfare_protocol::ids::AppId;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};

use crate::backlog::{Backlog, KeptRequest};
use crate::delivery::Delivery;
use crate::history::{Histories, History, MOST_BYTES};
use crate::settings::{AttemptsHeard, Losses, Settings, Spawn};
use crate::turns::Turns;

/// State that the outlets of all apps share.
pub(crate) struct Shared {
    settings: RwLock<Settings>,
    pub client: Client,
    pub histories: Histories,
    pub turns: Arc<Turns>,
    /// Where requests of durable URLs are kept, if there is such a place.
    pub backlog: OnceLock<Arc<dyn Backlog>>,
    /// Who hears of losses, if somebody does.
    pub losses: OnceLock<Arc<dyn Losses>>,
    /// Who hears of each attempt, if somebody does.
    pub attempts: OnceLock<AttemptsHeard>,
    /// Attempts of durable URLs are broken off, at the end.
    pub parked: watch::Sender<bool>,
    /// Spawns the sending task: an outlet whose task has panicked would never send again.
    pub spawn: Spawn,
    /// Bytes of all queues.
    pub bytes: Arc<AtomicUsize>,
    /// Outlets with something to send, and a bell for when their number falls.
    pub busy: AtomicUsize,
    pub rest: Notify,
    /// Set when what is not sent yet is dropped, and other nodes have to send it.
    pub is_over: Arc<AtomicBool>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, client: Client, spawn: Spawn) -> Self {
        Self {
            turns: Arc::new(Turns::new(settings.most_requests)),
            settings: RwLock::new(settings),
            client,
            histories: Histories::new(MOST_BYTES),
            backlog: OnceLock::new(),
            losses: OnceLock::new(),
            attempts: OnceLock::new(),
            parked: watch::Sender::new(false),
            spawn,
            bytes: Arc::default(),
            busy: AtomicUsize::new(0),
            rest: Notify::new(),
            is_over: Arc::default(),
        }
    }

    /// The settings of now.
    pub(crate) fn settings(&self) -> Settings {
        *self.settings.read()
    }

    /// Other settings from now on, for what is new.
    pub(crate) fn set_settings(&self, settings: Settings) {
        *self.settings.write() = settings;
    }

    /// Keeps an attempt in a URL's history with what was sent, and tells who hears of attempts; returns the attempt's number.
    pub(crate) fn keep(&self, app: &AppId, history: &History, one: (Delivery, Option<KeptRequest>)) -> u64 {
        let (delivery, sent) = one;
        if let Some(heard) = self.attempts.get() {
            heard(app, history.url(), &delivery);
        }
        self.histories.keep(history, delivery, sent)
    }

    /// Whether any request is still to be sent.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire) > 0
    }
}
