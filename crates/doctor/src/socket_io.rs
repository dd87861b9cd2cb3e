//! Socket.IO's hop: the handshake that a page's client begins with (SIO-003), and the app that answers (SIO-081).

use bytes::Bytes;
use fanfare_config::Config;
use fanfare_outgoing::Client;
use http_body_util::Full;
use hyper::Request;

use super::base_url::BaseUrl;
use super::bounds::BOUNDS;
use super::hop::{Finding, complain, repeated};
use super::redirect::{self, Sender};

/// Longest repeated part of an answer, in characters.
const MOST_REPEATED: usize = 200;

/// What the configuration says of Socket.IO, where it is switched on.
pub(super) struct AskedSocketIo {
    /// The app at `/socket.io/`; `None` is the first of the server's own database.
    app: Option<String>,
}

impl AskedSocketIo {
    pub fn of(config: &Config) -> Option<Self> {
        let app = config.socketio.app.as_ref().map(|id| id.as_str().to_owned());
        config.socketio.enabled.then_some(Self { app })
    }
}

/// The reason of a refusal, a text in JSON, without the packet that ends the session.
fn text_of(reason: &str) -> &str {
    let text = reason.strip_prefix('"').and_then(|rest| rest.rsplit_once('"'));
    text.map_or(reason, |(text, _)| text)
}

/// Opens a session over polling, and closes it.
pub(super) async fn ask(client: &Client, place: &BaseUrl, asked: &AskedSocketIo) -> Finding {
    const FORWARD: &str =
        "A proxy in front must forward /socket.io/ as well, with the headers Upgrade and Connection.";
    let url = format!("{}/socket.io/", place.url("http"));
    let request = Request::get(format!("{url}?EIO=3&transport=polling")).body(Full::new(Bytes::new()));
    let Ok(request) = request else { return complain(format!("{url} is no URL"), FORWARD) };
    let response = match client.send(request, BOUNDS).await {
        Ok(response) => response,
        Err(error) => return complain(format!("{url} does not answer: {error}"), FORWARD),
    };
    let status = response.status.as_u16();
    let location = response.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Some(complaint) = redirect::complaint(Sender::Browser, status, location) {
        return Err(complaint);
    }
    let text = String::from_utf8_lossy(&response.body);
    // The packet that connects follows the open packet (SIO-013), or the reason of a refusal (SIO-035).
    if status == 200 && text.ends_with("2:40") {
        close(client, &url, &text).await;
        let app = asked.app.as_deref().unwrap_or("that comes first in the server's database");
        return Ok(format!(
            "{url} opens a session over polling, as a page with socket.io-client 2 asks for one (no WebSocket was tried \
             there), and is the app {app}; anyone who reaches that address may listen to its public channels without a key"
        ));
    }
    match text.split_once(":44") {
        Some((_, reason)) if status == 200 => complain(
            format!("{url} refuses its clients: {}", repeated(text_of(reason), MOST_REPEATED)),
            "See that socketio.app names an app that there is, and that is enabled.",
        ),
        _ => complain(format!("{url} is answered {status}: {}", repeated(&text, MOST_REPEATED)), FORWARD),
    }
}

/// Closes the session of an open packet; one that nobody closes would end by itself, when nobody polls.
async fn close(client: &Client, url: &str, opened: &str) {
    let sid = opened.split_once(r#""sid":""#).and_then(|(_, rest)| rest.split_once('"'));
    let Some((sid, _)) = sid else { return };
    // The packet `1`, behind its length.
    let request = Request::post(format!("{url}?EIO=3&transport=polling&sid={sid}"))
        .header("content-type", "text/plain;charset=UTF-8")
        .body(Full::new(Bytes::from_static(b"1:1")));
    if let Ok(request) = request {
        let _ = client.send(request, BOUNDS).await;
    }
}
