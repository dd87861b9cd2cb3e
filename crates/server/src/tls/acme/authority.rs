//! Requests to a certificate authority (RFC 8555): the directory, nonces, problems, and when it wants to be left alone.
//!
//! Every request is bounded in time and bytes. A nonce that the authority refuses is replaced by another, a bounded number of times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fanfare_node::clock::unix_seconds;
use fanfare_outgoing::{Bounds, Client, OutgoingError, Response};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use super::account_key::{AccountKey, BadKey, Signer};

/// The bounds of each request; a chain of certificates has some kilobytes.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(30), bytes: 256 * 1024 };

/// Most nonces of one request.
const NONCES: usize = 40;

/// Longest time that an authority may ask to be left alone.
const LONGEST_REST: u64 = 30 * 24 * 3600;

const NONCE: &str = "replay-nonce";
const AGENT: &str = concat!("fanfare/", env!("CARGO_PKG_VERSION"));

/// Most characters of an authority's words.
const LONGEST: usize = 400;

/// An authority whose directory was read.
pub struct Authority<'a> {
    client: &'a Client,
    /// When the authority wants the next order at the earliest.
    rest: &'a Rest,
    /// Where everything is.
    pub directory: Directory,
    nonce: Mutex<Option<String>>,
}

/// Where an authority has what.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    new_nonce: String,
    /// Where accounts are made.
    pub new_account: String,
    /// Where orders begin.
    pub new_order: String,
}

/// The moment before which an authority wants no further order, in Unix seconds; 0: it has not said.
#[derive(Debug, Default)]
pub struct Rest(AtomicU64);

impl Rest {
    /// The moment, which is forgotten.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// An answer that is no problem.
pub struct AuthorityAnswer {
    /// Where what was made is.
    pub location: Option<String>,
    /// When to ask again, if the authority says so.
    pub again_at: u64,
    /// The body.
    pub body: Bytes,
}

/// Why an authority has not done what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// No answer.
    #[error("the authority cannot be reached: {0}")]
    Unreachable(#[from] OutgoingError),
    /// The authority's own words.
    #[error("the authority says: {}", .0.shown())]
    Problem(Problem),
    /// The answer is none of an authority.
    #[error("the answer is not that of a certificate authority: {0}")]
    Unexpected(String),
    /// The request could not be made.
    #[error("no request can be made: {0}")]
    Request(#[from] hyper::http::Error),
    /// The request could not be signed.
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// A problem, in the authority's words (RFC 7807).
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Problem {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    subproblems: Vec<Problem>,
}

impl Problem {
    /// The kind, such as `badNonce`.
    pub fn kind(&self) -> &str {
        self.r#type.rsplit(':').next().unwrap_or_default()
    }

    /// The words on one line of a bounded length.
    pub fn shown(&self) -> String {
        let subproblems = self.subproblems.iter().map(|problem| format!("; {}", problem.detail));
        let text = format!("{} ({}){}", self.detail, self.kind(), subproblems.collect::<String>());
        text.chars().map(|each| if each.is_control() { ' ' } else { each }).take(LONGEST).collect()
    }
}

impl<'a> Authority<'a> {
    /// Reads the directory at this URL.
    pub async fn open(client: &'a Client, rest: &'a Rest, url: &str) -> Result<Self, AuthorityError> {
        let request = Request::get(url).header(USER_AGENT, AGENT).body(Full::default())?;
        let answer = checked(client.send(request, BOUNDS).await?, rest)?;
        Ok(Self { client, rest, directory: parsed(&answer.body)?, nonce: Mutex::default() })
    }

    /// Sends a signed request; without a payload, reads what is at the URL.
    pub async fn ask(
        &self,
        key: &AccountKey,
        signer: &Signer<'_>,
        url: &str,
        payload: Option<&Value>,
    ) -> Result<AuthorityAnswer, AuthorityError> {
        let mut tries = 0;
        loop {
            let nonce = self.nonce().await?;
            let signed = key.sign(signer, (url, &nonce), payload)?;
            let request = Request::post(url).header(USER_AGENT, AGENT);
            let request = request.header(CONTENT_TYPE, "application/jose+json").body(Full::from(signed))?;
            let answer = self.client.send(request, BOUNDS).await?;
            *self.nonce.lock() = nonce_in(&answer.headers);
            match checked(answer, self.rest) {
                Err(AuthorityError::Problem(problem)) if problem.kind() == "badNonce" && tries < NONCES => {
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    /// The nonce of the last answer, or a new one.
    async fn nonce(&self) -> Result<String, AuthorityError> {
        let last = self.nonce.lock().take();
        if let Some(nonce) = last {
            return Ok(nonce);
        }
        let request = Request::builder().method(Method::HEAD).uri(&self.directory.new_nonce);
        let answer =
            self.client.send(request.header(USER_AGENT, AGENT).body(Full::default())?, BOUNDS).await?;
        nonce_in(&answer.headers).ok_or_else(|| AuthorityError::Unexpected("it has no nonce".to_owned()))
    }
}

/// The JSON of an answer.
pub fn parsed<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, AuthorityError> {
    serde_json::from_slice(body).map_err(|error| AuthorityError::Unexpected(error.to_string()))
}

/// The answer, unless it is a problem; notes when an authority that refuses wants to be asked again.
fn checked(answer: Response, rest: &Rest) -> Result<AuthorityAnswer, AuthorityError> {
    let again_at = again_at(&answer.headers);
    if answer.status.is_success() {
        let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        return Ok(AuthorityAnswer { location, again_at, body: answer.body });
    }
    rest.0.fetch_max(again_at, Ordering::Relaxed);
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) => Err(AuthorityError::Problem(problem)),
        Err(_) => Err(AuthorityError::Unexpected(format!("status {}", answer.status.as_u16()))),
    }
}

fn nonce_in(headers: &HeaderMap) -> Option<String> {
    headers.get(NONCE).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The moment that `Retry-After` names, in Unix seconds; 0 without the header.
fn again_at(headers: &HeaderMap) -> u64 {
    let Some(text) = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()) else { return 0 };
    let now = unix_seconds();
    let until = match text.trim().parse::<u64>() {
        Ok(seconds) => now.saturating_add(seconds),
        Err(_) => httpdate::parse_http_date(text.trim())
            .ok()
            .and_then(|date| date.duration_since(SystemTime::UNIX_EPOCH).ok())
            .map_or(0, |since| since.as_secs()),
    };
    until.min(now + LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_says_when_to_come_back_in_seconds_or_as_a_date_and_not_in_years() {
        let until = |text: &str| again_at(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        let now = unix_seconds();
        assert!((now + 60..now + 90).contains(&until("60")));
        assert_eq!(until("Thu, 01 Jan 1970 00:01:00 GMT"), 60);
        assert!(until("99999999999") < now + LONGEST_REST + 30);
        assert_eq!((until("soon"), again_at(&HeaderMap::new())), (0, 0));
    }

    #[test]
    fn the_words_of_an_authority_are_one_line_of_a_bounded_length() {
        let detail = format!("no\n{}", "x".repeat(1000));
        let problem =
            Problem { r#type: "urn:ietf:params:acme:error:dns".to_owned(), detail, ..Problem::default() };
        assert_eq!(problem.kind(), "dns");
        let shown = problem.shown();
        assert!(shown.starts_with("no xxx") && shown.chars().count() == LONGEST, "{shown}");
    }
}
