//! The bound on requests under way to all URLs together, so that URLs that answer do not wait for URLs that
//! do not.
//!
//! A request needs a turn, and there are two kinds. A quick turn is for a URL that is not known to fail, and ends
//! soon; a request that needs longer has to get a patient turn by then. URLs that fail get patient turns alone. So any
//! number of hanging URLs holds quick turns for a moment, and each URL once.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Longest time that a quick turn lasts.
pub(crate) const QUICK: Duration = Duration::from_millis(500);

/// The turns of a node.
#[derive(Debug)]
pub(crate) struct Turns {
    quick: Semaphore,
    patient: Semaphore,
    /// Number of turns of each kind.
    most: usize,
    /// Requests that have a quick turn, or wait for one.
    wanted: AtomicUsize,
}

/// A quick turn that is wanted or taken, until the drop of this value.
#[derive(Debug)]
pub(crate) struct TurnRequest(Arc<Turns>);

/// The quick turn ended without an answer, and all patient turns are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

impl Turns {
    /// So many turns, half of them quick; at least one of each kind.
    pub(crate) fn new(requests: usize) -> Self {
        let most = requests.div_ceil(2);
        let (quick, patient) = (Semaphore::new(most), Semaphore::new(most));
        Self { quick, patient, most, wanted: AtomicUsize::new(0) }
    }

    /// Whether quick turns are so scarce that each URL is to ask for one alone.
    pub(crate) fn are_scarce(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) * 2 >= self.most
    }

    /// Asks for a quick turn.
    pub(crate) fn want(self: &Arc<Self>) -> TurnRequest {
        self.wanted.fetch_add(1, Ordering::Relaxed);
        TurnRequest(Arc::clone(self))
    }

    /// Makes an attempt in a patient turn, as soon as a turn is free.
    pub(crate) async fn patient<T>(&self, attempt: impl Future<Output = T>) -> T {
        let _turn = taken(&self.patient).await;
        attempt.await
    }
}

impl TurnRequest {
    /// Makes an attempt as soon as a quick turn is free.
    ///
    /// # Errors
    /// The attempt was started, but took too long, and no patient turn was free to go on in.
    pub(crate) async fn quick<T>(self, attempt: impl Future<Output = T>) -> Result<T, Crowded> {
        let turns = Arc::clone(&self.0);
        let turn = taken(&turns.quick).await;
        let mut attempt = pin!(attempt);
        if let Ok(done) = timeout(QUICK, attempt.as_mut()).await {
            return Ok(done);
        }
        let _patient = turns.patient.try_acquire().map_err(|_| Crowded)?;
        drop((turn, self));
        Ok(attempt.await)
    }
}

impl Drop for TurnRequest {
    fn drop(&mut self) {
        self.0.wanted.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A turn of this kind; the semaphores are never closed, so a turn comes in the end.
async fn taken(turns: &Semaphore) -> Option<SemaphorePermit<'_>> {
    turns.acquire().await.ok()
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn hook_023_who_is_not_answered_holds_a_quick_turn_for_a_moment_and_is_broken_off_if_many_are_not()
    {
        let turns = Arc::new(Turns::new(2));
        let newly_wanted = Instant::now();
        let hangs = tokio::spawn(turns.want().quick(pending::<()>()));
        tokio::task::yield_now().await;
        assert_eq!(turns.want().quick(async { 1 }).await, Ok(1));
        assert!(newly_wanted.elapsed() >= QUICK, "it waited for a quick turn to end");
        let slow = async { sleep(QUICK + Duration::from_secs(1)).await };
        assert_eq!(turns.want().quick(slow).await, Err(Crowded));
        hangs.abort();
        assert!(hangs.await.is_err());
        let slow = async { sleep(QUICK + Duration::from_secs(1)).await };
        assert_eq!(turns.want().quick(slow).await, Ok(()), "there was a patient turn for it");
        assert_eq!((turns.quick.available_permits(), turns.patient.available_permits()), (1, 1));
        assert_eq!(turns.wanted.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn hook_023_urls_that_fail_wait_for_one_another_alone() {
        let turns = Arc::new(Turns::new(2));
        let failing = Arc::clone(&turns);
        let hangs = tokio::spawn(async move { failing.patient(pending::<()>()).await });
        tokio::task::yield_now().await;
        let newly_wanted = Instant::now();
        assert_eq!(turns.want().quick(async { 1 }).await, Ok(1));
        assert_eq!(newly_wanted.elapsed(), Duration::ZERO);
        let other = timeout(Duration::from_secs(60), turns.patient(async { 1 })).await;
        assert!(other.is_err(), "it waits for the one that hangs");
        hangs.abort();
        assert!(hangs.await.is_err());
        assert_eq!(turns.patient(async { 1 }).await, 1);
    }

    #[test]
    fn quick_turns_are_scarce_while_half_of_them_are_wanted() {
        let turns = Arc::new(Turns::new(8));
        let one = turns.want();
        assert!(!turns.are_scarce());
        let two = turns.want();
        assert!(turns.are_scarce());
        drop((one, two));
        assert!(!turns.are_scarce());
    }
}
