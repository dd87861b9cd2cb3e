//! Clients of Laravel Echo's `socket.io` connector over WebSockets: packets as socket.io-client sends them.

use std::time::Duration;

use serde_json::Value;

use super::server::TestServer;
use super::setup::Setup;
use super::socket::{Frame, Socket};
use super::upgrade::Upgrade;
use super::{APP, quoted};

/// Settings that switch Socket.IO on.
pub const ON: &str = "[socketio]\nenabled = true\n";

/// A server that speaks Socket.IO, whose app has these settings.
pub fn speaking(app: &str) -> Setup {
    Setup::bare().config(ON).app(APP, app)
}

/// A session over a WebSocket.
pub struct Echo {
    pub socket: Socket,
    /// The id that an application is told.
    pub id: String,
}

impl Echo {
    /// A connected client of this version of Engine.IO, at `/socket.io/`.
    #[track_caller]
    pub fn connect(server: &TestServer, version: u8) -> Self {
        Self::of(server.open(&target("/socket.io/", version)), version)
    }

    /// A connected client whose handshake has further headers.
    #[track_caller]
    pub fn with_headers(server: &TestServer, headers: &[(&str, &str)]) -> Self {
        let upgrade = Upgrade::to(&target("/socket.io/", 3));
        let upgrade = headers.iter().fold(upgrade, |upgrade, (name, value)| match *name {
            "Host" => upgrade.host(value),
            _ => upgrade.header(name, value),
        });
        Self::of(upgrade.open(server.addr).1, 3)
    }

    /// Reads the first packets, and connects to the namespace.
    #[track_caller]
    pub fn of(mut socket: Socket, version: u8) -> Self {
        let open = opened(&socket.text());
        let id = if version == 3 {
            socket.expect_text("40");
            open["sid"].as_str().expect("SIO-011: a sid").to_owned()
        } else {
            socket.send(r#"40{"headers":{}}"#);
            let connected = socket.text();
            let connected = connected.strip_prefix("40").unwrap_or_else(|| panic!("SIO-042: {connected}"));
            let connected: Value = serde_json::from_str(connected).expect("SIO-042: JSON");
            let id = connected["sid"].as_str().expect("SIO-042: an id").to_owned();
            assert_ne!(open["sid"], id, "SIO-091: the session's name is another, and secret");
            id
        };
        Self { socket, id }
    }

    #[track_caller]
    pub fn send(&mut self, packet: &str) {
        self.socket.send(packet);
    }

    #[track_caller]
    pub fn subscribe(&mut self, channel: &str) {
        self.subscribe_with(channel, "{}");
    }

    /// Subscribes; `headers` is the JSON of the page's headers.
    #[track_caller]
    pub fn subscribe_with(&mut self, channel: &str, headers: &str) {
        self.send(&subscribe(channel, headers));
    }

    #[track_caller]
    pub fn unsubscribe(&mut self, channel: &str) {
        self.send(&format!(r#"42["unsubscribe",{{"channel":{}}}]"#, quoted(channel)));
    }

    /// Sends a client event; `data` is JSON.
    #[track_caller]
    pub fn whisper(&mut self, channel: &str, event: &str, data: &str) {
        let (channel, event) = (quoted(channel), quoted(event));
        self.send(&format!(r#"42["client event",{{"channel":{channel},"event":{event},"data":{data}}}]"#));
    }

    /// Subscribes to a public channel, and waits until that is done.
    #[track_caller]
    pub fn join(&mut self, channel: &str) {
        self.subscribe(channel);
        self.settle();
    }

    /// Waits until everything sent has been handled; nothing else may arrive.
    #[track_caller]
    pub fn settle(&mut self) {
        self.send("2");
        self.expect("3");
    }

    /// The next packet is this.
    #[track_caller]
    pub fn expect(&mut self, packet: &str) {
        self.socket.expect_text(packet);
    }

    /// The next packet is an event with these arguments in JSON.
    #[track_caller]
    pub fn expect_event(&mut self, event: &str, channel: &str, data: &str) {
        self.expect(&format!("42[{},{},{data}]", quoted(event), quoted(channel)));
    }

    /// The next packet is the status of a subscription that has failed (SIO-059).
    #[track_caller]
    pub fn expect_refused(&mut self, channel: &str, status: u16) {
        self.expect_event("subscription_error", channel, &status.to_string());
    }

    /// The server closes, and says whether the client may come back (SIO-034).
    #[track_caller]
    pub fn expect_closed(&mut self, comes_back: bool) {
        if !comes_back {
            self.expect("41");
        }
        match self.socket.frame() {
            Frame::Close(..) => {}
            other => panic!("expected a close frame, got {other:?}"),
        }
    }

    /// Whether nothing arrives for this long.
    pub fn is_left_alone_for(&mut self, time: Duration) -> bool {
        self.socket.is_left_alone_for(time)
    }
}

/// Path and query of a WebSocket's handshake.
pub fn target(path: &str, version: u8) -> String {
    format!("{path}?EIO={version}&transport=websocket&t=Nx1")
}

/// The packet by which Echo subscribes.
pub fn subscribe(channel: &str, headers: &str) -> String {
    let channel = quoted(channel);
    format!(r#"42["subscribe",{{"channel":{channel},"auth":{{"headers":{headers}}}}}]"#)
}

/// The content of an open packet.
#[track_caller]
pub fn opened(packet: &str) -> Value {
    let json = packet.strip_prefix('0').unwrap_or_else(|| panic!("no open packet: {packet}"));
    serde_json::from_str(json).expect("SIO-011: an open packet is JSON")
}
