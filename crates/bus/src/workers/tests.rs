//! Workers with a node that writes down what is brought.

use tokio::time::timeout;

use super::*;
use crate::local::{HeardReach, HookBatch, HooksDone, NodeReply, NodeSubject};
use crate::node_questions::MOST_ASKED;
use fanfare_protocol::ids::SocketId;

/// A node that writes down.
#[derive(Default)]
struct Page {
    told: Mutex<Vec<String>>,
    /// Held by a test to keep a worker from going on.
    gate: Mutex<()>,
}

impl Local for Page {
    fn event(&self, event: HeardEvent<'_>) {
        drop(self.gate.lock());
        let text = String::from_utf8_lossy(event.frame.payload());
        self.told.lock().push(format!(
            "{} {} {text} {:?}",
            event.app,
            event.channel,
            event.except.map(|id| id.bits())
        ));
    }

    fn kept(&self, event: HeardKept) {
        let whose = if event.is_own { "own" } else { "other" };
        self.told.lock().push(format!(
            "{} {} {whose} quiet={}",
            event.channel.as_str(),
            event.version,
            event.quiet
        ));
    }

    fn reach(&self, _: &AppId, channel: &str, _: Option<SocketId>) -> HeardReach {
        HeardReach { took: channel.len(), excluded: 1, slow: 2 }
    }

    fn asked(&self, app: &AppId, (_, about): (NodeSubject, &[u8]), reply: NodeReply) {
        reply.say(format!("of {app}{}", String::from_utf8_lossy(about)).as_bytes());
    }

    fn outcome(&self, _: &AppId, _: fanfare_protocol::cluster::ClusterOutcome) {}
    fn live(&self, _: &AppId, _: Partition, _: bool) {}

    fn close_user(&self, app: &AppId, user: &UserId) {
        self.told.lock().push(format!("close {app} {user}"));
    }

    fn app_changed(&self, app: &AppId) {
        self.told.lock().push(format!("changed {app}"));
    }

    fn hooks(&self, _: HookBatch, _: HooksDone) {}
    fn hooks_refused(&self, _: &AppId, _: u64) {}

    fn stop_hooks(&self, _: Partition) {}
}

fn reaching() -> Arc<Reaching> {
    Arc::default()
}

fn topic(partition: Partition) -> Topic {
    Topic { partition, app: AppId::from("1") }
}

fn message<'a>(kind: EventKind, node: u64, number: u32, channel: &'a str, text: &'a str) -> EventMessage<'a> {
    EventMessage { kind, flags: 0, node, number, except: None, channel, text: text.as_bytes() }
}

/// What a node 1 is told of these messages, and what was counted.
async fn told(heard: Vec<Heard>) -> (Vec<String>, Arc<BusCounters>) {
    let (page, counters) = (Arc::new(Page::default()), Arc::new(BusCounters::default()));
    let workers = Workers::default();
    let local: Arc<dyn Local> = page.clone();
    let tasks: Vec<_> =
        workers.tasks(1, &local, &counters, &reaching()).into_iter().map(tokio::spawn).collect();
    heard.into_iter().for_each(|one| workers.push(one));
    workers.end();
    for task in tasks {
        task.await.unwrap();
    }
    let told = page.told.lock().clone();
    (told, counters)
}

#[tokio::test]
async fn cl_007_own_events_are_dropped_and_own_kept_ones_are_heard() {
    let event = |node| Heard {
        topic: Some(topic(0)),
        payload: message(EventKind::Event, node, 1, "a", "{}").write(),
        behind: None,
    };
    let kept = |node, digits: &[u8]| {
        let kind = EventKind::Kept { milliseconds: 9 };
        let message = EventMessage { flags: FLAG_QUIET, ..message(kind, node, 1, "cache-a", "{}") };
        Heard { topic: Some(topic(0)), payload: [digits, &message.write()].concat(), behind: None }
    };
    let (told, _) =
        told(vec![event(1), event(2), kept(1, b"00000000000001"), kept(2, b"00000000000002")]).await;
    assert_eq!(told, ["1 a {} None", "cache-a 1 own quiet=true", "cache-a 2 other quiet=true"]);
}

#[tokio::test]
async fn what_concerns_every_node_is_told_by_its_kind() {
    let heard = |kind, node, text| Heard {
        topic: None,
        payload: message(kind, node, 0, "7", text).write(),
        behind: None,
    };
    let (told, counters) = told(vec![
        heard(EventKind::CloseUser, 2, "ann"),
        heard(EventKind::AppChanged, 2, ""),
        heard(EventKind::AppChanged, 1, ""),
        heard(EventKind::Event, 2, "{}"),
    ])
    .await;
    assert_eq!(told, ["close 7 ann", "changed 7"]);
    assert_eq!(counters.malformed.get(), 1);
}

