//! The body of a request, which records the wait for the peer.
//!
//! A connection whose body does not arrive is closed for a new one like an idle connection. A body that is there
//! when read costs only a flag: the connection records the start of the wait once nothing more can be
//! read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::activity::Activity;
use super::lending::Lender;
use super::places::Places;

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    activity: Arc<Activity>,
    places: Arc<Places>,
    /// Whether the connection counts this body among those that have not arrived.
    is_wanted: bool,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, activity: Arc<Activity>, places: Arc<Places>) -> Self {
        Self { incoming, activity, places, is_wanted: false }
    }

    /// Lends the slot of the request's connection, during the request and after.
    #[must_use]
    pub fn lender(&self) -> Lender {
        Lender::new(Arc::clone(&self.places), Arc::clone(&self.activity))
    }

    fn note(&mut self, is_wanted: bool) {
        match (std::mem::replace(&mut self.is_wanted, is_wanted), is_wanted) {
            (false, true) => self.activity.want_body(),
            (true, false) => self.activity.want_no_body(),
            _ => {}
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        self.note(polled.is_pending());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.note(false);
    }
}
