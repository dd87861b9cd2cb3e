//! The door for publishes with an idempotency key: where the key is, and what its repeats are answered (API-022, API-023).
//!
//! A request without a key goes straight through.

use std::sync::Arc;

use fanfare_node::idempotency::{Attempt, Begun, FirstAnswer, KnownKey, begin};
use fanfare_protocol::idempotency::{IDEMPOTENCY_FIELD, KeyedRequest, is_idempotency_key};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::event;
use super::events::Accepted;
use super::signed::Signed;
use crate::http::error::ApiError;
use crate::state::State;

/// Where a key may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In the header, or else in the body's JSON.
    HeaderOrBody,
    /// In the header alone: the body is the event's data.
    Header,
}

/// Publishes, unless a request with the same key was done before: then its answer is given again.
///
/// `publish` does nothing before it is polled.
///
/// # Errors
/// The errors of `publish`, which leave the key free; a key that is none; a key whose first request is under way or was another.
pub async fn once(
    state: &State,
    signed: &Signed,
    (path, place): (&str, KeyPlace),
    publish: impl Future<Output = Result<Accepted, ApiError>>,
) -> Result<Accepted, ApiError> {
    let request = match key(signed, place)? {
        None => return publish.await,
        Some(key) => KeyedRequest::new(path, &key, &signed.query, &signed.body),
    };
    match begin(&state.node, &signed.app.id, request).await {
        Begun::First(attempt) => {
            let pending = Pending { attempt: Some(attempt), signed };
            let accepted = publish.await?;
            pending.finish(FirstAnswer { id: accepted.id, json: Arc::from(&*accepted.json) });
            Ok(accepted)
        }
        Begun::Known(KnownKey::Again(FirstAnswer { id, json })) => {
            Ok(Accepted { id, json: json.to_string() })
        }
        Begun::Known(KnownKey::UnderWay) => Err(ApiError::KeyUnderWay),
        Begun::Known(KnownKey::OtherRequest) => Err(ApiError::KeyOfOtherRequest),
    }
}

/// The first request with a key. A publish that is done keeps its key also where its client goes before the answer.
struct Pending<'a> {
    attempt: Option<Attempt>,
    signed: &'a Signed,
}

impl Pending<'_> {
    fn finish(mut self, answer: FirstAnswer) {
        if let Some(attempt) = self.attempt.take() {
            attempt.finish(answer);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some((attempt, id)) = self.attempt.take().zip(self.signed.published.get()) {
            attempt.finish(FirstAnswer { id: *id, json: Arc::from("{}") });
        }
    }
}

/// The key of a request, if there is one.
fn key(signed: &Signed, place: KeyPlace) -> Result<Option<Vec<u8>>, ApiError> {
    let key = match &signed.idempotency_key {
        Some(header) => Some(header.as_bytes().to_vec()),
        None if place == KeyPlace::HeaderOrBody => in_body(&signed.body)?,
        None => None,
    };
    match key {
        Some(key) if !is_idempotency_key(&key) => Err(ApiError::InvalidKey),
        key => Ok(key),
    }
}

/// The body is parsed for the key only where the field's name occurs at all.
fn in_body(body: &[u8]) -> Result<Option<Vec<u8>>, ApiError> {
    #[derive(Deserialize)]
    struct Keyed<'a> {
        #[serde(borrow, default)]
        idempotency_key: Option<&'a RawValue>,
    }

    if !std::str::from_utf8(body).is_ok_and(|text| text.contains(IDEMPOTENCY_FIELD)) {
        return Ok(None);
    }
    let key = event::object::<Keyed<'_>>(body)?.idempotency_key;
    Ok(event::string(key, IDEMPOTENCY_FIELD)?.map(|key| key.as_bytes().to_vec()))
}
