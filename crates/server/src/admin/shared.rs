//! State that the requests of the operators' listener share.

use std::sync::Arc;

use fanfare_apps::SessionTimes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::doctor::Examinations;
use super::often::Often;
use super::problem::Problem;
use super::routes::AdminRoutes;
use super::wrong_tokens::WrongTokens;
use crate::state::State;

/// State that the requests of the listener share.
pub(super) struct Admin {
    pub state: Arc<State>,
    pub routes: AdminRoutes,
    pub wrong_tokens: WrongTokens,
    /// The live lists with payloads that each token has opened, which leave entries in the audit log.
    pub lists_opened: Often<i64>,
    pub under_way: Arc<Semaphore>,
    /// What the doctor examines now.
    pub examinations: Arc<Examinations>,
}

impl Admin {
    /// How long sessions last.
    pub fn session_times(&self) -> SessionTimes {
        let config = self.state.node.config();
        let console = &config.console;
        SessionTimes { life: console.session_seconds, idle: console.idle_seconds }
    }

    /// A permit to use the database. The permit must not be held while waiting for the peer.
    ///
    /// # Errors
    /// Too many requests are under way.
    pub fn enter(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.under_way.try_acquire().map_err(|_| Problem::Busy)
    }

    /// As [`Admin::enter`], a permit for work that goes on without its request.
    ///
    /// # Errors
    /// Too many requests are under way.
    pub fn enter_to_stay(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.under_way).try_acquire_owned().map_err(|_| Problem::Busy)
    }
}
