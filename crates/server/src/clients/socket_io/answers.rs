//! The shapes of answers: a payload, the receipt of a POST, a refusal (SIO-004, SIO-012, SIO-014, SIO-072).

use fanfare_protocol::engine_io::EngineRefusal;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use crate::connections::AnswerBody;
use crate::http::answer::{self, Answer};

/// The type of payloads.
const PAYLOAD: &str = "text/plain; charset=UTF-8";

/// The answer to a refused request (SIO-004).
pub(super) fn refuse(refusal: EngineRefusal) -> Answer {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    unkept(answer::json(status, refusal.body()))
}

/// The answer with a payload (SIO-012).
pub(super) fn payload(body: Vec<u8>) -> Answer {
    unkept(answer::with_type(StatusCode::OK, PAYLOAD, body.into()))
}

/// The answer with a payload that is still to come.
pub(super) fn stream(body: AnswerBody) -> Answer {
    let mut answer = Answer::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PAYLOAD));
    unkept(answer)
}

/// The answer to a POST whose packets were taken in (SIO-014).
pub(super) fn taken_in() -> Answer {
    unkept(answer::with_type(StatusCode::OK, "text/html", "ok".into()))
}

/// Answers are for one request (SIO-072).
fn unkept(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
