//! Authorization requests to one app's application: the limit under way, the waiting queue, and counts of outcomes.
//!
//! Each app has its own limit, so that a slow application delays no other app's users. All apps share a bound too,
//! because each request holds a file descriptor or two; an app with many of the slots leaves the rest to others.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The outcome of an authorization request, and the name of its counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationOutcome {
    /// The request was signed.
    Allowed,
    /// The application said no.
    Denied,
    /// The application gave an answer that is neither yes nor no.
    NotUnderstood,
    /// The application failed, or cannot be reached.
    Failed,
    /// The application timed out.
    Late,
    /// Too many requests are under way: the application was not asked.
    Busy,
    /// The requested signature is never given: the application was not asked.
    Refused,
}

impl AuthorizationOutcome {
    /// All outcomes, in the order of their counters.
    pub const ALL: [Self; 7] = [
        Self::Allowed,
        Self::Denied,
        Self::NotUnderstood,
        Self::Failed,
        Self::Late,
        Self::Busy,
        Self::Refused,
    ];

    /// The label of the counter.
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

/// The bounds; the settings `limits.authorizations` and `limits.authorizations_waiting`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Most requests under way.
    pub at_once: usize,
    /// Most waiting requests.
    pub waiting: usize,
    /// Timeout of waiting.
    pub patience: Duration,
}

/// The requests of all apps together.
#[derive(Debug)]
pub struct OnNode {
    most: usize,
    under_way: AtomicUsize,
}

impl OnNode {
    /// At most this many requests at once, waiting ones included.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, under_way: AtomicUsize::new(0) }
    }

    /// A slot for an app that holds `own` already; an app holds at most as many slots as are free, so that a new app
    /// always finds some.
    fn take(&self, own: usize) -> Option<Slot<'_>> {
        let free = |count: usize| (own < self.most.saturating_sub(count)).then_some(count + 1);
        let taken = self.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Slot(&self.under_way))
    }
}

/// A permit to ask the application, released on drop.
#[derive(Debug)]
pub struct Turn<'a> {
    _turn: SemaphorePermit<'a>,
    _on_node: Slot<'a>,
    _own: Slot<'a>,
}

/// No permit: the queue is full, or waiting timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The requests of one app.
#[derive(Debug, Default)]
pub struct Authorizations {
    /// Created on first use: most apps never send a request.
    turns: OnceLock<Semaphore>,
    waiting: AtomicUsize,
    /// Requests under way or waiting.
    under_way: AtomicUsize,
    /// Counts, in the order of [`AuthorizationOutcome::ALL`].
    outcomes: [AtomicU64; AuthorizationOutcome::ALL.len()],
}

impl Authorizations {
    /// Waits for a permit to ask the application.
    ///
    /// # Errors
    /// The queue is full, of this app or of all, or waiting timed out.
    pub async fn turn<'a>(&'a self, most: Most, node: &'a OnNode) -> Result<Turn<'a>, Busy> {
        let _on_node = node.take(self.under_way.load(Ordering::Relaxed)).ok_or(Busy)?;
        let _own = Slot::take(&self.under_way, usize::MAX).ok_or(Busy)?;
        let turns = self.turns.get_or_init(|| Semaphore::new(most.at_once));
        if let Ok(_turn) = turns.try_acquire() {
            return Ok(Turn { _turn, _on_node, _own });
        }
        let _place = Slot::take(&self.waiting, most.waiting).ok_or(Busy)?;
        match tokio::time::timeout(most.patience, turns.acquire()).await {
            Ok(Ok(_turn)) => Ok(Turn { _turn, _on_node, _own }),
            // The second error never occurs: the semaphore is never closed.
            Err(_) | Ok(Err(_)) => Err(Busy),
        }
    }

