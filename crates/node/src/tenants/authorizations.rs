//! Authorization requests to one app's application: the limit under way, the waiting queue, and counts of outcomes.
//!
//! Each app has its own limit, so that a slow application delays no other app's users. All apps share a bound too,
//! because each request holds a file descriptor or two; an app with many of the slots leaves the rest to others. So does a
//! client address with many of an app's slots, so that no stranger keeps an app's other users from asking.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::addresses::{ByAddress, OfAddress};

/// Slots of an app that a client address may hold in any case, however few are free.
const OF_EVERY_ADDRESS: usize = 8;

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
    under_way: Arc<AtomicUsize>,
}

impl OnNode {
    /// At most this many requests at once, waiting ones included.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, under_way: Arc::default() }
    }

    /// A slot for an app that holds `own` already; an app holds at most as many slots as are free, so that a new app
    /// always finds some.
    fn take(&self, own: usize) -> Option<Slot> {
        Slot::take(&self.under_way, self.most.saturating_sub(own))
    }

    /// Slots that an app may still take which holds `own` already.
    fn free_for(&self, own: usize) -> usize {
        self.most.saturating_sub(self.under_way.load(Ordering::Relaxed)).saturating_sub(own)
    }
}

/// A permit to ask the application, released on drop; to be held until the application has answered.
#[derive(Debug)]
pub struct Turn {
    _turn: OwnedSemaphorePermit,
    _on_node: Slot,
    _own: Slot,
    _of_address: Option<SlotOfAddress>,
}

/// No permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// The queue is full, of the app or of all, or waiting timed out.
    All,
    /// The client's address holds as many slots as are free.
    Address,
}

/// The requests of one app.
#[derive(Debug, Default)]
pub struct Authorizations {
    /// Created on first use: most apps never send a request.
    turns: OnceLock<Arc<Semaphore>>,
    waiting: Arc<AtomicUsize>,
    /// Requests under way or waiting.
    under_way: Arc<AtomicUsize>,
    /// The same of each client address.
    by_address: ByAddress<Arc<AtomicUsize>>,
    /// Counts, in the order of [`AuthorizationOutcome::ALL`].
    outcomes: [AtomicU64; AuthorizationOutcome::ALL.len()],
}

impl Authorizations {
    /// Waits for a permit to ask the application, for a client of this address; `None` is an address without a bound.
    ///
    /// # Errors
    /// The queue is full, of this app or of all, or the address has its share of the queue, or waiting timed out.
    pub async fn turn(&self, most: Most, node: &OnNode, address: Option<IpAddr>) -> Result<Turn, Busy> {
        let _of_address = match address {
            Some(address) => Some(self.take_of(address, most, node).ok_or(Busy::Address)?),
            None => None,
        };
        let _on_node = node.take(self.under_way.load(Ordering::Relaxed)).ok_or(Busy::All)?;
        let _own = Slot::take(&self.under_way, usize::MAX).ok_or(Busy::All)?;
        let turns = self.turns.get_or_init(|| Arc::new(Semaphore::new(most.at_once)));
        if let Ok(_turn) = Arc::clone(turns).try_acquire_owned() {
            return Ok(Turn { _turn, _on_node, _own, _of_address });
        }
        let _place = Slot::take(&self.waiting, most.waiting).ok_or(Busy::All)?;
        match tokio::time::timeout(most.patience, Arc::clone(turns).acquire_owned()).await {
            Ok(Ok(_turn)) => Ok(Turn { _turn, _on_node, _own, _of_address }),
            // The second error never occurs: the semaphore is never closed.
            Err(_) | Ok(Err(_)) => Err(Busy::All),
        }
    }

