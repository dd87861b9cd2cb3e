//! CORS: cross-origin requests are for the origins in the app's settings.
//!
//! Never allows every origin. An origin that is not listed may read why its request is refused, but no answer of
//! an application.

use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};

use super::refusal::Refusal;
use crate::http::answer::{self, Answer};
use crate::http::preflight::allow_asked_headers;

/// The origin of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// No page, or an origin that needs no leave: the server's own, as far as the headers show.
    Own,
    /// A listed origin.
    Listed(HeaderValue),
    /// An origin that is not listed, for an application that may be asked: the request is refused.
    Stranger(HeaderValue),
    /// Any origin, where no application is asked: the page may read why.
    Reader(HeaderValue),
}

impl Page {
    /// Reads the origin from the request's headers. An origin that is not listed may be the server's own, whose name
    /// the server does not know behind a proxy; browsers answer that question in `Sec-Fetch-Site`.
    pub fn of(listed: &[String], headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(ORIGIN) else {
            return Self::Own;
        };
        let origin = text_of(value);
        if is_listed(listed, &origin) {
            return Self::Listed(value.clone());
        }
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        match site {
            Some(b"cross-site" | b"same-site") => Self::Stranger(value.clone()),
            _ => Self::Own,
        }
    }

    /// As [`Page::of`], where no application is asked, so that the answer needs no protection.
    pub fn of_reader(headers: &HeaderMap) -> Self {
        headers.get(ORIGIN).map_or(Self::Own, |value| Self::Reader(value.clone()))
    }

    /// Whether the page may send the request.
    ///
    /// # Errors
    /// The page's origin is not listed.
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Own | Self::Listed(_) | Self::Reader(_) => Ok(()),
            Self::Stranger(origin) => Err(Refusal::Origin(text_of(origin))),
        }
    }

    /// The answer to a preflight.
    ///
    /// # Errors
    /// The page's origin is not listed.
    pub fn preflight(&self, headers: &HeaderMap) -> Result<Answer, Refusal> {
        if !matches!(self, Self::Listed(_) | Self::Reader(_)) {
            return Err(Refusal::Origin(headers.get(ORIGIN).map(text_of).unwrap_or_default()));
        }
        let mut answer = answer::empty(StatusCode::NO_CONTENT);
        let own = answer.headers_mut();
        own.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        if let Self::Listed(_) = self {
            own.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        allow_asked_headers(headers, own);
        Ok(answer)
    }

    /// Adds the CORS headers, which every answer needs, a refusal too.
    pub fn put_headers(&self, headers: &mut HeaderMap) {
        headers.insert(VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"));
        if let Self::Listed(origin) | Self::Stranger(origin) | Self::Reader(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

fn text_of(origin: &HeaderValue) -> String {
    String::from_utf8_lossy(origin.as_bytes()).into_owned()
}

/// Whether pages of an origin may ask in their visitors' names: the setting `authorization.origins`.
pub(crate) fn is_listed(listed: &[String], origin: &str) -> bool {
    listed.iter().any(|pattern| fits(pattern, origin))
}

/// Whether an origin is the listed one, or a subdomain of an origin listed with `*.`.
fn fits(pattern: &str, origin: &str) -> bool {
    let Some((start, end)) = pattern.split_once("*.") else {
        return pattern.eq_ignore_ascii_case(origin);
    };
    let origin = origin.to_ascii_lowercase();
    let names = origin.strip_prefix(start).and_then(|rest| rest.strip_suffix(&*end.to_ascii_lowercase()));
    let names = names.and_then(|names| names.strip_suffix('.'));
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    names.is_some_and(|names| !names.is_empty() && names.bytes().all(legal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_fits_whole_or_by_names_in_front() {
        for (pattern, origin) in [
            ("https://example.com", "https://example.com"),
            ("https://Example.com", "https://example.com"),
            ("https://*.example.com", "https://app.example.com"),
            ("https://*.example.com", "https://a.b.Example.com"),
            ("http://*.localhost:5173", "http://app.localhost:5173"),
        ] {
            assert!(fits(pattern, origin), "{pattern} {origin}");
        }
        for (pattern, origin) in [
            ("https://example.com", "http://example.com"),
            ("https://example.com", "https://example.com:8443"),
            ("https://example.com", "https://example.com.evil.test"),
            ("https://*.example.com", "https://example.com"),
            ("https://*.example.com", "https://.example.com"),
            ("https://*.example.com", "https://notexample.com"),
            ("https://*.example.com", "https://evil.test/.example.com"),
            ("https://*.example.com", "https://evil.test:1.example.com"),
            ("https://*.example.com", "http://app.example.com"),
            ("https://*.example.com", "null"),
        ] {
            assert!(!fits(pattern, origin), "{pattern} {origin}");
        }
    }
}
