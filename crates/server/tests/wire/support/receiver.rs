//! A back end that receives webhooks, and records them.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::application::{Application, Question, Reply};
use super::signing::hmac;
use super::{App, eventually};

/// All kinds of webhook events.
pub const ALL: &[&str] =
    &["channel_existence", "presence", "client_events", "cache_miss", "subscription_count", "users"];

/// A URL that records its requests.
pub struct Receiver(Application);

impl Receiver {
    /// A receiver that accepts every request.
    pub fn new() -> Self {
        Self::saying(|_| Reply::Body(200, ""))
    }

    /// A receiver with an answer of its own for each request; requests are numbered from 0.
    pub fn saying(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let count = AtomicUsize::new(0);
        Self(Application::start(move |_| reply(count.fetch_add(1, Ordering::Relaxed))))
    }

    /// A receiver that looks at each request.
    pub fn deciding(reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Self {
        Self(Application::start(reply))
    }

    /// A receiver that sends no answer until let go.
    pub fn hanging() -> Self {
        Self::saying(|_| Reply::Hang)
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.0.addr)
    }

    pub fn host(&self) -> String {
        self.0.addr.to_string()
    }

    /// Lines of TOML for an app with a webhook to the receiver for these events.
    pub fn setting(&self, events: &[&str]) -> String {
        format!("[[apps.list.webhooks]]\nurl = {:?}\nevents = {events:?}\n", self.url())
    }

    /// The whole setting `webhooks` as JSON, with a webhook to this receiver alone.
    pub fn json(&self, events: &[&str]) -> String {
        serde_json::json!([{"url": self.url(), "events": events}]).to_string()
    }

    pub fn let_go(&self) {
        self.0.let_go();
    }

    /// All requests so far.
    pub fn so_far(&self) -> Vec<Question> {
        self.0.questions()
    }

    /// Waits for this many requests; returns all so far.
    #[track_caller]
    pub fn requests(&self, count: usize) -> Vec<Question> {
        self.0.expect_questions(count);
        self.so_far()
    }

    /// Waits for these events, in any number of requests; no more may have come. Events of a channel are
    /// in this order; events of different channels may overtake one another.
    #[track_caller]
    pub fn expect(&self, events: &[&str]) {
        let found = eventually(&format!("{} events at a receiver", events.len()), || {
            let found: Vec<String> = self.so_far().iter().flat_map(events_of).collect();
            (found.len() >= events.len()).then_some(found)
        });
        let (mut found, mut events) = (found, events.to_vec());
        found.sort_by(|one, other| channel(one).cmp(channel(other)));
        events.sort_by(|one, other| channel(one).cmp(channel(other)));
        assert_eq!(found, events);
    }
}

fn channel(event: &str) -> &str {
    event.split(' ').nth(1).unwrap_or_default()
}

/// The events of a request in their order, without spaces.
pub fn events_of(request: &Question) -> Vec<String> {
    let body: Value = serde_json::from_str(&request.body).expect("HOOK-001: a body is JSON");
    let events = body["events"].as_array().expect("HOOK-001: events are a list");
    events.iter().map(short).collect()
}

/// An event in a line: its name, its channel, else its user, and all other fields by the alphabet.
fn short(event: &Value) -> String {
    let members = event.as_object().expect("an event is an object");
    let text =
        |name: &str| event[name].as_str().expect("HOOK-007: every event has a name, and a channel or a user");
    let of = if members.contains_key("channel") { "channel" } else { "user_id" };
    let mut line = format!("{} {}", text("name"), text(of));
    for (name, value) in members.iter().filter(|(name, _)| !["name", of].contains(&name.as_str())) {
        write!(line, " {name}={value}").expect("a String takes any text");
    }
    line
}

/// The request is signed with this app's pair over the bytes of the body (AUTH-050).
#[track_caller]
pub fn expect_signed(request: &Question, app: App) {
    assert_eq!(request.header("x-pusher-key").as_deref(), Some(app.key));
    assert_eq!(request.header("x-pusher-signature"), Some(hmac(app.secret, &request.body)));
}
