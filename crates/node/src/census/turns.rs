//! Turns for lists of channels, which take memory for all their channels.
//!
//! Fair between apps: an app has one turn at most, so that however many lists an app asks for, another waits behind one of
//! them. Never bounds how long somebody waits.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most turns at once.
const MOST: usize = 2;

/// The turns of all apps.
pub(crate) struct Turns {
    free: Arc<Semaphore>,
    /// One turn for each app that has or awaits one. Guards the table only.
    apps: Arc<Mutex<HashMap<AppId, Arc<Semaphore>>>>,
}

/// A turn, until dropped.
pub(crate) struct Turn {
    _free: OwnedSemaphorePermit,
    _of_app: OfApp,
}

/// An app's place in the table, and its turn once that is there.
struct OfApp {
    apps: Arc<Mutex<HashMap<AppId, Arc<Semaphore>>>>,
    app: AppId,
    turn: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MOST)), apps: Arc::default() }
    }
}

impl Turns {
    /// Waits for a turn; `None` never happens, because nobody closes the semaphores.
    pub(crate) async fn take(&self, app: &AppId) -> Option<Turn> {
        let turn =
            Arc::clone(self.apps.lock().entry(app.clone()).or_insert_with(|| Arc::new(Semaphore::new(1))));
        let mut of_app = OfApp { apps: Arc::clone(&self.apps), app: app.clone(), turn, permit: None };
        of_app.permit = Some(Arc::clone(&of_app.turn).acquire_owned().await.ok()?);
        let free = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Turn { _free: free, _of_app: of_app })
    }
}

impl Drop for OfApp {
    fn drop(&mut self) {
        self.permit = None;
        let mut apps = self.apps.lock();
        // The table and this place: under the lock nobody else can get the app's turn.
        if Arc::strong_count(&self.turn) == 2 {
            apps.remove(&self.app);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: &mut std::pin::Pin<Box<F>>) -> Poll<F::Output> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_app_that_asks_for_many_lists_has_one_turn_and_others_have_theirs() {
        let turns = Turns::default();
        let [flood, one, other] = ["flood", "one", "other"].map(AppId::from);
        let mut lists: Vec<_> = (0..100).map(|_| Box::pin(turns.take(&flood))).collect();
        let mut taken: Vec<Turn> = lists
            .iter_mut()
            .filter_map(|list| if let Poll::Ready(turn) = poll(list) { turn } else { None })
            .collect();
        assert_eq!(taken.len(), 1);
        let mut first = Box::pin(turns.take(&one));
        let Poll::Ready(Some(turn)) = poll(&mut first) else { panic!("a turn was free") };
        let mut second = Box::pin(turns.take(&other));
        assert!(poll(&mut second).is_pending(), "two at a time");
        // The flood's next list waits behind those of others.
        taken.clear();
        assert!(poll(&mut lists[1]).is_pending());
        assert!(poll(&mut second).is_ready());
        drop((turn, lists, second, first));
        assert!(turns.apps.lock().is_empty());
    }
}
