//! Which requests a queue sends, and when, without a running clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fanfare_protocol::auth::Secret;
use fanfare_protocol::ids::AppKey;
use fanfare_protocol::webhook::{SentEvent, Transition, WebhookEvent};

use super::*;

mod grouped;
mod keeping;

const SECOND: Duration = Duration::from_secs(1);

fn credential() -> Credential {
    Credential { key: AppKey::from("k"), secret: Secret::new("s") }
}

fn occupied(channel: &str) -> WebhookEvent {
    WebhookEvent::of(&Transition::Occupied(ChannelName::parse(channel, 164).unwrap())).unwrap()
}

fn large(bytes: usize) -> WebhookEvent {
    let event = SentEvent {
        channel: ChannelName::parse("private-a", 164).unwrap(),
        name: "client-e".to_owned(),
        data: "x".repeat(bytes).into(),
        sender: "1.1".parse().unwrap(),
        user: None,
    };
    WebhookEvent::of(&Transition::Sent(Box::new(event))).unwrap()
}

/// A queue, and the time of every event put into the queue.
struct Test {
    queue: Queue,
    start: Instant,
}

impl Test {
    fn with(settings: Settings, batch: bool) -> Self {
        let mut queue = Queue::new(settings, Arc::default());
        queue.batch = batch;
        Self { queue, start: Instant::now() }
    }

    fn new(batch: bool) -> Self {
        Self::with(Settings::default(), batch)
    }

    fn put(&mut self, event: WebhookEvent) {
        self.queue.push(Waiting { event: Arc::new(event), since: self.start, time_ms: 7, group: None });
    }

    fn put_channels(&mut self, channels: &[&str]) {
        for channel in channels {
            self.put(occupied(channel));
        }
    }

    fn next(&mut self, after: Duration) -> Option<Prepared> {
        self.queue.next(&credential(), self.start + after)
    }

    #[track_caller]
    fn expect(&mut self, after: Duration) -> Prepared {
        self.next(after).expect("there is a request")
    }
}

#[test]
fn hook_002_without_batching_each_event_is_a_request_and_those_of_a_channel_follow_one_another() {
    let mut test = Test::new(false);
    test.put_channels(&["a", "b", "a", "c"]);
    let (first, second) = (test.expect(Duration::ZERO), test.expect(Duration::ZERO));
    assert_eq!((first.events, second.events), (1, 1));
    assert!(test.next(Duration::ZERO).is_none(), "the first of channel a is under way");
    test.queue.delivered(&first);
    for channel in ["a", "c"] {
        assert_eq!(test.expect(Duration::ZERO).channel.unwrap().as_str(), channel);
    }
    assert!(test.next(Duration::ZERO).is_none() && !test.queue.is_empty());
}

#[test]
fn hook_024_a_batch_is_what_came_within_the_window_and_is_sent_in_order_one_after_the_other() {
    let mut test = Test::new(true);
    test.put_channels(&["a", "b"]);
    let window = Settings::default().batch;
    assert!(test.next(window - Duration::from_millis(1)).is_none());
    assert_eq!(test.queue.next_moment(), Some(test.start + window));
    test.put_channels(&["c"]);
    let batch = test.expect(window);
    assert_eq!(batch.events, 3);
    test.put_channels(&["d"]);
    assert!(test.next(SECOND).is_none(), "the first is under way");
    assert_eq!(test.queue.next_moment(), None);
    test.queue.delivered(&batch);
    assert_eq!(test.expect(SECOND).events, 1);
}

#[test]
fn hook_024_a_batch_is_under_a_mebibyte_and_ends_at_a_thousand_events() {
    let mut test = Test::new(true);
    for _ in 0..3 {
        test.put(large(400 << 10));
    }
    for _ in 0..1001 {
        test.put(occupied("a"));
    }
    let mut sizes = Vec::new();
    while let Some(request) = test.next(SECOND) {
        sizes.push(request.events);
        test.queue.delivered(&request);
    }
    assert_eq!(sizes, [2, 1000, 2]);
    test.put(large(1 << 20));
    assert_eq!(test.queue.take_lost(), Lost { no_room: 1, given_up: 0 });
}

