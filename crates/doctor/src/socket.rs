//! A client's WebSocket: the first message, and the events after.

use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket};
use serde_json::{Value, json};
use tokio::io::BufReader;
use tokio::time::timeout;

use super::base_url::BaseUrl;
use super::bounds::PATIENCE;
use super::changed;
use super::hop::{Complaint, complain, repeated};
use super::reach::Io;

/// Most bytes of a message.
const MOST_BYTES: usize = 1 << 20;

/// A WebSocket.
pub(super) struct Socket {
    stream: WebSocket<BufReader<Box<dyn Io>>>,
    id: String,
}

/// A received item.
enum Came {
    Message(Value),
    Close(Option<u16>, String),
    End,
    Nothing,
}

impl Socket {
    pub fn new(stream: BufReader<Box<dyn Io>>) -> Self {
        let mut stream = WebSocket::after_handshake(stream, Role::Client);
        stream.set_max_message_size(MOST_BYTES);
        Self { stream, id: String::new() }
    }

    /// The socket id; empty before the server has sent one.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits for the first message, which shows whether the app's key is valid.
    pub async fn established(mut self, place: &BaseUrl, key: &str) -> Result<(String, Self), Complaint> {
        match self.next().await {
            Came::Message(message) if message["event"] == "pusher:connection_established" => {
                let data: Value = message["data"]
                    .as_str()
                    .and_then(|data| serde_json::from_str(data).ok())
                    .unwrap_or_default();
                data["socket_id"].as_str().unwrap_or_default().clone_into(&mut self.id);
                Ok((format!("{key} is known; the socket id is {}", self.id), self))
            }
            Came::Message(message) if message["event"] == "pusher:error" => {
                let code = message["data"]["code"].as_u64();
                let text = message["data"]["message"].as_str().unwrap_or_default();
                Err(refused(place, key, code, text))
            }
            Came::Message(_) => complain(
                "the first message is not pusher:connection_established",
                "Something else than a server of the Pusher protocol answers at this path.",
            ),
            Came::Close(code, text) => Err(refused(place, key, code.map(u64::from), &text)),
            Came::End => complain(
                "the connection ends behind the handshake",
                "The proxy closes it (with nginx, look for `proxy_http_version 1.1;` in the location), or the server has \
                 crashed: see both logs.",
            ),
            Came::Nothing => complain(
                "nothing comes behind the handshake",
                "A proxy holds back what the server sends: switch off its buffering for this path.",
            ),
        }
    }

    /// Closes the connection, and waits until the server has let it go.
    pub async fn leave(mut self) {
        let _ = timeout(PATIENCE, self.stream.write_frame(Frame::close(1000, b""))).await;
        while let Came::Message(_) = self.next().await {}
    }

    /// Sends an event of the protocol; the next read reports a broken connection.
    pub async fn send(&mut self, event: &str, data: Value) {
        let text = json!({ "event": event, "data": data }).to_string();
        let frame = Frame::text(Payload::Owned(text.into_bytes()));
        let _ = timeout(PATIENCE, self.stream.write_frame(frame)).await;
    }

    /// Waits for this event of a channel, or of none, past others; `Err` says what came instead.
    pub async fn expect(&mut self, event: &str, channel: Option<&str>) -> Result<Value, String> {
        let wait = async {
            loop {
                match self.next().await {
                    Came::Message(message)
                        if message["event"] == event && message["channel"].as_str() == channel =>
                    {
                        return Ok(message);
                    }
                    Came::Message(message) if message["event"] == "pusher:error" => {
                        return Err(message["data"]["message"].as_str().unwrap_or("an error").to_owned());
                    }
                    Came::Message(_) => {}
                    Came::Close(code, text) => {
                        return Err(format!("the connection is closed with {} {text}", code.unwrap_or(1005)));
                    }
                    Came::End => return Err("the connection ends".to_owned()),
                    Came::Nothing => return Err("nothing comes".to_owned()),
                }
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| Err("it does not come".to_owned()))
    }

    async fn next(&mut self) -> Came {
        // A timed-out read leaves half a frame; nothing reads after that.
        let frame = match timeout(PATIENCE, self.stream.read_frame()).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(_)) => return Came::End,
            Err(_) => return Came::Nothing,
        };
        match frame.opcode {
            OpCode::Close => {
                let (code, text) = frame.payload.split_at_checked(2).unwrap_or_default();
                let code = code.try_into().ok().map(u16::from_be_bytes);
                Came::Close(code, String::from_utf8_lossy(text).into_owned())
            }
            _ => serde_json::from_slice(&frame.payload).map_or(Came::Message(Value::Null), Came::Message),
        }
    }
}

/// The meaning of a refused connection to a server with a key.
fn refused(place: &BaseUrl, key: &str, code: Option<u64>, text: &str) -> Complaint {
    let path = place.path_of(key);
    let changed = match code {
        Some(4005) => changed::path_without_route(text).and_then(|came| changed::path(&path, came)),
        Some(4001) => key_in(text).and_then(|came| changed::path(key, came)),
        // The clients' protocol version is in the query string.
        Some(4008) => Some(changed::query_lost(&path)),
        _ => None,
    };
    let mend = match code {
        Some(4001) => {
            "The server has no app with this key: compare PUSHER_APP_KEY (REVERB_APP_KEY, VITE_…) with \
                       `fanfare app list`, run where the server runs, and rebuild the page's assets after a change."
        }
        Some(4003) => "Switch the app on: fanfare app enable ID, or enabled = true.",
        Some(4004) => "The app has as many connections as it may: raise max_connections.",
        Some(4000) => {
            "The app wants TLS: connect with wss://, or see to listen.trusted_proxies, so that the proxy's \
                       X-Forwarded-Proto is believed."
        }
        Some(4005) => {
            "The server is there, but its path is another: see to listen.path_prefix, and to wsPath of the client."
        }
        Some(4009) => "Add the page's host to the app's allowed_origins.",
        Some(4100) => "The server is full, or cannot read its apps' database: see its log.",
        _ => "The server's log says more.",
    };
    let code = code.map(|code| format!(" with {code}")).unwrap_or_default();
    Complaint {
        what: format!("the connection is refused{code}: {}", repeated(text, 200)),
        mend: changed.unwrap_or_else(|| mend.to_owned()),
    }
}

/// The unknown key that the server's text names.
fn key_in(text: &str) -> Option<&str> {
    text.strip_prefix("App key ")?.split_once(" not in this cluster").map(|(key, _)| key)
}