    /// Counts an outcome.
    pub fn count(&self, outcome: AuthorizationOutcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The number of each outcome, in the order of [`AuthorizationOutcome::ALL`].
    #[must_use]
    pub fn counts(&self) -> [(AuthorizationOutcome, u64); AuthorizationOutcome::ALL.len()] {
        AuthorizationOutcome::ALL
            .map(|outcome| (outcome, self.outcomes[outcome as usize].load(Ordering::Relaxed)))
    }
}

/// A slot of a request, waiting or under way, released on drop.
#[derive(Debug)]
struct Slot<'a>(&'a AtomicUsize);

impl<'a> Slot<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let free = |count: usize| (count < most).then_some(count + 1);
        let taken = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Self(waiting))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    const MOST: Most = Most { at_once: 2, waiting: 1, patience: Duration::from_secs(3600) };

    /// Polls a future once.
    fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn an_app_leaves_as_many_places_of_the_node_to_others_as_it_has() {
        let node = OnNode::new(8);
        let most = Most { at_once: 1, waiting: 100, ..MOST };
        let (one, other, third) =
            (Authorizations::default(), Authorizations::default(), Authorizations::default());
        let fill = |app| {
            let mut turns = Vec::new();
            loop {
                let mut turn: Pin<Box<dyn Future<Output = _>>> =
                    Box::pin(Authorizations::turn(app, most, &node));
                match poll(turn.as_mut()) {
                    Poll::Ready(Err(Busy)) => return turns,
                    // A turn that is given is kept, as one that asks and gets no answer.
                    Poll::Ready(Ok(held)) => turns.push(Held::Turn(held)),
                    Poll::Pending => turns.push(Held::Waits(turn)),
                }
            }
        };
        let (held, other_held, third_held) = (fill(&one), fill(&other), fill(&third));
        assert_eq!([held.len(), other_held.len(), third_held.len()], [4, 2, 1]);
        assert_eq!(node.under_way.load(Ordering::Relaxed), 7);
        drop((held, other_held));
        assert_eq!(node.under_way.load(Ordering::Relaxed), 1);
        drop(third_held);
        assert_eq!(node.under_way.load(Ordering::Relaxed), 0);
        assert_eq!(one.under_way.load(Ordering::Relaxed), 0);
    }

    #[expect(dead_code, reason = "what is held is only dropped")]
    enum Held<'a> {
        Turn(Turn<'a>),
        Waits(Pin<Box<dyn Future<Output = Result<Turn<'a>, Busy>> + 'a>>),
    }

    #[tokio::test]
    async fn beyond_those_who_are_asked_some_wait_and_the_rest_are_turned_away() {
        let app = Authorizations::default();
        let node = OnNode::new(100);
        let first = app.turn(MOST, &node).await.unwrap();
        let second = app.turn(MOST, &node).await.unwrap();
        let mut third = pin!(app.turn(MOST, &node));
        assert!(poll(third.as_mut()).is_pending());
        for _ in 0..3 {
            assert_eq!(app.turn(MOST, &node).await.err(), Some(Busy), "who is turned away frees no place");
        }
        drop(first);
        let third = third.await.unwrap();
        {
            let mut leaves = pin!(app.turn(MOST, &node));
            assert!(poll(leaves.as_mut()).is_pending());
        }
        let mut fourth = pin!(app.turn(MOST, &node));
        assert!(poll(fourth.as_mut()).is_pending(), "whoever leaves gives back the place");
        drop((second, third));
        drop(fourth.await.unwrap());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_setting() {
        let app = Authorizations::default();
        let node = OnNode::new(100);
        let most = Most { at_once: 1, patience: Duration::ZERO, ..MOST };
        let _held = app.turn(most, &node).await.unwrap();
        assert_eq!(app.turn(most, &node).await.err(), Some(Busy));
    }

    #[test]
    fn each_outcome_has_a_counter_of_its_own() {
        let app = Authorizations::default();
        for (times, outcome) in AuthorizationOutcome::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| app.count(outcome));
        }
        for (times, (outcome, count)) in app.counts().into_iter().enumerate() {
            assert_eq!(count, times as u64, "{}", outcome.label());
        }
    }
}
