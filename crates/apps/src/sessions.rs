//! The sessions of the console: logging in with a token or a code, checked at each request, logging out (CON-005 … CON-008).
//!
//! A session is as good as its token, and ends with it. Of its id and of a code only the SHA-256 is kept. Checks cache nothing, so that
//! a session holds on every node of the database, and a revoked token ends it at once.

use fanfare_protocol::auth::Secret;
use subtle::ConstantTimeEq as _;

use crate::apps::Apps;
use crate::operations::OperationError;
use crate::tokens::{Bearer, NewToken, TokenRecord, hash, is_hex, random_hex};

/// Random bytes of a session's id.
const SESSION_BYTES: usize = 32;

/// Random bytes of a code.
const CODE_BYTES: usize = 16;

/// How long a code is good, in milliseconds.
const CODE_LIFE: i64 = 5 * 60 * 1000;

/// Most sessions of one token; the oldest goes.
pub const MOST_SESSIONS: i64 = 20;

/// How long sessions last, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct SessionTimes {
    /// From the login to the end.
    pub life: u32,
    /// From the last request to the end.
    pub idle: u32,
}

/// A session that has just begun.
pub struct NewSession {
    /// The session's id, for the cookie alone.
    pub id: Secret,
    /// The session.
    pub session: AdminSession,
}

/// A session that goes on.
#[derive(Clone, Debug)]
pub struct AdminSession {
    /// The bearer of the token.
    pub bearer: Bearer,
    /// When the session ends at the latest, in milliseconds since 1970.
    pub ends_at: i64,
    /// The text that changes have to carry, which other pages cannot read (CON-009).
    pub csrf_token: String,
}

impl Apps {
    /// Begins a session with a token; `None` for a token that is not valid.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn log_in(
        &self,
        token: &str,
        times: SessionTimes,
    ) -> Result<Option<NewSession>, OperationError> {
        match self.bearer_of(token).await? {
            Some(bearer) => self.begin_session(bearer, times).await.map(Some),
            None => Ok(None),
        }
    }

    /// Begins a session with a code, which is used up; `None` for a code that is not valid.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn log_in_by_code(
        &self,
        code: &str,
        times: SessionTimes,
    ) -> Result<Option<NewSession>, OperationError> {
        let stored = self.writable()?;
        if !is_hex(code, CODE_BYTES) {
            return Ok(None);
        }
        match stored.noting(stored.store.take_code(&hash(code)).await)? {
            Some(token) => self.begin_session(token.into(), times).await.map(Some),
            None => Ok(None),
        }
    }

    async fn begin_session(&self, bearer: Bearer, times: SessionTimes) -> Result<NewSession, OperationError> {
        let stored = self.writable()?;
        stored.noting(stored.store.forget_sessions(i64::from(times.idle) * 1000).await)?;
        let id = random_hex::<SESSION_BYTES>()?;
        let hash = hash(&id);
        let added =
            stored.store.add_session(&hash, bearer.id, i64::from(times.life) * 1000, MOST_SESSIONS - 1);
        let ends_at = stored.noting(added.await)?;
        // A database that stores nothing is noted; the list of tokens then tells of an earlier use.
        let _ = stored.noting(stored.store.touch_token(bearer.id).await);
        let session = AdminSession { bearer, ends_at, csrf_token: csrf_token(&id) };
        Ok(NewSession { id: Secret::new(&id), session })
    }

    /// The session with an id; `None` for one that has ended, or whose token is not valid any more.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn session(
        &self,
        id: &str,
        times: SessionTimes,
    ) -> Result<Option<AdminSession>, OperationError> {
        let stored = self.writable()?;
        if !is_session_id(id) {
            return Ok(None);
        }
        let hash = hash(id);
        let Some(found) = stored.store.session(&hash, i64::from(times.idle) * 1000, &stored.look_ups).await?
        else {
            return Ok(None);
        };
        // An index compares in variable time.
        if !bool::from(found.token.hash.as_bytes().ct_eq(hash.as_bytes())) {
            return Ok(None);
        }
        if found.is_stale {
            // A database that stores nothing is noted; the session then ends when it has been idle by what is stored.
            let _ = stored.noting(stored.store.touch_session(&hash).await);
            let _ = stored.noting(stored.store.touch_token(found.token.id).await);
        }
        let csrf_token = csrf_token(id);
        Ok(Some(AdminSession { bearer: found.token.into(), ends_at: found.ends_at, csrf_token }))
    }

    /// The bearer of a session; `None` if it has ended. The question is no use of the session: one that nobody uses ends in its time.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn bearer_of_session(
        &self,
        id: &str,
        times: SessionTimes,
    ) -> Result<Option<Bearer>, OperationError> {
        let stored = self.writable()?;
        let found = stored.store.session(&hash(id), i64::from(times.idle) * 1000, &stored.look_ups).await?;
        Ok(found.map(|found| found.token.into()))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn log_out(&self, id: &str) -> Result<(), OperationError> {
        let stored = self.writable()?;
        stored.noting(stored.store.end_session(&hash(id)).await)
    }

    /// Makes a token that nobody sees and that is valid for one session, and a code that begins the session, once.
    ///
    /// # Errors
    /// Every fault of `new`, or the database is away.
    pub async fn make_code(
        &self,
        new: &NewToken,
        times: SessionTimes,
    ) -> Result<(TokenRecord, Secret), OperationError> {
        let life = CODE_LIFE + i64::from(times.life) * 1000;
        let (record, _) = self.create_token_for(new, Some(life)).await?;
        let stored = self.writable()?;
        let code = random_hex::<CODE_BYTES>()?;
        stored.noting(stored.store.add_code(&hash(&code), record.id, CODE_LIFE).await)?;
        Ok((record, Secret::new(&code)))
    }
}

/// Whether a text has the form of a session's id; other texts were never one.
#[must_use]
pub fn is_session_id(text: &str) -> bool {
    is_hex(text, SESSION_BYTES)
}

/// Follows from the id, which no page can read; the id does not follow from it.
fn csrf_token(id: &str) -> String {
    hash(&format!("csrf:{id}"))
}
