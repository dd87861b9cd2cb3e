//! The bound on the headers of all requests of a connection together.
//!
//! Compression lets a peer cause headers of many times the bytes that it sends, for each of many requests at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::{Request, StatusCode};

use crate::http::answer::{self, Answer};
use crate::http::forbid_sniffing;

/// Most bytes of headers of all requests that are being answered.
const MOST: usize = 256 * 1024;

/// What a header takes beside its name and value, as RFC 9113 counts (6.5.2).
const EACH: usize = 32;

/// The bytes of headers of the requests that are being answered.
#[derive(Debug, Default)]
pub(super) struct HeaderBytes(AtomicUsize);

/// The headers of one request, counted until its answer is there.
pub(super) struct Held<'a> {
    all: &'a HeaderBytes,
    bytes: usize,
}

impl HeaderBytes {
    /// Counts a request's headers; `None` if they are too many together with those of other requests.
    pub(super) fn hold<B>(&self, request: &Request<B>) -> Option<Held<'_>> {
        let of_uri = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
        let of_headers =
            request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + EACH);
        let held = Held { all: self, bytes: of_uri + of_headers.sum::<usize>() };
        (self.0.fetch_add(held.bytes, Ordering::Relaxed) + held.bytes <= MOST).then_some(held)
    }
}

/// The answer to a request whose headers are too many.
pub(super) fn refusal() -> Answer {
    let mut refusal = answer::text(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The headers of all requests of this connection are too large together",
    );
    forbid_sniffing(&mut refusal);
    refusal
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_bounded_together_and_counted_until_the_answer() {
        let all = HeaderBytes::default();
        let request = Request::get("/up").header("cookie", "x".repeat(MOST / 3)).body(()).unwrap();
        let (first, second) = (all.hold(&request), all.hold(&request));
        assert!(first.is_some() && second.is_some());
        assert!(all.hold(&request).is_none());
        drop(first);
        assert!(all.hold(&request).is_some());
        drop(second);
        assert_eq!(all.0.into_inner(), 0);
    }
}
