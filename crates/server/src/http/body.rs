//! Reading a request's body, never more of it than is allowed, nor longer than is decent.
//!
//! For both listeners; what a fault is answered with is theirs to say.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::header::EXPECT;
use tokio::time::timeout;

/// Of a body that is too large, this many times the limit is thrown away before the answer, so that
/// a client that writes everything first gets to read it.
const DISCARDED_TIMES: usize = 8;

/// How long throwing away may take.
const DISCARDING: Duration = Duration::from_secs(1);

/// Why there is no body to work with. What is left of it is not read, so that the connection cannot be
/// used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than is allowed.
    TooBig {
        /// What is allowed.
        limit: usize,
        /// What was announced, if anything was.
        size: Option<u64>,
    },
    /// It did not come in time.
    Late,
    /// It broke off, or is not HTTP.
    Broken,
}

/// The whole body of a request, at most `limit` bytes.
///
/// A body that announces more is refused before a byte of it is buffered.
///
/// # Errors
/// Too large, too slow, or broken off.
pub async fn read(request: Request<Incoming>, limit: usize, patience: Duration) -> Result<Bytes, BodyError> {
    // A client that asks first has not sent anything, and reading would invite it to.
    let asks_first = request.headers().contains_key(EXPECT);
    let body = request.into_body();
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        if !asks_first {
            discard(body, limit).await;
        }
        return Err(BodyError::TooBig { limit, size: Some(announced) });
    }
    let mut limited = Limited::new(body, limit);
    match timeout(patience, (&mut limited).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooBig { limit, size: None }),
        Ok(Err(_)) => Err(BodyError::Broken),
        Err(_) => Err(BodyError::Late),
    }
}

/// Throws away what is already on its way, within bounds.
async fn discard(mut body: Incoming, limit: usize) {
    let most = limit.saturating_mul(DISCARDED_TIMES) as u64;
    if body.size_hint().lower() > most {
        return;
    }
    let _ = timeout(DISCARDING, async {
        let mut left = most;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    })
    .await;
}
