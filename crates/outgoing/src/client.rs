//! The client: one pool of connections for all requests.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::http::response::Parts;
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use crate::error::OutgoingError;
use crate::opening::OpeningConnector;
use crate::reach::{Reach, Resolver};
use crate::trust::Trust;

/// Idle connections kept for each server.
const IDLE_CONNECTIONS: usize = 8;

/// Idle timeout of a connection; shorter than most servers', which so seldom close a connection under a request.
const IDLE: Duration = Duration::from_secs(15);

/// Makes requests; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    pool: legacy::Client<HttpsConnector<OpeningConnector>, Full<Bytes>>,
    reach: Reach,
}

/// Options that differ from the usual ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which addresses requests may reach.
    pub reach: Reach,
    /// Header names are written `Like-This`, for servers that compare them letter by letter.
    pub title_case_headers: bool,
    /// What every connection begins with, before TLS and the first request; usually nothing.
    pub opening: &'static str,
}

/// Bounds of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Timeout, from the name's look-up to the last byte of the answer.
    pub time: Duration,
    /// Most bytes of the answer's body.
    pub bytes: usize,
}

/// An answer, read to the end.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status; a redirect is an answer like any other.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's body.
    pub body: Bytes,
}

/// An answer whose body is read as the body comes.
#[derive(Debug)]
pub struct StreamedResponse {
    /// The status; a redirect is an answer like any other.
    pub status: StatusCode,
    body: Incoming,
}

impl StreamedResponse {
    /// The next part of the body, at most a read of the socket; `None` at the end of the body. Waits as long as the other
    /// side is silent.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, OutgoingError> {
        while let Some(frame) = self.body.frame().await {
            match frame {
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Err(error) => return Err(OutgoingError::broken(&error)),
            }
        }
        Ok(None)
    }
}

impl Client {
    /// A client for `http` and `https`.
    #[must_use]
    pub fn new(trust: &Trust) -> Self {
        Self::with(trust, Options::default())
    }

