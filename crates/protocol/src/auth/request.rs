//! The signature of an HTTP request, and the other conditions of a valid request (AUTH-001 … AUTH-012).

use md5::{Digest, Md5};

use super::error::RequestError;
use super::query::{Plus, Query, decode};
use super::secret::Secret;
use crate::app::App;

/// The server's clock, and the allowed difference of a request's timestamp.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// In Unix seconds.
    pub now: u64,
    /// A timestamp this many seconds away, or more, is refused (AUTH-009, LIM-025).
    pub window: u64,
}

/// One signed HTTP request as received, without its body.
pub struct SignedRequest<'a> {
    /// The method, in any case.
    pub method: &'a str,
    /// The path as received, without query, from `/apps/` on.
    pub path: &'a str,
    /// The path as received, without query, with any prefix that the server runs under.
    pub full_path: &'a str,
    /// The decoded query.
    pub query: &'a Query,
}

/// The query's statement about the body, to be checked against the body; meaningless unless the query is signed.
#[derive(Clone, Copy, Debug)]
pub struct SignedBody<'a> {
    /// `None` for a request without a body.
    md5: Option<&'a str>,
}

impl<'a> SignedBody<'a> {
    /// Reads the statement of a query which [`SignedRequest::verify`] has accepted.
    #[must_use]
    pub fn of(query: &'a Query) -> Self {
        Self { md5: query.get("body_md5") }
    }

    /// Checks that this is the body that was signed, byte for byte.
    ///
    /// # Errors
    /// The body has another MD5, or the query announces no body (AUTH-003, AUTH-008).
    pub fn check(&self, body: &[u8]) -> Result<(), RequestError> {
        match self.md5 {
            Some(given) if !is_md5_of(body, given) => Err(RequestError::BodyMd5Mismatch),
            None if !body.is_empty() => Err(RequestError::BodyMd5Missing),
            _ => Ok(()),
        }
    }
}

impl SignedRequest<'_> {
    /// Checks that one of the app's keys signed this request not long ago; `announces_body` says whether a body
    /// follows, which [`SignedBody`] checks after its arrival. So only a client that knows the secret can make the
    /// server buffer a body, or hash one.
    ///
    /// # Errors
    /// The first fault in the order of AUTH-010.
    pub fn verify(&self, app: &App, clock: Clock, announces_body: bool) -> Result<(), RequestError> {
        let key = self.required("auth_key", RequestError::KeyMissing)?;
        let credential = app.credential(key).ok_or(RequestError::KeyUnknown)?;
        if self.required("auth_version", RequestError::VersionMissing)? != "1.0" {
            return Err(RequestError::VersionUnsupported);
        }
        check_timestamp(self.required("auth_timestamp", RequestError::TimestampMissing)?, clock)?;
        if announces_body && self.query.get("body_md5").is_none() {
            return Err(RequestError::BodyMd5Missing);
        }
        self.check_signature(&credential.secret)
    }

    fn required(&self, name: &str, missing: RequestError) -> Result<&str, RequestError> {
        self.query.get(name).filter(|value| !value.is_empty()).ok_or(missing)
    }

    /// Clients sign different forms of the path: all forms are tried (AUTH-007, AUTH-012).
    fn check_signature(&self, secret: &Secret) -> Result<(), RequestError> {
        let got = self.required("auth_signature", RequestError::SignatureMissing)?;
        let method = self.method.to_ascii_uppercase();
        let parameters = self.query.to_sign();

        let decoded = self.path.contains('%').then(|| decode(self.path, Plus::IsPlus));
        let full = (self.full_path != self.path).then_some(self.full_path);
        let paths = [Some(self.path), decoded.as_deref(), full];
        let is_signed = |path: &str| {
            let parts = [&method, "\n", path, "\n", &parameters].map(str::as_bytes);
            secret.verify(&parts, got)
        };
        if paths.into_iter().flatten().any(is_signed) {
            return Ok(());
        }
        let signed = format!("{method}\n{}\n{parameters}", self.path);
        Err(RequestError::SignatureMismatch { signed, got: got.to_owned() })
    }
}

/// Whether `md5` is the MD5 of the body in lower-case hex (AUTH-003).
fn is_md5_of(body: &[u8], md5: &str) -> bool {
    let mut digits = [0; 32];
    hex::encode_to_slice(Md5::digest(body), &mut digits).is_ok() && md5.as_bytes() == digits
}

fn check_timestamp(text: &str, Clock { now, window }: Clock) -> Result<(), RequestError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RequestError::TimestampInvalid);
    }
    // All are digits, so only a number that is too large fails to parse.
    let given = text.parse().unwrap_or(u64::MAX);
    if now.abs_diff(given) >= window {
        return Err(RequestError::TimestampExpired { given, now, window });
    }
    Ok(())
}
