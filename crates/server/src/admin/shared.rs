//! What the requests of the operators' listener share.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::problem::Problem;
use super::routes::AdminRoutes;
use super::wrong_tokens::WrongTokens;
use crate::state::State;

/// What the requests of the listener share.
pub(super) struct Admin {
    pub state: Arc<State>,
    pub routes: AdminRoutes,
    pub wrong_tokens: WrongTokens,
    pub under_way: Semaphore,
}

impl Admin {
    /// A turn to ask the database for something. It must not be held while the peer is waited for.
    ///
    /// # Errors
    /// As much is under way as may be.
    pub fn enter(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.under_way.try_acquire().map_err(|_| Problem::Busy)
    }
}
