//! Reads a request's body, bounded in bytes and time.
//!
//! For both listeners; each chooses its own answer to a fault.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{EXPECT, HeaderMap};
use hyper::{Method, Request, Uri};
use tokio::time::timeout;

use crate::connections::RequestBody;

/// Of a body that is too large, at most this many times the limit is discarded before the answer, so that a
/// client that writes everything first can read the answer.
const DISCARDED_TIMES: usize = 8;

/// Timeout of discarding.
const DISCARDING: Duration = Duration::from_secs(1);

/// Why the body is unusable. The rest of the body is not read, so that the connection cannot be
/// reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The body is larger than allowed.
    TooBig {
        /// The limit.
        limit: usize,
        /// The announced size, if any.
        size: Option<u64>,
    },
    /// The body timed out.
    Late,
    /// The body broke off, or is not HTTP.
    Broken,
}

/// The whole body of a request, at most `limit` bytes.
///
/// A body that announces more is refused before a byte of it is buffered.
///
/// # Errors
/// Too large, too slow, or broken off.
pub async fn read(
    request: Request<RequestBody>,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, BodyError> {
    Arriving::of(request, limit).await?.read(patience).await
}

/// A request whose body has not been read, and announces no more than the limit.
pub struct Arriving {
    request: Request<RequestBody>,
    limit: usize,
}

impl Arriving {
    /// A request that may have a body of `limit` bytes.
    ///
    /// # Errors
    /// The request announces more.
    pub async fn of(request: Request<RequestBody>, limit: usize) -> Result<Self, BodyError> {
        let arriving = Self { request, limit };
        let announced = arriving.announced();
        if announced > limit as u64 {
            arriving.throw_away(limit.saturating_mul(DISCARDED_TIMES)).await;
            return Err(BodyError::TooBig { limit, size: Some(announced) });
        }
        Ok(arriving)
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.request.method()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// Path and query.
    pub fn uri(&self) -> &Uri {
        self.request.uri()
    }

    /// The announced bytes of the body.
    pub fn announced(&self) -> u64 {
        self.request.body().size_hint().lower()
    }

    /// The whole body.
    ///
    /// # Errors
    /// Too large, too slow, or broken off.
    pub async fn read(self, patience: Duration) -> Result<Bytes, BodyError> {
        let limit = self.limit;
        let mut limited = Limited::new(self.request.into_body(), limit);
        match timeout(patience, (&mut limited).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooBig { limit, size: None }),
            Ok(Err(_)) => Err(BodyError::Broken),
            Err(_) => Err(BodyError::Late),
        }
    }

    /// Discards the body of a refused request; returns the reason: a body that is too large goes before
    /// every other fault.
    pub async fn refused<E: From<BodyError>>(self, error: E) -> E {
        let limit = self.limit;
        if self.throw_away(limit).await { BodyError::TooBig { limit, size: None }.into() } else { error }
    }

    /// Discards at most this many bytes, so that a client which writes everything first can read the answer;
    /// returns whether more bytes follow.
    async fn throw_away(self, most: usize) -> bool {
        // A client that expects a `100 Continue` has sent no body yet, and reading would invite the body.
        let asks_first = self.request.headers().contains_key(EXPECT);
        !asks_first && discard(self.request.into_body(), most).await
    }
}

/// Discards bytes already on their way, at most this many; returns whether more follow.
async fn discard(mut body: RequestBody, most: usize) -> bool {
    let most = most as u64;
    if body.size_hint().lower() > most {
        return true;
    }
    let discarding = async {
        let mut left = most;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return true,
            }
        }
        false
    };
    timeout(DISCARDING, discarding).await.unwrap_or(false)
}
