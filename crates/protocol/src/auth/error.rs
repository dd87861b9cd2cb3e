//! Faults of a signed HTTP request: the one table of their messages (AUTH-010).

use std::borrow::Cow;
use std::fmt;

use crate::close::shortened;
use crate::utc::utc;

/// Longest part of a client's own signature that is echoed to the client, in bytes.
const MOST_ECHOED: usize = 200;

/// Why a request is refused with 401, in the order of the checks.
///
/// `Display` gives the label only; [`RequestError::message`] is the text for the client.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.label())]
pub enum RequestError {
    /// No `auth_key`.
    KeyMissing,
    /// The key is not one of this app's (AUTH-011).
    KeyUnknown,
    /// No `auth_version`.
    VersionMissing,
    /// A version other than 1.0.
    VersionUnsupported,
    /// No `auth_timestamp`.
    TimestampMissing,
    /// `auth_timestamp` is not a decimal number.
    TimestampInvalid,
    /// The timestamp is too far from the server's clock (AUTH-009). Both in Unix seconds.
    TimestampExpired {
        /// The client's timestamp.
        given: u64,
        /// The server's time.
        now: u64,
        /// The setting `timeouts.clock_skew`.
        window: u64,
    },
    /// The request has a body, but no `body_md5` (AUTH-008).
    BodyMd5Missing,
    /// No `auth_signature`.
    SignatureMissing,
    /// The signature is not that of the request.
    SignatureMismatch {
        /// The text that should have been signed.
        signed: String,
        /// The client's signature.
        got: String,
    },
    /// `body_md5` is not the MD5 of the body (AUTH-003).
    BodyMd5Mismatch,
}

impl RequestError {
    /// The HTTP status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        401
    }

    /// The text of the answer. The text quotes the request, so the text is for the client alone, not for logs.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        let text = match self {
            Self::KeyMissing => "Missing parameter: auth_key",
            Self::KeyUnknown => "Unknown auth_key",
            Self::VersionMissing => "Version required",
            Self::VersionUnsupported => "Version not supported",
            Self::TimestampMissing => "Timestamp required",
            Self::TimestampInvalid => "Timestamp invalid: auth_timestamp must be Unix time in whole seconds",
            Self::TimestampExpired { given, now, window } => {
                return Cow::Owned(format!(
                    "Timestamp expired: Given timestamp ({}) not within {window}s of server time ({}) \
                     (setting timeouts.clock_skew)",
                    utc(*given),
                    utc(*now)
                ));
            }
            Self::BodyMd5Missing => "Missing parameter: body_md5 (required when the request has a body)",
            Self::BodyMd5Mismatch => "Invalid body_md5: it is not the MD5 hex digest of the request body",
            Self::SignatureMissing => "Missing parameter: auth_signature",
            Self::SignatureMismatch { signed, got } => {
                return Cow::Owned(format!(
                    "Invalid signature: you should have sent HmacSHA256Hex(\"{}\", your_secret_key), \
                     but you sent \"{}\"",
                    quoted(signed),
                    quoted(&shortened(got, MOST_ECHOED))
                ));
            }
        };
        Cow::Borrowed(text)
    }

    /// The text that should have been signed, for operators: without the data of an event that is sent in the query.
    #[must_use]
    pub fn signed(&self) -> Option<Cow<'_, str>> {
        let Self::SignatureMismatch { signed, .. } = self else { return None };
        let data =
            ["\ndata=", "&data="].iter().filter_map(|name| Some(signed.find(name)? + name.len())).min();
        Some(match data.and_then(|at| signed.get(..at)) {
            Some(before) => Cow::Owned(format!("{before}…")),
            None => Cow::Borrowed(signed),
        })
    }

    /// The cause in one word, for logs and metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::KeyMissing => "key_missing",
            Self::KeyUnknown => "key_unknown",
            Self::VersionMissing => "version_missing",
            Self::VersionUnsupported => "version_unsupported",
            Self::TimestampMissing => "timestamp_missing",
            Self::TimestampInvalid => "timestamp_invalid",
            Self::TimestampExpired { .. } => "timestamp_expired",
            Self::BodyMd5Missing => "body_md5_missing",
            Self::BodyMd5Mismatch => "body_md5_mismatch",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureMismatch { .. } => "signature_mismatch",
        }
    }
}

/// By hand, because the signed text and the signature are not for logs.
impl fmt::Debug for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// The text as it would stand in a string literal: line breaks as `\n`, quotes escaped.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        if character.is_control() || matches!(character, '"' | '\\') {
            literal.extend(character.escape_default());
        } else {
            literal.push(character);
        }
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_010_the_signed_text_is_quoted_with_its_line_breaks_escaped() {
        let error =
            RequestError::SignatureMismatch { signed: "GET\n/a\nb=\"\\é".into(), got: "f\"f".into() };
        assert_eq!(
            error.message(),
            r#"Invalid signature: you should have sent HmacSHA256Hex("GET\n/a\nb=\"\\é", your_secret_key), but you sent "f\"f""#
        );
    }

    #[test]
    fn only_the_beginning_of_a_long_signature_is_sent_back() {
        let error = RequestError::SignatureMismatch { signed: String::new(), got: "é".repeat(5_000) };
        assert!(error.message().len() < 400);
    }

    #[test]
    fn con_019_operators_see_what_to_sign_without_the_signature_and_without_data() {
        for (signed, told) in [
            ("POST\n/apps/1/events\nauth_key=k&body_md5=m", "POST\n/apps/1/events\nauth_key=k&body_md5=m"),
            ("POST\n/a\nauth_key=k&channel=c&data=a&data=b&name=n", "POST\n/a\nauth_key=k&channel=c&data=…"),
            ("POST\n/a\ndata=a", "POST\n/a\ndata=…"),
        ] {
            let error = RequestError::SignatureMismatch { signed: signed.into(), got: "ffee".into() };
            assert_eq!(error.signed().as_deref(), Some(told));
        }
    }

    #[test]
    fn neither_debug_nor_display_quotes_the_request() {
        let error = RequestError::SignatureMismatch { signed: "GET\n/a\nb=c".into(), got: "ff".into() };
        assert_eq!(format!("{error:?} {error}"), "signature_mismatch signature_mismatch");
    }
}
