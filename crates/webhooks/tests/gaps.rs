//! Events sent after a gap in the transitions, and the end of apps that have nothing to send.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_outgoing::{Client, Options, Trust};
use fanfare_protocol::app::App;
use fanfare_protocol::auth::{Credential, Secret};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppKey;
use fanfare_protocol::webhook::{Kind, Kinds, Present, Transition, Webhook};
use fanfare_webhooks::{News, Settings, Spawn, Tally, Webhooks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, channel as channel_of};
use tokio::time::{Instant, sleep_until, timeout};

#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    dropped: AtomicU64,
}

impl Tally for Counts {
    fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self) {}

    fn dropped(&self, events: u64) {
        self.dropped.fetch_add(events, Ordering::Relaxed);
    }

    fn kept(&self, _: u64) {}

    fn not_kept(&self, _: u64) {}
}

fn spawn() -> Spawn {
    Arc::new(|task| drop(tokio::spawn(task)))
}

/// Webhooks without delays, an app with one webhook, and the events that its URL received.
struct Test {
    webhooks: Webhooks,
    app: Arc<App>,
    counts: Arc<Counts>,
    told: Receiver<String>,
}

impl Test {
    async fn start(kinds: &[Kind]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let (sender, told) = channel_of(100);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = String::new();
                let mut some = [0; 4096];
                while !request.ends_with("]}") {
                    let count = stream.read(&mut some).await.expect("a whole request");
                    request.push_str(std::str::from_utf8(&some[..count]).expect("text"));
                }
                let events = request.split(r#""events":["#).nth(1).expect("HOOK-001");
                let _ = sender.try_send(events.trim_end_matches("]}").to_owned());
                let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(answer).await;
            }
        });
        let client =
            Client::with(&Trust::public(), Options { title_case_headers: true, ..Options::default() });
        let settings = Settings { delay: Duration::ZERO, ..Settings::default() };
        let credential = Credential { key: AppKey::from("k"), secret: Secret::new("s") };
        let mut app = App::new("1".into(), vec![credential]);
        app.webhooks = vec![Webhook {
            url,
            events: Kinds::from_iter(kinds.iter().copied()),
            channel_prefixes: Vec::new(),
            batch: false,
            durable: false,
            enabled: true,
        }];
        let webhooks = Webhooks::new(settings, client, spawn());
        Self { webhooks, app: Arc::new(app), counts: Arc::default(), told }
    }

    fn hear(&self, news: News) {
        let tally: Arc<dyn Tally> = Arc::clone(&self.counts) as Arc<dyn Tally>;
        self.webhooks.hear(&tally, news, || Arc::clone(&self.app));
    }

    fn hear_all(&self, transitions: Vec<Transition>) {
        self.hear(News { transitions, ..News::default() });
    }

    /// Waits until the webhook is idle, as after an answer; then nobody holds the app's counters any more.
    async fn until_forgotten(&self) {
        let forgotten = async {
            while Arc::strong_count(&self.counts) > 1 {
                self.webhooks.drop_idle();
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), forgotten).await.expect("in time");
    }

    /// Ends the webhooks, so that every event has been sent; returns all events in alphabetical order.
    async fn all_told(mut self) -> Vec<String> {
        self.webhooks.end(Instant::now() + Duration::from_secs(10)).await;
        let mut all: Vec<String> = std::iter::from_fn(|| self.told.try_recv().ok()).collect();
        all.sort();
        all
    }
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, 164).expect("a legal name")
}

fn event(name: &str, channel: &str) -> String {
    format!(r#"{{"name":"{name}","channel":"{channel}"}}"#)
}

#[tokio::test]
async fn hook_012_what_was_missed_is_made_up_for_from_how_things_are_and_counted() {
    let test = Test::start(&[Kind::ChannelExistence]).await;
    test.hear_all(["stays", "goes"].map(|name| Transition::Occupied(channel(name))).into());
    let present = ["stays", "new"].map(|name| Present { channel: channel(name), users: Vec::new() }).into();
    test.hear(News { lost: 5, present, ..News::default() });
    // Older news, which were on their way.
    test.hear_all(vec![Transition::Vacated(channel("goes")), Transition::Occupied(channel("new"))]);
    let counts = Arc::clone(&test.counts);
    assert_eq!(
        test.all_told().await,
        [
            event("channel_occupied", "goes"),
            event("channel_occupied", "new"),
            event("channel_occupied", "stays"),
            event("channel_vacated", "goes"),
        ]
    );
    assert_eq!(counts.dropped.load(Ordering::Relaxed), 5);
    assert_eq!(counts.delivered.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn of_whoever_was_there_before_a_webhook_only_the_going_is_told() {
    let test = Test::start(&[Kind::ChannelExistence, Kind::Presence]).await;
    let present = vec![Present { channel: channel("presence-a"), users: vec!["u".into()] }];
    let newly_wanted = Kinds::from_iter([Kind::Presence]);
    test.hear(News { newly_wanted, present, ..News::default() });
    test.hear_all(vec![
        Transition::Left(channel("presence-a"), "u".into()),
        Transition::Vacated(channel("presence-a")),
    ]);
    let removed = r#"{"name":"member_removed","channel":"presence-a","user_id":"u"}"#;
    assert_eq!(test.all_told().await, [removed]);
}

#[tokio::test]
async fn what_was_queued_for_a_webhook_that_is_no_more_is_not_remembered() {
    let mut test = Test::start(&[Kind::Presence]).await;
    test.hear_all(vec![
        Transition::Occupied(channel("presence-a")),
        Transition::Joined(channel("presence-a"), "u".into()),
        Transition::Left(channel("presence-a"), "u".into()),
    ]);
    let added = r#"{"name":"member_added","channel":"presence-a","user_id":"u"}"#;
    assert_eq!(test.told.recv().await.as_deref(), Some(added));
    test.until_forgotten().await;
}

#[tokio::test]
async fn goings_that_are_due_at_once_are_told_a_thousand_at_a_time() {
    let mut test = Test::start(&[Kind::ChannelExistence]).await;
    test.webhooks = Webhooks::new(
        Settings { delay: Duration::from_millis(200), ..Settings::default() },
        Client::new(&Trust::public()),
        spawn(),
    );
    let channels = || (0..2500).map(|number| channel(&format!("c{number}")));
    test.hear_all(channels().map(Transition::Occupied).chain(channels().map(Transition::Vacated)).collect());
    let mut stops = 0;
    while let Some(next) = test.webhooks.tell_due() {
        if next > Instant::now() {
            sleep_until(next).await;
        } else {
            stops += 1;
        }
    }
    assert_eq!(stops, 2, "after 1000 and 2000");
}

#[tokio::test]
async fn an_app_is_forgotten_when_nobody_is_there_and_nothing_waits_and_remembered_while_somebody_is() {
    let mut test = Test::start(&[Kind::ChannelExistence]).await;
    let occupied = || vec![Transition::Occupied(channel("a"))];
    test.hear_all(occupied());
    test.told.recv().await.expect("it is told");
    test.webhooks.drop_idle();
    assert!(Arc::strong_count(&test.counts) > 1, "somebody is there");
    test.hear_all(occupied());
    test.hear_all(vec![Transition::Vacated(channel("a"))]);
    assert_eq!(test.told.recv().await, Some(event("channel_vacated", "a")), "it was not told twice");
    test.until_forgotten().await;
    let history = &test.webhooks.histories(&test.app.id)[0];
    assert_eq!((history.deliveries.len(), history.works), (2, Some(true)), "CON-054: its deliveries stay");
    assert_eq!(test.counts.delivered.load(Ordering::Relaxed), 2);
}