    /// As [`Client::new`], with other options.
    #[must_use]
    pub fn with(trust: &Trust, options: Options) -> Self {
        let Options { reach, title_case_headers, opening } = options;
        let mut tcp = HttpConnector::new_with_resolver(Resolver(reach));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust.client_config())
            .https_or_http()
            .enable_http1()
            .wrap_connector(OpeningConnector { tcp, opening });
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_title_case_headers(title_case_headers)
            .build(connector);
        Self { pool, reach }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// No complete answer came within the bounds.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        bounds: Bounds,
    ) -> Result<Response, OutgoingError> {
        match tokio::time::timeout(bounds.time, self.exchange(request, bounds.bytes)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OutgoingError::TimedOut(bounds.time)),
        }
    }

    /// Sends a request and returns the answer's status and headers, and at most the first `most` bytes of its body: a body that
    /// is too large, or incomplete, does not change the result.
    ///
    /// # Errors
    /// No status came within the timeout.
    pub async fn with_beginning(
        &self,
        request: Request<Full<Bytes>>,
        bounds: Bounds,
        most: usize,
    ) -> Result<(Parts, Vec<u8>), OutgoingError> {
        let deadline = Instant::now() + bounds.time;
        let answer = match timeout_at(deadline, self.head(request)).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(OutgoingError::TimedOut(bounds.time)),
        };
        let (head, mut body) = answer.into_parts();
        let (mut beginning, mut read) = (Vec::new(), 0);
        // The body is read to the end so that the connection can be reused; a failure loses nothing but the reuse.
        while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
            let data = frame.into_data().unwrap_or_default();
            let room = most - beginning.len();
            beginning.extend_from_slice(data.get(..room).unwrap_or(&data));
            read += data.len();
            if read > bounds.bytes {
                break;
            }
        }
        Ok((head, beginning))
    }

    /// Sends a request whose answer goes on for as long as the caller reads.
    ///
    /// # Errors
    /// No status came within `time`.
    pub async fn stream(
        &self,
        request: Request<Full<Bytes>>,
        time: Duration,
    ) -> Result<StreamedResponse, OutgoingError> {
        match tokio::time::timeout(time, self.head(request)).await {
            Ok(outcome) => {
                let (head, body) = outcome?.into_parts();
                Ok(StreamedResponse { status: head.status, body })
            }
            Err(_) => Err(OutgoingError::TimedOut(time)),
        }
    }

    /// Sends a request; the answer's body is still to be read.
    async fn head(&self, request: Request<Full<Bytes>>) -> Result<hyper::Response<Incoming>, OutgoingError> {
        self.reach.check(request.uri())?;
        self.pool.request(request).await.map_err(|error| {
            if error.is_connect() { OutgoingError::connecting(&error) } else { OutgoingError::broken(&error) }
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, most: usize) -> Result<Response, OutgoingError> {
        let (head, body) = self.head(request).await?.into_parts();
        let body = Limited::new(body, most).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                OutgoingError::TooLarge(most)
            } else {
                OutgoingError::broken(&*error)
            }
        })?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::tls_fault::TlsFault;

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), bytes: 1000 };

    /// Answers one request with these bytes; then keeps the connection open, or closes the connection.
    async fn server(answer: Vec<u8>, stays: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            // The client may have hung up by now.
            let _ = stream.write_all(&answer).await;
            if stays {
                std::future::pending::<()>().await;
            }
        });
        address
    }

    async fn ask(scheme: &str, address: SocketAddr, bounds: Bounds) -> Result<Response, OutgoingError> {
        let request = Request::post(format!("{scheme}://{address}/")).body(Full::default()).unwrap();
        Client::new(&Trust::public()).send(request, bounds).await
    }

    fn answer(status: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_and_a_redirect_is_one() {
        let address = server(answer("302 Found\r\nLocation: /elsewhere", "hello"), true).await;
        let response = ask("http", address, BOUNDS).await.unwrap();
        assert_eq!((response.status.as_u16(), &response.body[..]), (302, &b"hello"[..]));
        assert_eq!(response.headers["location"], "/elsewhere");
    }

    #[tokio::test]
    async fn no_more_is_read_than_was_allowed() {
        let address = server(answer("200 OK", &"x".repeat(1000)), true).await;
        assert_eq!(ask("http", address, BOUNDS).await.unwrap().body.len(), 1000);
        let address = server(answer("200 OK", &"x".repeat(1001)), true).await;
        assert_eq!(ask("http", address, BOUNDS).await.unwrap_err(), OutgoingError::TooLarge(1000));
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000));
        let address = server(endless.into_bytes(), true).await;
        assert_eq!(ask("http", address, BOUNDS).await.unwrap_err(), OutgoingError::TooLarge(1000));
    }

    #[tokio::test]
    async fn where_only_the_status_matters_a_body_that_is_too_large_or_broken_off_changes_nothing() {
        let long = answer("200 OK", &"x".repeat(1001));
        let half = b"HTTP/1.1 204 Very Well\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
        let silent = b"HTTP/1.1 500 Oh\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
        for (bytes, stays, wanted) in [(long, true, 200), (half, false, 204), (silent, true, 500)] {
            let address = server(bytes, stays).await;
            let request = Request::post(format!("http://{address}/")).body(Full::default()).unwrap();
            let bounds = Bounds { time: Duration::from_millis(500), ..BOUNDS };
            let answered = Client::new(&Trust::public()).with_beginning(request, bounds, 3).await;
            let (head, beginning) = answered.unwrap();
            assert_eq!(head.status.as_u16(), wanted);
            // What had come before the end of a connection may be lost.
            assert!(beginning == b"xxx" || b"hal".starts_with(&beginning), "{beginning:?}");
        }
        let address = server(Vec::new(), true).await;
        let request = Request::post(format!("http://{address}/")).body(Full::default()).unwrap();
        let time = Duration::from_millis(50);
        let error = Client::new(&Trust::public()).with_beginning(request, Bounds { time, ..BOUNDS }, 3).await;
        assert_eq!(error.unwrap_err(), OutgoingError::TimedOut(time));
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_not_waited_for() {
        let address = server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec(), true).await;
        let time = Duration::from_millis(50);
        let error = ask("http", address, Bounds { time, ..BOUNDS }).await.unwrap_err();
        assert_eq!(error.to_string(), "there was no whole answer within 50 ms");
    }

    #[tokio::test]
    async fn an_address_that_is_not_public_is_not_connected_to_by_number_or_by_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let client =
            Client::with(&Trust::public(), Options { reach: Reach::PublicOnly, ..Options::default() });
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
            let request = Request::post(format!("http://{host}:{port}/")).body(Full::default()).unwrap();
            let error = client.send(request, BOUNDS).await.unwrap_err();
            assert!(matches!(error, OutgoingError::NotPublic(_)), "{host}: {error:?}");
        }
        let accepted = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
        assert!(accepted.is_err(), "nobody has connected");
    }

    #[tokio::test]
    async fn what_went_wrong_is_told_apart() {
        let address = server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec(), false).await;
        assert!(matches!(ask("http", address, BOUNDS).await, Err(OutgoingError::Broken(_))));
        let address = server(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), false).await;
        assert_eq!(ask("https", address, BOUNDS).await.unwrap_err(), OutgoingError::Tls(TlsFault::NoTls));
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(ask("http", free, BOUNDS).await.unwrap_err(), OutgoingError::Refused);
        let request = Request::get("http://nowhere.invalid/").body(Full::default()).unwrap();
        let error = Client::new(&Trust::public()).send(request, BOUNDS).await.unwrap_err();
        assert!(matches!(error, OutgoingError::NameNotFound(_)), "{error:?}");
    }
}
