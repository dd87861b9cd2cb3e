//! What is kept of deliveries, and what goes.

use fanfare_protocol::webhook::{EventNames, Kinds};

use super::*;
use crate::delivery::DeliveryCause;

fn delivery(at: u64, cause: Option<DeliveryCause>) -> Delivery {
    let text = if cause.is_some() { "x".repeat(100) } else { String::new() };
    Delivery {
        number: 0,
        at,
        request: None,
        names: EventNames::of("channel_occupied"),
        events: 1,
        attempt: 1,
        test: false,
        status: None,
        cause,
        text: text.into(),
        took: 3,
        again: false,
        answer: None,
        is_kept: false,
    }
}

fn webhook(url: &str) -> Webhook {
    Webhook {
        url: url.to_owned(),
        events: Kinds::default(),
        channel_prefixes: Vec::new(),
        batch: false,
        enabled: false,
        durable: false,
    }
}

fn numbers(histories: &Histories, app: &AppId, url: &str) -> Vec<u64> {
    let shown = histories.show(app).into_iter().filter(|history| history.url == url);
    shown.flat_map(|history| history.deliveries).map(|delivery| delivery.number).collect()
}

#[test]
fn con_054_a_url_keeps_its_last_fifty_the_newest_first_with_the_bytes_counted() {
    let histories = Histories::new(MOST_BYTES);
    let (app, most) = (AppId::from("1"), MOST_DELIVERIES as u64);
    let (one, other) = (histories.of(&app, "http://a/"), histories.of(&app, "http://b/"));
    for at in 0..most + 10 {
        histories.keep(&one, delivery(at, Some(DeliveryCause::Refused)), None);
    }
    let full = histories.bytes.load(Ordering::Relaxed);
    for at in 0..most {
        histories.keep(&one, delivery(at, None), None);
    }
    assert_eq!(full - histories.bytes.load(Ordering::Relaxed), MOST_DELIVERIES * 100, "what went is free");
    histories.keep(&other, delivery(1, None), None);
    let expected: Vec<u64> = (most + 11..=2 * most + 10).rev().collect();
    assert_eq!(numbers(&histories, &app, "http://a/"), expected);
    assert_eq!(numbers(&histories, &app, "http://b/"), [2 * most + 11]);
    drop((one, other));
    histories.retain(&app, &[webhook("http://b/")]);
    assert_eq!(numbers(&histories, &app, "http://a/"), [0; 0]);
    assert_eq!(numbers(&histories, &app, "http://b/"), [2 * most + 11]);
    histories.retain(&app, &[]);
    assert_eq!((histories.of_apps.lock().len(), histories.bytes.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn con_054_above_the_bytes_of_the_node_the_urls_that_were_quiet_the_longest_lose_theirs() {
    const MOST: usize = 64 << 10;
    let histories = Histories::new(MOST);
    let app = |number: usize| AppId::from(&*number.to_string());
    let busy = histories.of(&app(0), "http://busy/");
    let mut most_held = 0;
    for number in 1..=200 {
        let quiet = histories.of(&app(number), "http://quiet/");
        for at in 0..20 {
            histories.keep(&quiet, delivery(at, Some(DeliveryCause::TimedOut)), None);
        }
        histories.keep(&busy, delivery(7, None), None);
        most_held = most_held.max(histories.bytes.load(Ordering::Relaxed));
    }
    assert!((MOST / 2..=MOST).contains(&most_held), "{most_held}");
    assert_eq!(numbers(&histories, &app(1), "http://quiet/"), [0; 0]);
    assert_eq!(numbers(&histories, &app(200), "http://quiet/").len(), 20);
    assert_eq!(numbers(&histories, &app(0), "http://busy/").len(), MOST_DELIVERIES);
    let apps = histories.of_apps.lock().len();
    assert!(apps < 30, "no empty place stays behind: {apps}");
}

#[test]
fn con_054_whether_a_url_works_and_since_when_follows_its_answers_alone() {
    let histories = Histories::new(MOST_BYTES);
    let app = AppId::from("1");
    let history = histories.of(&app, "http://a/");
    let mut seen = Vec::new();
    for (at, cause) in [
        (1, Some(DeliveryCause::TooLate)),
        (2, None),
        (3, None),
        (4, Some(DeliveryCause::Status)),
        (5, Some(DeliveryCause::Refused)),
        (6, Some(DeliveryCause::Crowded)),
        (7, None),
    ] {
        histories.keep(&history, delivery(at, cause), None);
        let shown = &histories.show(&app)[0];
        seen.push((shown.works, shown.since));
    }
    let (well, failing) = (Some(true), Some(false));
    assert_eq!(seen, [(None, 0), (well, 2), (well, 2), (failing, 4), (failing, 4), (failing, 4), (well, 7)]);
}

/// What was sent, with a body of so many bytes.
fn sent(bytes: usize) -> Option<KeptRequest> {
    let (age, due_in) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
    Some(KeptRequest {
        key: "k".to_owned(),
        body: vec![b'x'; bytes].into(),
        events: 1,
        failed: 0,
        age,
        due_in,
    })
}

#[test]
fn con_054_what_was_sent_is_kept_of_failed_deliveries_within_a_megabyte_of_each_url() {
    let histories = Histories::new(MOST_BYTES);
    let app = AppId::from("1");
    let history = histories.of(&app, "http://a/");
    let kept = || histories.show(&app)[0].deliveries.iter().filter(|delivery| delivery.is_kept).count();
    histories.keep(&history, delivery(0, None), sent(10));
    assert_eq!(kept(), 0, "a delivery that succeeded is not repeated");
    let small = histories.keep(&history, delivery(1, Some(DeliveryCause::Refused)), sent(10));
    assert!(histories.find(&app, small).is_some_and(|(url, _, sent)| url == "http://a/" && sent.is_some()));
    assert!(histories.find(&AppId::from("2"), small).is_none(), "another app");
    for at in 2..60 {
        histories.keep(&history, delivery(at, Some(DeliveryCause::Refused)), sent(300 << 10));
        assert!(history.kept.lock().sent_bytes <= MOST_SENT);
        assert!(histories.bytes.load(Ordering::Relaxed) <= MOST_SENT + 32 * 1024);
    }
    assert_eq!(kept(), 3, "the newest that have room");
    assert!(histories.find(&app, small).is_none());
    histories.keep(&history, delivery(60, Some(DeliveryCause::Status)), sent((1 << 20) - 1024));
    assert_eq!(kept(), 1, "the largest body has room");
    let held = histories.bytes.load(Ordering::Relaxed);
    let counted: usize = history.kept.lock().deliveries.iter().map(KeptDelivery::cost).sum();
    assert_eq!(held, counted + AROUND + "http://a/".len());
    for at in 0..MOST_DELIVERIES as u64 {
        histories.keep(&history, delivery(at, None), None);
    }
    assert_eq!((kept(), history.kept.lock().sent_bytes), (0, 0));
    drop(history);
    histories.retain(&app, &[]);
    assert_eq!(histories.bytes.load(Ordering::Relaxed), 0);
}
