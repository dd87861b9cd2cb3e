//! The third hop: an HTTP request becomes a WebSocket, if every proxy forwards the upgrade.

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

use super::answer::Answer;
use super::base_url::BaseUrl;
use super::bounds::PATIENCE;
use super::changed;
use super::hop::{Complaint, complain, repeated};
use super::reach::Io;
use super::redirect::{self, Sender};
use super::socket::Socket;
use fanfare_protocol::error::NOTHING_AT;

/// The RFC's own example of a key; only a correct answer to the key matters.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The correct answer to that key.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Requests a WebSocket like pusher-js.
pub(super) async fn ask(
    place: &BaseUrl,
    key: &str,
    origin: Option<&str>,
    stream: Box<dyn Io>,
) -> Result<(String, Socket), Complaint> {
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    let request = format!(
        "GET {}?protocol=7&client=js&version=8.4.0&flash=false HTTP/1.1\r\nHost: {}\r\nConnection: \
         Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nUser-Agent: \
         fanfare-doctor\r\n{origin}\r\n",
        place.path_of(key),
        place.authority(),
    );
    let mut stream = BufReader::new(stream);
    let exchange = async {
        stream.write_all(request.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        read(&mut stream).await
    };
    match timeout(PATIENCE, exchange).await {
        Ok(Some(answer)) if answer.status == 101 && answer.header("sec-websocket-accept") == ACCEPT => {
            Ok((format!("101 from {}", place.url("ws")), Socket::new(stream)))
        }
        Ok(Some(answer)) if answer.status == 101 => complain(
            "the handshake is answered 101, but not with this request's Sec-WebSocket-Accept",
            "Something in between answers by itself or from a cache: have it pass on this path untouched.",
        ),
        Ok(Some(answer)) => {
            let redirect = redirect::complaint(Sender::Browser, answer.status, answer.header("location"));
            Err(redirect.unwrap_or_else(|| complaint(place, key, &answer)))
        }
        Ok(None) => complain(
            "the connection is closed, or what comes is not HTTP",
            "Where the port speaks TLS, use wss:// and https:// (PUSHER_SCHEME=https, forceTLS: true).",
        ),
        Err(_) => complain(
            "the handshake is not answered",
            "The proxy holds the request back, or what is behind it hangs: see its log.",
        ),
    }
}

/// The head of an answer; the body too, unless the answer is a WebSocket.
async fn read(stream: &mut BufReader<Box<dyn Io>>) -> Option<Answer> {
    let answer = Answer::head(stream).await?;
    if answer.status == 101 { Some(answer) } else { answer.with_body(stream).await }
}

fn complaint(place: &BaseUrl, key: &str, answer: &Answer) -> Complaint {
    let Answer { status, body, .. } = answer;
    let came = changed::path_without_route(body.trim());
    let path_changed = came.and_then(|came| changed::path(&place.path_of(key), came));
    let proxy_protocol = changed::proxy_protocol(body);
    let front = answer.header("server");
    let by = if front.is_empty() { String::new() } else { format!(" by {front}") };
    let said = sentence(body);
    let mend = match status {
        426 if body.contains("HTTP/1.0") => {
            "The proxy passes the headers on, but speaks HTTP/1.0 to the server, which knows no WebSockets. With nginx, \
             add to the location:\n    proxy_http_version 1.1;"
                .to_owned()
        }
        // Fanfare's own answer says that the header did not arrive.
        426 => passing_on(front),
        404 if path_changed.is_some() => path_changed.unwrap_or_default(),
        404 if body.contains(NOTHING_AT) => format!(
            "The server is there, but not at {}: see to listen.path_prefix, wsPath of the client, and whether the \
             proxy takes a prefix off that the server waits for.",
            place.prefix_shown()
        ),
        404 => format!(
            "Nothing answers to {}/app/… there: it is another server, the proxy's location is for another path, or a \
             path is missing (--url {}/PATH).",
            place.prefix,
            place.url("ws")
        ),
        400 if proxy_protocol.is_some() => proxy_protocol.unwrap_or_default(),
        // The texts of Fanfare, nginx and Go.
        400 if ["port speaks TLS", "HTTPS port", "HTTPS server"].iter().any(|words| body.contains(words)) => {
            "This port speaks TLS: use wss:// and https:// (PUSHER_SCHEME=https, forceTLS: true).".to_owned()
        }
        401 | 403 => "Something in front wants a log-in or blocks the request: let /app/ through.".to_owned(),
        502..=504 => {
            "The proxy does not reach the server behind it: start that, and see to the address and port that \
                      the proxy passes to."
                .to_owned()
        }
        520..=530 => {
            "Cloudflare does not reach your server: see to its DNS record, the origin's port and certificate."
                .to_owned()
        }
        _ => passing_on(front),
    };
    Complaint { what: format!("the handshake is answered {status}{by}{said}"), mend }
}

/// The configuration that makes a proxy forward an upgrade.
fn passing_on(front: &str) -> String {
    let front = front.to_ascii_lowercase();
    let how = if front.contains("nginx") || front.contains("openresty") {
        "Add to the proxy's location:\n    proxy_http_version 1.1;\n    proxy_set_header Upgrade $http_upgrade;\n    \
         proxy_set_header Connection \"upgrade\";"
    } else if front.contains("apache") {
        "Write (Apache 2.4.47 or newer):\n    ProxyPass / http://127.0.0.1:6001/ upgrade=websocket"
    } else if front.contains("caddy") {
        "Caddy's reverse_proxy passes it on by itself: look for header_up lines with Connection or Upgrade, and \
         for another handler that takes the path first."
    } else if front.contains("cloudflare") {
        "Switch on WebSockets under Network in Cloudflare, and see to the proxy behind it."
    } else {
        "Have it pass on the headers `Connection: Upgrade` and `Upgrade: websocket`, with HTTP/1.1."
    };
    format!("A proxy in between does not pass on the upgrade. {how}")
}

/// The first line of a plain answer.
fn sentence(body: &str) -> String {
    let line = body.trim().lines().next().unwrap_or_default();
    if line.is_empty() || line.starts_with('<') {
        String::new()
    } else {
        format!(": {}", repeated(line, 200))
    }
}
