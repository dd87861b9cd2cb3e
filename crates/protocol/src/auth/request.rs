//! The signature of an HTTP request, and what else makes it valid (AUTH-001 … AUTH-012).

use md5::{Digest, Md5};

use super::error::RequestError;
use super::query::{Plus, Query, decode};
use super::secret::Secret;
use crate::app::App;

/// The server's clock, and how far from it a request's may be.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// In Unix seconds.
    pub now: u64,
    /// A timestamp this many seconds away, or more, is refused (AUTH-009, LIM-025).
    pub window: u64,
}

/// One signed HTTP request as it was received.
pub struct SignedRequest<'a> {
    /// The method, in any case.
    pub method: &'a str,
    /// The path as received, without query, from `/apps/` on.
    pub path: &'a str,
    /// The path as received, without query, with whatever prefix the server runs under.
    pub full_path: &'a str,
    /// The decoded query.
    pub query: &'a Query,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl SignedRequest<'_> {
    /// Checks that one of the app's keys signed this request not long ago.
    ///
    /// # Errors
    /// The first thing that is wrong. The order is AUTH-010's; the body is hashed last, so that only
    /// who knows the secret can have the server hash one.
    pub fn verify(&self, app: &App, clock: Clock) -> Result<(), RequestError> {
        let key = self.required("auth_key", RequestError::KeyMissing)?;
        let credential = app.credential(key).ok_or(RequestError::KeyUnknown)?;
        if self.required("auth_version", RequestError::VersionMissing)? != "1.0" {
            return Err(RequestError::VersionUnsupported);
        }
        check_timestamp(self.required("auth_timestamp", RequestError::TimestampMissing)?, clock)?;
        let body_md5 = self.query.get("body_md5");
        if body_md5.is_none() && !self.body.is_empty() {
            return Err(RequestError::BodyMd5Missing);
        }
        self.check_signature(&credential.secret)?;
        match body_md5 {
            Some(given) if !self.body_has(given) => Err(RequestError::BodyMd5Mismatch),
            _ => Ok(()),
        }
    }

    /// Whether this is the MD5 of the body in lower-case hex (AUTH-003).
    fn body_has(&self, md5: &str) -> bool {
        let mut digits = [0; 32];
        hex::encode_to_slice(Md5::digest(self.body), &mut digits).is_ok() && md5.as_bytes() == digits
    }

    fn required(&self, name: &str, missing: RequestError) -> Result<&str, RequestError> {
        self.query.get(name).filter(|value| !value.is_empty()).ok_or(missing)
    }

    /// Clients differ in which form of the path they sign: all are tried (AUTH-007, AUTH-012).
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
