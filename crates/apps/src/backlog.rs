//! The webhooks' backlog: requests that were not delivered at the first attempt, kept in the database.
//!
//! Sends nothing, and knows no secret: a request is kept with its key alone. Bounded; over a bound the oldest go. Every
//! time is the database's, so that the clocks of nodes do not matter: callers give and get spans of time. A request is
//! leased to one node at a time; the lease of a node that died ends by itself.

use std::time::Duration;

use bytes::Bytes;
use fanfare_protocol::ids::AppId;

use crate::apps::{Apps, in_time};
use crate::operations::OperationError;

/// A request to keep.
#[derive(Clone, Debug)]
pub struct UndeliveredRequest {
    /// The key whose secret signs the request.
    pub key: String,
    /// The body, byte for byte.
    pub body: Bytes,
    /// Number of events in the body.
    pub events: usize,
    /// Failed attempts.
    pub attempts: u32,
    /// Age of the first event.
    pub age: Duration,
    /// Time until the next attempt.
    pub due_in: Duration,
}

/// The most of kept requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogBounds {
    /// The age of an event whose request is dropped.
    pub age: Duration,
    /// Of one URL.
    pub of_url: BacklogRoom,
    /// Of one app.
    pub of_app: BacklogRoom,
    /// Of all apps.
    pub in_all: BacklogRoom,
}

/// A number of requests, and of the bytes that they take in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogRoom {
    /// The most requests.
    pub requests: usize,
    /// The most bytes.
    pub bytes: usize,
}

/// A dropped request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedRequest {
    /// Whose request it was.
    pub app: AppId,
    /// Number of its events.
    pub events: u64,
}

/// A URL with kept requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackloggedUrl {
    /// The app of the URL.
    pub app: AppId,
    /// The URL.
    pub url: String,
    /// Time until a request is due that no node has leased.
    pub due_in: Duration,
}

/// The kept requests of a URL, leased ones too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptOfUrl {
    /// How many; of more than [`MOST_KEPT_COUNTED`] one more than these.
    pub requests: usize,
    /// The age of the first event of the request that was kept first.
    pub oldest: Option<Duration>,
}

/// Kept requests of a URL that are counted at most.
pub const MOST_KEPT_COUNTED: usize = 10_000;

/// Requests of a URL that this node alone may send, until the lease ends.
#[derive(Debug)]
pub struct RequestLease {
    pub(crate) number: i64,
    pub(crate) app: AppId,
    pub(crate) url: String,
    /// The requests, those in front that were due first, and of these those that were kept first.
    pub requests: Vec<LeasedRequest>,
}

/// A request of a lease.
#[derive(Clone, Debug)]
pub struct LeasedRequest {
    pub(crate) id: i64,
    /// The key whose secret signs the request.
    pub key: String,
    /// The body, byte for byte.
    pub body: Bytes,
    /// Number of events in the body.
    pub events: usize,
    /// Failed attempts.
    pub attempts: u32,
}

/// How an attempt at a leased request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The request was delivered, and leaves the backlog.
    Delivered,
    /// The request is due again after this time.
    Failed(Duration),
}

impl Apps {
    /// Keeps requests of a URL, all of them or none; returns the requests that were dropped because a bound was
    /// reached, perhaps some of these, or of other apps. Within two seconds.
    ///
    /// # Errors
    /// There is no database, or it is away or stores nothing. After an outage at the very moment of the commit, the
    /// requests may have been kept all the same.
    pub async fn keep_requests(
        &self,
        (app, url): (&AppId, &str),
        requests: &[UndeliveredRequest],
        bounds: &BacklogBounds,
    ) -> Result<Vec<DroppedRequest>, OperationError> {
        let stored = self.answering()?;
        if stored.unwritable.is_on() {
            return Err(OperationError::Unwritable(sqlx::Error::PoolTimedOut));
        }
        in_time(async { stored.noting(stored.store.keep_requests((app, url), requests, bounds).await) }).await
    }

    /// The URLs with kept requests, at most `most`, those that are due first in front.
    ///
    /// # Errors
    /// There is no database, or it is away.
    pub async fn backlog(&self, most: u32) -> Result<Vec<BackloggedUrl>, OperationError> {
        let stored = self.answering()?;
        in_time(async { Ok(stored.store.backlog(most).await?) }).await
    }

    /// How many requests of each of these URLs are kept, in their order.
    ///
    /// # Errors
    /// There is no database, or it is away.
    pub async fn kept_of_urls(&self, app: &AppId, urls: &[&str]) -> Result<Vec<KeptOfUrl>, OperationError> {
        let stored = self.answering()?;
        in_time(async { Ok(stored.store.kept_of_urls(app, urls).await?) }).await
    }

    /// Leases requests of a URL that are due, at most `most`, those first that have been due for the longest time; none while a
    /// node has a lease of this URL.
    ///
    /// # Errors
    /// There is no database, or it is away or stores nothing.
    pub async fn lease_requests(
        &self,
        (app, url): (&AppId, &str),
        most: u32,
        lease: Duration,
    ) -> Result<RequestLease, OperationError> {
        let stored = self.answering()?;
        let number = i64::from_ne_bytes(getrandom::u64()?.to_ne_bytes());
        let leased = stored.store.lease_requests((app, url), most, lease, number);
        in_time(async { stored.noting(leased.await) }).await
    }

    /// Records the end of an attempt at a leased request; nothing if the lease has ended and another node has the request.
    ///
    /// # Errors
    /// There is no database, or it is away or stores nothing; the request is sent again when the lease has ended.
    pub async fn settle_request(
        &self,
        lease: &RequestLease,
        request: &LeasedRequest,
        outcome: LeaseOutcome,
    ) -> Result<(), OperationError> {
        let stored = self.answering()?;
        let settled = stored.store.settle_request(lease.number, request.id, outcome);
        in_time(async { stored.noting(settled.await) }).await
    }

    /// Makes the requests of a URL due, because the URL answers again: what has failed most often is the oldest, and would else
    /// come last. Each request is made due once, so that one that is always refused keeps its backoff afterwards.
    ///
    /// # Errors
    /// There is no database, or it is away or stores nothing.
    pub async fn hasten_requests(&self, app: &AppId, url: &str) -> Result<(), OperationError> {
        let stored = self.answering()?;
        in_time(async { stored.noting(stored.store.hasten_requests(app, url).await) }).await
    }

    /// Ends a lease before its time.
    ///
    /// # Errors
    /// There is no database, or it is away or stores nothing.
    pub async fn release_requests(&self, lease: &RequestLease) -> Result<(), OperationError> {
        let stored = self.answering()?;
        in_time(async { stored.noting(stored.store.release_requests(lease).await) }).await
    }

    /// Drops requests of a URL, the oldest first: all of them when it is done until nothing is dropped.
    ///
    /// # Errors
    /// There is no database, or it is away or stores nothing.
    pub async fn drop_requests(&self, app: &AppId, url: &str) -> Result<Vec<DroppedRequest>, OperationError> {
        let stored = self.answering()?;
        in_time(async { stored.noting(stored.store.drop_requests(app, url).await) }).await
    }

    /// Drops requests whose events are older than that: all of them when it is done until nothing is dropped.
    ///
    /// # Errors
    /// There is no database, or it is away or stores nothing.
    pub async fn drop_old_requests(&self, age: Duration) -> Result<Vec<DroppedRequest>, OperationError> {
        let stored = self.answering()?;
        in_time(async { stored.noting(stored.store.drop_old_requests(age).await) }).await
    }
}
