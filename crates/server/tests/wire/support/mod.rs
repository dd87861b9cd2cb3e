//! The wire tests' tools: the real binary, raw sockets, own signatures.
//!
//! Nothing here uses the server's crates: a fault that client and server share would not be seen.

pub mod acme;
pub mod admin;
pub mod api;
pub mod application;
pub mod authorization;
pub mod cluster;
pub mod echo;
pub mod echo_polling;
pub mod examined;
pub mod fallback;
pub mod haproxy;
pub mod hop;
pub mod http;
pub mod http2;
pub mod live;
pub mod notified;
pub mod process;
pub mod receiver;
pub mod server;
pub mod setup;
pub mod signing;
pub mod socket;
pub mod stream;
pub mod tls;
pub mod upgrade;

use std::time::{Duration, Instant};

/// The deadline of every wait; only a failing test ever waits this long.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Credentials of an app.
#[derive(Clone, Copy, Debug)]
pub struct App {
    pub id: &'static str,
    pub key: &'static str,
    pub secret: &'static str,
}

/// The app of the protocol reference's worked examples; every test server has the app unless configured otherwise.
pub const APP: App = App { id: "3", key: "278d425bdf160c739803", secret: "7ad3773142a6692b25b8" };

/// A second tenant.
pub const OTHER: App = App { id: "44", key: "otherkey0123456789ab", secret: "othersecret0123456789" };

/// The close reason of a connection beyond its app's `max_connections` (WS-061).
pub fn over_quota(limit: usize) -> String {
    format!("Account over quota (at most {limit} connections, setting max_connections)")
}

/// The answer to `pusher:ping` on every connection (WS-042).
pub const PONG: &str = r#"{"event":"pusher:pong","data":"{}"}"#;

/// Polls until there is an answer; for effects that no event announces.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_within(DEADLINE, what, ask)
}

/// [`eventually`] for much work, which takes long where much else runs.
pub fn eventually_within<T>(deadline: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < deadline, "within {deadline:?} never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A text as a JSON string, quotes included.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `pusher:subscribe` of a connection, with a right signature.
pub fn signed_subscribe(app: App, socket: &str, channel: &str, channel_data: Option<&str>) -> String {
    let auth = signing::channel_auth(app, socket, channel, channel_data);
    let data = channel_data.map_or_else(String::new, |data| format!(r#""channel_data":{},"#, quoted(data)));
    let channel = quoted(channel);
    format!(r#"{{"event":"pusher:subscribe","data":{{"auth":"{auth}",{data}"channel":{channel}}}}}"#)
}

/// The acknowledgement of a subscription, on any channel but presence.
pub fn succeeded(channel: &str) -> String {
    let channel = quoted(channel);
    format!(r#"{{"event":"pusher_internal:subscription_succeeded","data":"{{}}","channel":{channel}}}"#)
}
