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

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    activity: Arc<Activity>,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, activity: Arc<Activity>) -> Self {
        Self { incoming, activity }
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
        if polled.is_pending() {
            self.activity.want_body();
        } else {
            self.activity.want_no_body();
        }
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
        self.activity.want_no_body();
    }
}
