//! Reads a request's body, bounded in bytes and time.
//!
//! For both listeners; each chooses its own answer to a fault.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
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

/// Discards the body of a request that is answered without it, so that the connection stays usable. A body that is larger
/// than `limit` may be left.
pub async fn throw_away(request: &mut Request<RequestBody>, limit: usize) {
    discard(request, limit.saturating_mul(DISCARDED_TIMES)).await;
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
        let mut arriving = Self { request, limit };
        let announced = arriving.announced();
        if announced > limit as u64 {
            throw_away(&mut arriving.request, limit).await;
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

    /// Most bytes that the body can have.
    fn most(&self) -> usize {
        let announced = self.request.body().size_hint().upper();
        announced.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(self.limit).min(self.limit)
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
            Ok(Err(error)) => Err(fault(&*error, limit)),
            Err(_) => Err(BodyError::Late),
        }
    }

    /// Waits for the first bytes of the body: all of it, or more than `small`.
    ///
    /// # Errors
    /// Too large, too slow, or broken off.
    pub async fn begin(self, small: usize, patience: Duration) -> Result<BegunBody, BodyError> {
        let (limit, most) = (self.limit, self.most());
        let body = Limited::new(self.request.into_body(), limit);
        let mut begun = BegunBody { body, limit, most, bytes: BytesMut::new(), is_whole: false };
        timeout(patience, begun.read(small)).await.map_err(|_| BodyError::Late)??;
        Ok(begun)
    }

    /// Discards the body of a refused request; returns the reason: a body that is too large goes before
    /// every other fault.
    pub async fn refused<E: From<BodyError>>(mut self, error: E) -> E {
        let limit = self.limit;
        let is_too_big = discard(&mut self.request, limit).await;
        if is_too_big { BodyError::TooBig { limit, size: None }.into() } else { error }
    }
}

/// A body whose first bytes have come.
pub struct BegunBody {
    body: Limited<RequestBody>,
    limit: usize,
    most: usize,
    bytes: BytesMut,
    is_whole: bool,
}

impl BegunBody {
    /// Most bytes that the body can have; `None` if all of it has come.
    pub const fn most(&self) -> Option<usize> {
        if self.is_whole { None } else { Some(self.most) }
    }

    /// The whole body.
    ///
    /// # Errors
    /// Too large, too slow, or broken off.
    pub async fn rest(mut self, patience: Duration) -> Result<Bytes, BodyError> {
        timeout(patience, self.read(usize::MAX)).await.map_err(|_| BodyError::Late)??;
        Ok(self.bytes.freeze())
    }

    /// Reads until more than `small` bytes have come, or all.
    async fn read(&mut self, small: usize) -> Result<(), BodyError> {
        while !self.is_whole && self.bytes.len() <= small {
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.bytes.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(fault(&*error, self.limit)),
                None => self.is_whole = true,
            }
            self.is_whole |= self.body.is_end_stream();
        }
        Ok(())
    }
}

fn fault(error: &(dyn std::error::Error + Send + Sync + 'static), limit: usize) -> BodyError {
    if error.is::<LengthLimitError>() { BodyError::TooBig { limit, size: None } } else { BodyError::Broken }
}

/// Discards bytes of a body that are on their way, at most this many, so that a client which writes everything first can
/// read the answer; returns whether more bytes follow.
async fn discard(request: &mut Request<RequestBody>, most: usize) -> bool {
    if request.headers().contains_key(EXPECT) {
        // A client that expects a `100 Continue` has sent no body yet, and reading would invite the body.
        return false;
    }
    let (body, most) = (request.body_mut(), most as u64);
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
