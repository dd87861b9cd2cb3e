//! The bodies of requests that strangers may send: bounded together in bytes while they arrive, and of each client address.
//!
//! The bound is a sum of its own, beside the budget of outboxes: a budget that is exceeded closes connections, so that a
//! stranger's bodies would close those of others.
//!
//! A request with a signature is not read here. The first bytes of a body are not counted: connections and streams bound
//! those.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_node::addresses::{ByAddress, OfAddress, counted};
use hyper::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::connections::{ExemptNetworks, RequestBody};
use crate::http::body::{Arriving, BodyError};

/// Most bytes of all large bodies that arrive at once, on the node.
const MOST: usize = 64 << 20;

/// The same of one client address.
const MOST_OF_ADDRESS: usize = MOST / 16;

/// Most bytes of a small body. Browsers' messages have some hundred.
const SMALL: usize = 16 << 10;

/// Bytes of one permit.
const UNIT: usize = 1 << 10;

/// The room for large bodies. A body waits for room as long as bodies may take to arrive.
#[derive(Debug)]
pub struct Bodies {
    room: Semaphore,
    of_address: ByAddress<Arc<Semaphore>>,
    /// Addresses that may have all the room: all clients behind such a proxy may have its address.
    exempt: ExemptNetworks,
}

/// A body that has arrived; its room is given back with the value.
#[derive(Debug)]
pub struct ArrivedBody<'a> {
    /// The body.
    pub bytes: Bytes,
    _room: Option<Room<'a>>,
}

/// The room of one large body.
#[derive(Debug)]
struct Room<'a> {
    _room: SemaphorePermit<'a>,
    _of_address: Option<(OwnedSemaphorePermit, Arc<OfAddress<Arc<Semaphore>>>)>,
}

impl Bodies {
    /// Room that is free.
    #[must_use]
    pub fn new(exempt: ExemptNetworks) -> Self {
        Self { room: Semaphore::new(MOST / UNIT), of_address: ByAddress::default(), exempt }
    }

    /// The whole body of a request, at most `limit` bytes, that a client sends. A body takes room once more than a small
    /// one has come.
    ///
    /// # Errors
    /// Too large, too slow, or broken off; or there was no room all the time that a body may take.
    pub async fn read(
        &self,
        request: Request<RequestBody>,
        client: IpAddr,
        limit: usize,
        patience: Duration,
    ) -> Result<ArrivedBody<'_>, BodyError> {
        let begun = Arriving::of(request, limit).await?.begin(SMALL, patience).await?;
        let room = match begun.most() {
            None => None,
            Some(most) => {
                Some(timeout(patience, self.room(client, most)).await.map_err(|_| BodyError::Late)?)
            }
        };
        Ok(ArrivedBody { bytes: begun.rest(patience).await?, _room: room })
    }

    /// Waits for room: first within the share of the client's address, so that an address keeps nobody but itself waiting.
    /// A body that is larger than the share takes all of the share, and of the common room what the body may take.
    async fn room(&self, client: IpAddr, bytes: usize) -> Room<'_> {
        let units = |most: usize| u32::try_from(bytes.min(most).div_ceil(UNIT)).unwrap_or(u32::MAX);
        let _of_address = match counted(client, &self.exempt.now()) {
            None => None,
            Some(address) => {
                let share = || Arc::new(Semaphore::new(MOST_OF_ADDRESS / UNIT));
                let share = self.of_address.of(address, share);
                let permit = Arc::<Semaphore>::clone(&share).acquire_many_owned(units(MOST_OF_ADDRESS)).await;
                permit.ok().map(|permit| (permit, share))
            }
        };
        match self.room.acquire_many(units(MOST)).await {
            Ok(_room) => Room { _room, _of_address },
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn an_address_has_its_share_of_the_room_and_others_have_theirs() {
        let bodies = Bodies::new(ExemptNetworks::new(vec!["192.0.2.9/32".parse().unwrap()]));
        let (stranger, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let first = bodies.room(stranger, MOST_OF_ADDRESS - UNIT).await;
        let mut second = pin!(bodies.room(stranger, 2 * UNIT));
        assert!(poll(second.as_mut()).is_pending(), "one more than the share");
        let others = bodies.room(other, 2 * UNIT).await;
        let proxy = bodies.room([192, 0, 2, 9].into(), MOST - MOST_OF_ADDRESS - UNIT).await;
        drop(first);
        let second = second.await;
        assert_eq!(bodies.of_address.len(), 2);
        drop((others, second));
        assert!(bodies.of_address.is_empty());
        let all = || bodies.room([192, 0, 2, 9].into(), MOST);
        assert!(poll(pin!(all())).is_pending(), "the proxy has nearly all");
        drop(proxy);
        assert!(poll(pin!(all())).is_ready());
        let large = bodies.room(stranger, usize::MAX).await;
        assert!(poll(pin!(bodies.room(other, UNIT))).is_pending(), "a body as large as all takes all");
        drop(large);
        assert!(poll(pin!(bodies.room(other, 2 * MOST_OF_ADDRESS))).is_ready());
    }
}