#[tokio::test]
async fn gaps_in_a_publishers_numbers_are_counted_as_missed() {
    let event = |node, number| Heard {
        topic: Some(topic(0)),
        payload: message(EventKind::Event, node, number, "a", "{}").write(),
        behind: None,
    };
    let numbers = [(2, 7), (2, 8), (2, 11), (3, 100), (2, 12), (2, 1), (2, 2)];
    let (told, counters) = told(numbers.map(|(node, number)| event(node, number)).into()).await;
    assert_eq!(told.len(), 7);
    assert_eq!((counters.missed.get(), counters.heard.get()), (2, 7));
}

#[tokio::test]
async fn cl_072_unknown_versions_and_kinds_are_counted_and_dropped() {
    let mut other_version = message(EventKind::Event, 2, 1, "a", "{}").write();
    other_version[1] = 9;
    let mut other_kind = message(EventKind::Event, 2, 1, "a", "{}").write();
    other_kind[2] = 99;
    let payloads = [other_version, other_kind, b"hello".to_vec()];
    let heard = payloads.map(|payload| Heard { topic: Some(topic(0)), payload, behind: None });
    let (told, counters) = told(heard.into()).await;
    assert_eq!((told.len(), counters.unknown.get(), counters.malformed.get()), (0, 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_worker_lets_the_reader_wait_and_others_go_on() {
    let (page, counters) = (Arc::new(Page::default()), Arc::new(BusCounters::default()));
    let workers = Workers::default();
    let local: Arc<dyn Local> = page.clone();
    let text = "x".repeat(1024 * 1024);
    let payload = message(EventKind::Event, 2, 1, "a", &text).write();
    for _ in 0..16 {
        workers.push(Heard { topic: Some(topic(4)), payload: payload.clone(), behind: None });
    }
    let brief = Duration::from_millis(20);
    assert!(timeout(brief, workers.room(4)).await.is_err(), "4 is of the worker that is full");
    timeout(brief, workers.room(1)).await.expect("1 is of another worker");
    let tasks: Vec<_> =
        workers.tasks(1, &local, &counters, &reaching()).into_iter().map(tokio::spawn).collect();
    timeout(Duration::from_secs(30), workers.room(4)).await.expect("the worker has made room");
    workers.end();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((page.told.lock().len(), workers.bytes()), (16, 0));
}

#[tokio::test]
async fn an_event_of_a_presence_channel_waits_for_the_deltas_that_were_heard_before() {
    let (page, counters) = (Arc::new(Page::default()), Arc::new(BusCounters::default()));
    let workers = Workers::default();
    let local: Arc<dyn Local> = page.clone();
    let tasks: Vec<_> =
        workers.tasks(1, &local, &counters, &reaching()).into_iter().map(tokio::spawn).collect();
    let deltas = Arc::new(BroughtDeltas::default());
    let event = |channel, behind: Option<Behind>| Heard {
        topic: Some(topic(0)),
        payload: message(EventKind::Event, 2, 1, channel, "{}").write(),
        behind,
    };
    deltas.set(6);
    assert!(deltas.behind(6).is_none(), "brought already");
    workers.push(event("private-a", deltas.behind(8)));
    workers.push(event("presence-a", deltas.behind(8)));
    let told = |count| {
        let page = Arc::clone(&page);
        let told = async move {
            while page.told.lock().len() < count {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), told)
    };
    told(1).await.expect("no other channel waits");
    deltas.set(7);
    assert!(timeout(Duration::from_millis(20), told(2)).await.is_err(), "one delta is missing");
    deltas.set(8);
    told(2).await.expect("all were brought");
    workers.push(event("presence-a", deltas.behind(9)));
    deltas.end();
    workers.end();
    for task in tasks {
        timeout(Duration::from_secs(30), task).await.expect("a link that has ended holds up nobody").unwrap();
    }
    assert_eq!(page.told.lock().len(), 3);
}

#[tokio::test]
async fn a_long_queue_keeps_its_order_and_lets_other_tasks_have_turns_meanwhile() {
    let (page, counters) = (Arc::new(Page::default()), Arc::new(BusCounters::default()));
    let workers = Workers::default();
    let local: Arc<dyn Local> = page.clone();
    let event = |number: u32| {
        let text = number.to_string();
        let payload = message(EventKind::Event, 2, number, "a", &text).write();
        Heard { topic: Some(topic(0)), payload, behind: None }
    };
    let long = 10 * MOST_AT_ONCE as u32;
    (0..long).for_each(|number| workers.push(event(number)));
    // One thread: a task that is woken now and then sees how far the worker has come.
    let tasks: Vec<_> =
        workers.tasks(1, &local, &counters, &reaching()).into_iter().map(tokio::spawn).collect();
    let mut turns = 0;
    while page.told.lock().len() < long as usize {
        turns += 1;
        if turns == 2 {
            (long..long + 3).for_each(|number| workers.push(event(number)));
        }
        tokio::task::yield_now().await;
    }
    assert!(turns > 5, "{turns}");
    workers.end();
    for task in tasks {
        task.await.unwrap();
    }
    let texts: Vec<String> = (0..long + 3).map(|number| format!("1 a {number} None")).collect();
    assert!(*page.told.lock() == texts);
}

#[tokio::test]
async fn con_042_a_question_is_answered_behind_the_event_and_an_answer_comes_to_the_node_that_has_asked() {
    let (local, counters, reaching) = (Arc::<Page>::default(), Arc::<BusCounters>::default(), reaching());
    let (sent, mut answers) = tokio::sync::mpsc::channel(9);
    reaching.send_by(move |answer| sent.try_send(answer).unwrap_or_default());
    let workers = Workers::default();
    let page: Arc<dyn Local> = Arc::<Page>::clone(&local);
    for task in workers.tasks(1, &page, &counters, &reaching) {
        tokio::spawn(task);
    }
    let on_topic = |kind, text: &[u8]| {
        let message = EventMessage { text, ..message(kind, 2, 1, "abc", "") };
        workers.push(Heard { topic: Some(topic(0)), payload: message.write(), behind: None });
    };
    on_topic(EventKind::Event, b"{}");
    on_topic(EventKind::AskReach, b"short");
    on_topic(EventKind::AskReach, &77_u64.to_be_bytes());
    let answer = timeout(Duration::from_secs(9), answers.recv()).await.unwrap().unwrap();
    let reach = HeardReach { took: 3, excluded: 1, slow: 2 };
    assert_eq!(answer, ReachAnswer { to: 2, question: 77, reach });
    assert_eq!((local.told.lock().len(), counters.malformed.get()), (1, 1), "behind the event, and no other");

    let mut question = reaching.ask();
    for (to, took) in [(9, 100), (1, 4)] {
        let answer = ReachAnswer { to, question: question.number, reach: HeardReach { took, ..reach } };
        let message = EventMessage { text: &answer.write(), ..message(EventKind::Reach, 2, 1, "1", "") };
        workers.push(Heard { topic: None, payload: message.write(), behind: None });
    }
    let heard = timeout(Duration::from_secs(9), question.answers.recv()).await.unwrap();
    assert_eq!(heard, Some(HeardReach { took: 4, ..reach }), "the other answer is for node 9");
    workers.end();
}

#[tokio::test]
async fn con_054_a_question_to_all_nodes_is_answered_and_an_answer_comes_to_the_node_that_has_asked() {
    let (counters, reaching) = (Arc::<BusCounters>::default(), reaching());
    let (sent, mut answers) = tokio::sync::mpsc::channel(9);
    reaching.of_nodes.send_by(move |answer| sent.try_send(answer.write()).unwrap_or_default());
    let workers = Workers::default();
    let page: Arc<dyn Local> = Arc::<Page>::default();
    for task in workers.tasks(1, &page, &counters, &reaching) {
        tokio::spawn(task);
    }
    let hear = |kind, text: &[u8]| {
        let message = EventMessage { text, ..message(kind, 2, 1, "7", "") };
        workers.push(Heard { topic: None, payload: message.write(), behind: None });
    };
    hear(EventKind::AskNodes, b"short");
    // A subject of a later release.
    hear(EventKind::AskNodes, &NodeQuestionText { question: 76, subject: 200, about: b"" }.write());
    let subject = NodeSubject::WebhookDeliveries.code();
    let too_long = vec![b'x'; MOST_ASKED + 1];
    hear(EventKind::AskNodes, &NodeQuestionText { question: 77, subject, about: &too_long }.write());
    for (question, about, text) in [(78, &b""[..], &b"of 7"[..]), (79, b" x", b"of 7 x")] {
        hear(EventKind::AskNodes, &NodeQuestionText { question, subject, about }.write());
        let answer = timeout(Duration::from_secs(9), answers.recv()).await.unwrap().unwrap();
        assert_eq!(answer, NodeAnswerText { to: 2, question, text }.write());
    }
    assert_eq!(counters.malformed.get(), 1);

    let mut question = reaching.of_nodes.ask();
    for (to, text) in [(9, b"for 9"), (1, b"for 1")] {
        hear(EventKind::NodeAnswer, &NodeAnswerText { to, question: question.number, text }.write());
    }
    let heard = timeout(Duration::from_secs(9), question.answers.recv()).await.unwrap();
    assert_eq!(heard, Some((2, b"for 1".to_vec())));
    workers.end();
}
