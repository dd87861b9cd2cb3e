//! The requests under way of one connection, run by the connection's own task.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, Stream as _};
use hyper::rt::Executor;
use parking_lot::Mutex;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What hyper hands over to be run; empty but for the moment between two polls. hyper bounds the number.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<Vec<Running>>>);

/// The requests that run; all end with this value.
pub(super) struct RunningStreams {
    new: Streams,
    running: FuturesUnordered<Running>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.lock().push(Box::pin(stream));
    }
}

impl Streams {
    pub(super) fn running(&self) -> RunningStreams {
        RunningStreams { new: self.clone(), running: FuturesUnordered::new() }
    }
}

impl RunningStreams {
    /// Runs all that can run; what they write wakes the connection.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        self.running.extend(self.new.0.lock().drain(..));
        while let Poll::Ready(Some(())) = Pin::new(&mut self.running).poll_next(cx) {}
    }
}
