//! The operator's listener: health, readiness, metrics. On loopback unless configured otherwise.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::state::State;

/// Requests of operators and monitors under way at once; more wait to be accepted.
const MOST_AT_ONCE: usize = 64;

/// Answers operators until the process ends, also while it drains.
pub async fn run(state: Arc<State>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let patience = state.config.timeouts.handshake();
            let respond = service_fn(move |request| {
                let answer = answer(&state, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(patience)
                .serve_connection(TokioIo::new(stream), respond);
            if let Err(error) = connection.await {
                tracing::debug!(target: "fanfare::http", %error, "admin connection failed");
            }
            drop(place);
        });
    }
}

fn answer(state: &State, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "This listener answers to GET only\n".into());
    }
    match request.uri().path() {
        "/up" => typed(StatusCode::OK, "application/json", r#"{"health":"OK"}"#.into()),
        "/ready" if state.drain.has_begun() => plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n".into()),
        "/ready" => plain(StatusCode::OK, "ready\n".into()),
        "/metrics" => typed(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            state.metrics.text(),
        ),
        _ => plain(StatusCode::NOT_FOUND, "There are /up, /ready and /metrics\n".into()),
    }
}

fn plain(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", body)
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
