//! Around the answer to one request: the request under way, a panic as a 500, and the headers of the connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, DATE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode, Version};

use super::activity::Activity;
use super::answer_body::AnswerBody;
use super::date;
use super::request_body::RequestBody;
use super::site::{Listening, Site};
use super::under_way::Begun;
use crate::http::{Answer, Peer};
use crate::metrics::REQUEST;

/// Most requests of one connection: the last answer closes the connection.
pub(super) const MOST_REQUESTS: u32 = 100_000;

pub(super) const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Answers a request.
///
/// The request is under way until its answer is whole; a stream, until its body has ended or is dropped. The handling of
/// idle connections relies on that.
pub(super) async fn respond<A: Site>(
    listening: Arc<Listening<A>>,
    activity: Arc<Activity>,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let begun = Begun::new(&listening.places, &activity);
    let may_stay = stays_open(request.version(), request.headers());
    let (mut answer, has_panicked) = ask(&listening, &activity, peer, request).await;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        begun.leaves_http();
        return Ok(answer);
    }
    let closes = activity.must_close()
        || has_panicked
        || activity.answered() + 1 >= MOST_REQUESTS
        || listening.site.state().node.drain.has_begun();
    if may_stay {
        set_connection(answer.headers_mut(), closes, &listening.times().keep_alive);
    } else if closes {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let AnswerBody::Stream(stream) = answer.body() {
        stream.answers(begun.goes_on());
    }
    Ok(answer)
}

/// The site's answer to a request, and whether the site has panicked: then the answer is a 500.
pub(super) async fn ask<A: Site>(
    listening: &Listening<A>,
    activity: &Arc<Activity>,
    peer: Peer,
    request: Request<Incoming>,
) -> (Answer, bool) {
    let asked = (request.method().clone(), request.uri().clone());
    let request =
        request.map(|body| RequestBody::new(body, Arc::clone(activity), Arc::clone(&listening.places)));
    // Boxed: hyper keeps the room for this function's state as long as the connection, also while a stream goes on.
    let answered = catch_panic(Box::pin(listening.site.answer(peer, request))).await;
    let has_panicked = answered.is_none();
    let mut answer = match answered {
        Some(answer) => answer,
        None => {
            let (method, path) = (asked.0.as_str(), asked.1.path());
            tracing::error!(target: "fanfare::http", method, path, "answering a request has panicked");
            listening.site.state().metrics.panicked(REQUEST);
            Box::pin(listening.site.after_panic(&asked.1)).await
        }
    };
    answer.headers_mut().insert(DATE, date::now());
    (answer, has_panicked)
}

/// Whether the client allows another request on the connection.
fn stays_open(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11 && !headers.get_all(CONNECTION).iter().any(says_close)
}

fn says_close(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|list| list.split(',').any(|option| option.trim().eq_ignore_ascii_case("close")))
}

/// Sets the headers that announce the close of the connection, or its keep-alive time.
fn set_connection(headers: &mut HeaderMap, closes: bool, keep_alive: &HeaderValue) {
    if headers.get_all(CONNECTION).iter().any(says_close) {
        return;
    }
    let option = HeaderValue::from_static(if closes { "close" } else { "keep-alive" });
    headers.append(CONNECTION, option);
    if !closes {
        headers.insert(KEEP_ALIVE, keep_alive.clone());
    }
}

/// The output of a future, or `None` after a panic.
///
/// Shared state is behind locks that a panic does not poison, and in tables whose entries remove themselves
/// on drop.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(connection: &[&'static str]) -> HeaderMap {
        connection.iter().map(|value| (CONNECTION, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn whether_a_connection_stays_is_the_clients_choice_first() {
        assert!(stays_open(Version::HTTP_11, &headers(&[])));
        assert!(stays_open(Version::HTTP_11, &headers(&["keep-alive"])));
        assert!(!stays_open(Version::HTTP_11, &headers(&["TE, Close"])));
        assert!(!stays_open(Version::HTTP_11, &headers(&["TE", "close"])));
        assert!(!stays_open(Version::HTTP_10, &headers(&[])));
    }

    #[test]
    fn an_answer_says_close_or_how_long_never_both() {
        let keep_alive = HeaderValue::from_static("timeout=75");
        let said = |mut map: HeaderMap, closes| {
            set_connection(&mut map, closes, &keep_alive);
            let all: Vec<_> = map.get_all(CONNECTION).iter().map(|value| value.to_str().unwrap()).collect();
            (all.join(", "), map.get(KEEP_ALIVE).is_some())
        };
        assert_eq!(said(headers(&[]), false), ("keep-alive".to_owned(), true));
        assert_eq!(said(headers(&[]), true), ("close".to_owned(), false));
        assert_eq!(said(headers(&["close"]), false), ("close".to_owned(), false));
        assert_eq!(said(headers(&["upgrade"]), false), ("upgrade, keep-alive".to_owned(), true));
    }
}
