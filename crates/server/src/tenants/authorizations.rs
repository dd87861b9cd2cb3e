//! How many questions one app's application is asked at once, how many wait, and what became of them.
//!
//! Each app has its own, so that a slow application delays nobody else's users.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// What became of a request for an authorization, and the name by which it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Signed.
    Allowed,
    /// The application said no.
    Denied,
    /// The application answered with something that is neither.
    NotUnderstood,
    /// The application failed, or is not there.
    Failed,
    /// The application was too slow.
    Late,
    /// Too many were there already: the application was not asked.
    Busy,
    /// What was asked for is never signed: the application was not asked.
    Refused,
}

impl Outcome {
    /// All there are, in the order in which they are counted.
    pub const ALL: [Self; 7] = [
        Self::Allowed,
        Self::Denied,
        Self::NotUnderstood,
        Self::Failed,
        Self::Late,
        Self::Busy,
        Self::Refused,
    ];

    /// The label of its counter.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::NotUnderstood => "not_understood",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Busy => "busy",
            Self::Refused => "refused",
        }
    }
}

/// How many at most; the settings `limits.authorizations` and `limits.authorizations_waiting`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Asked at once.
    pub at_once: usize,
    /// Waiting for their turn.
    pub waiting: usize,
    /// How long they wait.
    pub patience: Duration,
}

/// No turn to ask: too many wait, or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// One app's questions.
#[derive(Debug, Default)]
pub struct Authorizations {
    /// Made when the first is asked: most apps never are.
    turns: OnceLock<Semaphore>,
    waiting: AtomicUsize,
    /// In the order of [`Outcome::ALL`].
    outcomes: [AtomicU64; Outcome::ALL.len()],
}

impl Authorizations {
    /// Waits for a turn to ask, which ends when it is dropped.
    ///
    /// # Errors
    /// Too many wait already, or there was no turn in time.
    pub async fn turn(&self, most: Most) -> Result<SemaphorePermit<'_>, Busy> {
        let turns = self.turns.get_or_init(|| Semaphore::new(most.at_once));
        if let Ok(turn) = turns.try_acquire() {
            return Ok(turn);
        }
        let _place = Place::take(&self.waiting, most.waiting).ok_or(Busy)?;
        match tokio::time::timeout(most.patience, turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            // The second never comes: nobody closes the semaphore.
            Err(_) | Ok(Err(_)) => Err(Busy),
        }
    }

    /// Counts what became of one.
    pub fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often each has happened, in the order of [`Outcome::ALL`].
    #[must_use]
    pub fn counts(&self) -> [(Outcome, u64); Outcome::ALL.len()] {
        Outcome::ALL.map(|outcome| (outcome, self.outcomes[outcome as usize].load(Ordering::Relaxed)))
    }
}

/// A place among those who wait, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let free = |count: usize| (count < most).then_some(count + 1);
        let taken = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const MOST: Most = Most { at_once: 2, waiting: 1, patience: Duration::from_secs(3600) };

    /// One look at a future.
    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn beyond_those_who_are_asked_some_wait_and_the_rest_are_turned_away() {
        let app = Authorizations::default();
        let first = app.turn(MOST).await.unwrap();
        let second = app.turn(MOST).await.unwrap();
        let mut third = pin!(app.turn(MOST));
        assert!(poll(third.as_mut()).is_pending());
        for _ in 0..3 {
            assert_eq!(app.turn(MOST).await.err(), Some(Busy), "who is turned away frees no place");
        }
        drop(first);
        let third = third.await.unwrap();
        {
            let mut leaves = pin!(app.turn(MOST));
            assert!(poll(leaves.as_mut()).is_pending());
        }
        let mut fourth = pin!(app.turn(MOST));
        assert!(poll(fourth.as_mut()).is_pending(), "whoever leaves gives back the place");
        drop((second, third));
        drop(fourth.await.unwrap());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_setting() {
        let app = Authorizations::default();
        let most = Most { at_once: 1, patience: Duration::ZERO, ..MOST };
        let _held = app.turn(most).await.unwrap();
        assert_eq!(app.turn(most).await.err(), Some(Busy));
    }

    #[test]
    fn each_outcome_has_a_counter_of_its_own() {
        let app = Authorizations::default();
        for (times, outcome) in Outcome::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| app.count(outcome));
        }
        for (times, (outcome, count)) in app.counts().into_iter().enumerate() {
            assert_eq!(count, times as u64, "{}", outcome.label());
        }
    }
}