    /// A slot for a client address; it holds at most as many as the app has free, so that a new address always finds some.
    fn take_of(&self, address: IpAddr, most: Most, node: &OnNode) -> Option<SlotOfAddress> {
        let own = self.under_way.load(Ordering::Relaxed);
        let free = most.at_once.saturating_add(most.waiting).saturating_sub(own).min(node.free_for(own));
        let of_address = self.by_address.of(address, Arc::default);
        Slot::take(&of_address, free.max(OF_EVERY_ADDRESS)).map(|slot| (slot, of_address))
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
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let free = |count: usize| (count < most).then_some(count + 1);
        let took = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        took.is_ok().then(|| Self(Arc::clone(taken)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A slot that counts for a client address, and what keeps the address's count.
type SlotOfAddress = (Slot, Arc<OfAddress<Arc<AtomicUsize>>>);

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
                    Box::pin(Authorizations::turn(app, most, &node, None));
                match poll(turn.as_mut()) {
                    Poll::Ready(Err(_)) => return turns,
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

    #[tokio::test]
    async fn an_address_leaves_as_many_places_of_an_app_to_others_as_it_has() {
        let (app, node, small) = (Authorizations::default(), OnNode::new(1000), OnNode::new(30));
        let most = Most { at_once: 4, waiting: 96, ..MOST };
        let fill = |last: u8, node| {
            let mut turns = Vec::new();
            loop {
                let address = Some(IpAddr::from([192, 0, 2, last]));
                let mut turn: Pin<Box<dyn Future<Output = _>>> = Box::pin(app.turn(most, node, address));
                match poll(turn.as_mut()) {
                    Poll::Ready(Err(busy)) => return (turns, busy),
                    Poll::Ready(Ok(held)) => turns.push(Held::Turn(held)),
                    Poll::Pending => turns.push(Held::Waits(turn)),
                }
            }
        };
        let (held, busy) = fill(1, &node);
        assert_eq!((held.len(), busy), (50, Busy::Address));
        let others = [2, 3, 4, 5].map(|last| fill(last, &node));
        assert_eq!(others.each_ref().map(|(held, _)| held.len()), [25, 13, 8, 4]);
        assert_eq!(others.last().map(|(_, busy)| *busy), Some(Busy::All), "nothing is free");
        drop((held, others));
        assert!(app.by_address.is_empty());
        let (held, busy) = fill(1, &small);
        assert_eq!(
            (held.len(), busy),
            (10, Busy::Address),
            "of the node's 30, the app leaves as many as it has too"
        );
    }

    #[expect(dead_code, reason = "what is held is only dropped")]
    enum Held<'a> {
        Turn(Turn),
        Waits(Pin<Box<dyn Future<Output = Result<Turn, Busy>> + 'a>>),
    }

    #[tokio::test]
    async fn beyond_those_who_are_asked_some_wait_and_the_rest_are_turned_away() {
        let app = Authorizations::default();
        let node = OnNode::new(100);
        let first = app.turn(MOST, &node, None).await.unwrap();
        let second = app.turn(MOST, &node, None).await.unwrap();
        let mut third = pin!(app.turn(MOST, &node, None));
        assert!(poll(third.as_mut()).is_pending());
        for _ in 0..3 {
            assert_eq!(
                app.turn(MOST, &node, None).await.err(),
                Some(Busy::All),
                "who is turned away frees no place"
            );
        }
        drop(first);
        let third = third.await.unwrap();
        {
            let mut leaves = pin!(app.turn(MOST, &node, None));
            assert!(poll(leaves.as_mut()).is_pending());
        }
        let mut fourth = pin!(app.turn(MOST, &node, None));
        assert!(poll(fourth.as_mut()).is_pending(), "whoever leaves gives back the place");
        drop((second, third));
        drop(fourth.await.unwrap());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_setting() {
        let app = Authorizations::default();
        let node = OnNode::new(100);
        let most = Most { at_once: 1, patience: Duration::ZERO, ..MOST };
        let _held = app.turn(most, &node, None).await.unwrap();
        assert_eq!(app.turn(most, &node, None).await.err(), Some(Busy::All));
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