#[test]
fn hook_026_an_event_of_an_encrypted_channel_goes_alone() {
    let mut test = Test::new(true);
    test.put_channels(&["a", "b", "private-encrypted-c", "private-encrypted-d", "e"]);
    let mut sizes = Vec::new();
    while let Some(request) = test.next(SECOND) {
        sizes.push(request.events);
        test.queue.delivered(&request);
    }
    assert_eq!(sizes, [2, 1, 1, 1]);
}

#[test]
fn hook_022_and_hook_023_pauses_double_to_a_minute_and_after_five_minutes_it_is_given_up() {
    let mut test = Test::new(false);
    test.put(occupied("a"));
    let mut now = Duration::ZERO;
    let mut pauses = Vec::new();
    loop {
        let request = test.expect(now);
        test.queue.failed(request, test.start + now);
        let Some(due) = test.queue.next_moment() else { break };
        pauses.push((due - test.start - now).as_secs());
        now = due - test.start;
        assert!(test.next(now - Duration::from_millis(1)).is_none());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(test.queue.take_lost(), Lost { no_room: 0, given_up: 1 });
    assert!(test.queue.is_empty());
}

#[test]
fn hook_023_a_url_that_fails_is_tried_with_one_request_at_a_time_until_it_answers() {
    let mut test = Test::new(false);
    let channels: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    test.put_channels(&channels.iter().map(String::as_str).collect::<Vec<_>>());
    let mut under_way: Vec<Prepared> = std::iter::from_fn(|| test.next(Duration::ZERO)).collect();
    assert_eq!(under_way.len(), MOST_UNDER_WAY);
    let now = test.start;
    let failures: Vec<bool> = under_way.drain(..).map(|request| test.queue.failed(request, now)).collect();
    assert_eq!(failures.iter().filter(|is_new| **is_new).count(), 1, "one line for a URL that fails");
    let one = test.expect(SECOND);
    assert!(test.next(SECOND).is_none());
    assert!(test.queue.delivered(&one), "it answers again");
    let all: Vec<Prepared> = std::iter::from_fn(|| test.next(SECOND)).collect();
    assert_eq!(all.len(), MOST_UNDER_WAY);
    assert!(!test.queue.delivered(&all[0]));
}

#[test]
fn hook_005_what_grows_too_old_behind_others_is_not_sent_any_more() {
    let mut test = Test::new(false);
    test.put_channels(&["a", "b", "c"]);
    for moment in [Duration::ZERO, SECOND / 2] {
        let request = test.expect(moment);
        test.queue.failed(request, test.start + moment);
    }
    assert_eq!(test.expect(Duration::from_secs(300)).failed, 1, "still in time");
    test.queue.clear();
    test.put_channels(&["a", "b", "c"]);
    let request = test.expect(SECOND);
    test.queue.failed(request, test.start + SECOND);
    assert_eq!(test.queue.take_lost().given_up, 3);
    assert!(test.next(Duration::from_secs(301)).is_none());
    assert_eq!((test.queue.take_lost().given_up, test.queue.is_empty()), (3, true));
}

#[test]
fn a_full_queue_leaves_out_what_comes_and_counts_it_and_has_room_again_when_it_is_sent() {
    let mut test = Test::with(Settings { most_events: 3, ..Settings::default() }, false);
    test.put_channels(&["a", "b", "c", "d", "e"]);
    assert_eq!(test.queue.take_lost(), Lost { no_room: 2, given_up: 0 });
    let request = test.expect(Duration::ZERO);
    test.put_channels(&["d"]);
    assert_eq!(test.queue.take_lost().no_room, 1, "what is under way still has its room");
    test.queue.delivered(&request);
    test.put_channels(&["d"]);
    assert_eq!(test.queue.take_lost(), Lost::default());
}

#[test]
fn a_queue_is_full_also_by_its_bytes_and_by_those_of_all_queues() {
    let mut test = Test::with(Settings { most_bytes: 1000, ..Settings::default() }, false);
    test.put(large(900));
    assert_eq!(test.queue.take_lost().no_room, 1);
}

#[test]
fn however_many_queues_are_full_there_is_room_for_another_and_never_more_than_for_all() {
    const MOST: usize = 1 << 20;
    let settings = Settings { most_bytes_in_all: MOST, ..Settings::default() };
    let all: Arc<AtomicUsize> = Arc::default();
    let mut queues: Vec<Queue> = (0..20).map(|_| Queue::new(settings, Arc::clone(&all))).collect();
    for queue in &mut queues {
        while queue.take_lost().no_room == 0 {
            let event = Arc::new(occupied("a"));
            queue.push(Waiting { event, since: Instant::now(), time_ms: 7, group: None });
        }
    }
    let held: Vec<usize> = queues.iter().map(|queue| queue.held.bytes).collect();
    assert!(held[0] > MOST / 6 && held.iter().all(|bytes| *bytes > 1000), "{held:?}");
    assert!(held.iter().sum::<usize>() < MOST && held.iter().sum::<usize>() == all.load(Ordering::Relaxed));
    for queue in &mut queues {
        queue.clear();
    }
    assert_eq!(all.load(Ordering::Relaxed), 0);
}

#[test]
fn hook_023_a_url_that_refuses_everything_is_tried_once_a_second_and_one_refusal_holds_up_nobody() {
    let mut test = Test::new(false);
    let channels: Vec<String> = (0..1000).map(|number| format!("c{number}")).collect();
    test.put_channels(&channels.iter().map(String::as_str).collect::<Vec<_>>());
    let one = test.expect(Duration::ZERO);
    test.queue.failed(one, test.start);
    let pause = test.queue.next_moment().unwrap() - test.start;
    assert!(pause < SECOND / 50 && !pause.is_zero(), "{pause:?}");
    let (mut now, mut tried) = (pause, 0);
    while now < 60 * SECOND {
        let request = test.expect(now);
        test.queue.failed(request, test.start + now);
        now = test.queue.next_moment().unwrap() - test.start;
        tried += 1;
    }
    assert!((60..70).contains(&tried), "{tried}");
    let one = test.expect(now);
    test.queue.delivered(&one);
    assert!(test.next(now).is_some() && test.next(now).is_some(), "it answers again");
}

#[test]
fn at_the_end_everything_is_tried_at_once_and_nothing_twice() {
    let mut test = Test::new(true);
    test.put_channels(&["private-encrypted-a"]);
    let request = test.expect(SECOND);
    test.queue.failed(request, test.start + SECOND);
    test.put_channels(&["b", "c"]);
    test.queue.end();
    let again = test.expect(SECOND);
    assert_eq!((again.failed, again.events), (1, 1));
    let batch = test.expect(Duration::ZERO);
    assert_eq!(batch.events, 2, "no window is waited for");
    test.queue.failed(again, test.start + SECOND);
    test.queue.delivered(&batch);
    assert!(test.queue.is_empty() && test.next(Duration::from_secs(100)).is_none());
    assert_eq!(test.queue.take_lost(), Lost { no_room: 0, given_up: 1 });
}

#[test]
fn hook_005_a_request_that_is_tried_again_is_the_same_to_the_last_byte() {
    let mut test = Test::new(false);
    test.put_channels(&["a"]);
    let first = test.expect(Duration::ZERO);
    let before = format!("{first:?}");
    test.queue.failed(first, test.start);
    let other = Credential { key: AppKey::from("other"), secret: Secret::new("other") };
    let mut again = test.queue.next(&other, test.start + SECOND).unwrap();
    again.failed = 0;
    assert_eq!(format!("{again:?}"), before);
}
