//! Durable webhooks before a backlog of the test's own: what is kept, and what of a cluster's events is done with that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_outgoing::{Client, Options, Trust};
use fanfare_protocol::app::App;
use fanfare_protocol::auth::{Credential, Secret};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, AppKey};
use fanfare_protocol::webhook::{Kind, Kinds, Transition, Webhook};
use fanfare_webhooks::{
    Backlog, Decided, Keeping, KeptRequest, News, Retried, SentAgain, Settings, Spawn, Tally, Webhooks,
};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    kept: AtomicU64,
}

impl Tally for Counts {
    fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self) {}

    fn dropped(&self, _: u64) {}

    fn kept(&self, requests: u64) {
        self.kept.fetch_add(requests, Ordering::Relaxed);
    }

    fn not_kept(&self, _: u64) {}
}

/// Remembers what it was asked to keep.
#[derive(Default)]
struct Memory(Mutex<Vec<KeptRequest>>);

impl Backlog for Memory {
    fn keep(&self, _: &AppId, _: &str, requests: Vec<KeptRequest>) -> Keeping {
        self.0.lock().extend(requests);
        Box::pin(async { true })
    }
}

struct Test {
    webhooks: Webhooks,
    app: App,
    counts: Arc<Counts>,
    memory: Arc<Memory>,
}

impl Test {
    /// A durable webhook whose URL answers with this status.
    async fn answering(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = String::new();
                let mut some = [0; 4096];
                while !request.ends_with("]}") {
                    let count = stream.read(&mut some).await.expect("a whole request");
                    request.push_str(std::str::from_utf8(&some[..count]).expect("text"));
                }
                let answer = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let spawn: Spawn = Arc::new(|task| drop(tokio::spawn(task)));
        let client = Client::with(&Trust::public(), Options::default());
        let webhooks = Webhooks::new(Settings::default(), client, spawn);
        let memory = Arc::<Memory>::default();
        webhooks.set_backlog(Arc::<Memory>::clone(&memory));
        let mut app =
            App::new("1".into(), vec![Credential { key: AppKey::from("k"), secret: Secret::new("s") }]);
        let events = Kinds::from_iter([Kind::ChannelExistence]);
        let (channel_prefixes, batch, enabled, durable) = (Vec::new(), false, true, true);
        app.webhooks = vec![Webhook { url, events, channel_prefixes, batch, enabled, durable }];
        Self { webhooks, app, counts: Arc::default(), memory }
    }

    fn hear(&self, transitions: Vec<Transition>) {
        let tally: Arc<dyn Tally> = Arc::<Counts>::clone(&self.counts);
        let news = News { transitions, ..News::default() };
        self.webhooks.hear(&tally, news, || Arc::new(self.app.clone()));
    }

    async fn retry(&self, app: &App, request: &KeptRequest) -> Retried {
        self.webhooks.retry(&*self.counts, app, &self.app.webhooks[0].url, request).await
    }
}

fn occupied(number: usize) -> Transition {
    Transition::Occupied(ChannelName::trusted(&format!("c{number}")))
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(10), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn what_is_delivered_at_the_first_attempt_never_comes_to_the_backlog() {
    let test = Test::answering(204).await;
    test.hear((0..100).map(occupied).collect());
    until("all are delivered", || test.counts.delivered.load(Ordering::Relaxed) == 100).await;
    assert!(test.memory.0.lock().is_empty());
}

#[tokio::test]
async fn cl_032_what_the_nodes_decided_is_done_once_it_is_kept() {
    let test = Test::answering(500).await;
    let done = Arc::<AtomicU64>::default();
    let count = Arc::clone(&done);
    let again = SentAgain {
        time_ms: 7,
        age: Duration::ZERO,
        source: 1,
        done: Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }),
    };
    let tally: Arc<dyn Tally> = Arc::<Counts>::clone(&test.counts);
    let decided = Decided { transitions: vec![occupied(1), occupied(2)], again: Some(again) };
    test.webhooks.send(&tally, decided, || Arc::new(test.app.clone()));
    until("both are kept and done", || done.load(Ordering::Relaxed) == 1).await;
    assert_eq!((test.memory.0.lock().len(), test.counts.kept.load(Ordering::Relaxed)), (2, 2));
}

#[tokio::test]
async fn hook_023_a_kept_request_is_retried_with_the_backoff_of_its_attempts_if_anybody_wants_it() {
    let test = Test::answering(500).await;
    test.hear(vec![occupied(1)]);
    until("it is kept", || test.memory.0.lock().len() == 1).await;
    let mut request = test.memory.0.lock()[0].clone();
    assert_eq!((request.failed, request.due_in), (1, Duration::from_secs(1)));
    for (failed, seconds) in [(1, 2), (2, 4), (20, 60)] {
        request.failed = failed;
        assert_eq!(test.retry(&test.app, &request).await, Retried::Failed(Duration::from_secs(seconds)));
    }
    let mut gone = test.app.clone();
    gone.webhooks[0].enabled = false;
    assert_eq!(test.retry(&gone, &request).await, Retried::Unwanted);
    let keyless = App { credentials: Vec::new(), ..test.app.clone() };
    assert_eq!(test.retry(&keyless, &request).await, Retried::Unwanted);
    let mut once_durable = test.app.clone();
    once_durable.webhooks[0].durable = false;
    assert_ne!(test.retry(&once_durable, &request).await, Retried::Unwanted, "what was kept is still sent");
}
