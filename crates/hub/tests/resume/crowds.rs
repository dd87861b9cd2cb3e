//! Channels whose member events or counts are merged: a newcomer gets some of them alone, and is left out of others.

use std::sync::Arc;

use fanfare_hub::AppHub;
use fanfare_protocol::app::{App, Limits};

use crate::page::{Got, Page, app, hub_of, numbers, publish};

const ROOM: &str = "presence-room";

fn member(hub: &Arc<AppHub>, id: u64, name: &str) -> Page {
    let mut page = Page::new(hub, id);
    page.info = format!(r#"{{"x":"{}"}}"#, "x".repeat(900));
    page.connect();
    page.subscribe(name);
    page
}

/// Loses all but the first frames, comes back, and has got everything that was published, once.
fn expect_exact(hub: &Arc<AppHub>, page: &mut Page, name: &str) {
    for number in 0..4 {
        publish(hub, name, &number.to_string(), None);
    }
    page.read(usize::MAX);
    for number in 4..8 {
        publish(hub, name, &number.to_string(), None);
    }
    drop(page.cut(2));
    publish(hub, name, "8", None);
    page.connect();
    page.subscribe(name);
    let got = page.take(name);
    assert_eq!(numbers(&got), (0..9).collect::<Vec<_>>(), "{got:?}");
    assert!(got.contains(&Got::Resumed { replayed: 3, complete: true }), "{got:?}");
}

#[test]
fn res_010_member_events_that_wait_count_when_they_are_sent_and_for_whom() {
    let limits = Limits { members: 1000, ..Limits::default() };
    let (_hubs, hub) = hub_of(App { limits, ..app() });
    let mut members: Vec<Page> = (100..150).map(|id| member(&hub, id, ROOM)).collect();
    let mut page = member(&hub, 1, ROOM);
    // The page is new among those who wait, and hears of these at once, and alone.
    members.extend((200..210).map(|id| member(&hub, id, ROOM)));
    page.read(usize::MAX);
    let heard = page.got[ROOM].iter().filter(|got| matches!(got, Got::Other(_))).count();
    assert_eq!(heard, 10);
    members.truncate(55);
    expect_exact(&hub, &mut page, ROOM);
}

#[test]
fn res_010_a_count_that_a_newcomer_gets_alone_counts() {
    let (_hubs, hub) = hub_of(app());
    let _crowd: Vec<Page> = (100..195).map(|id| member(&hub, id, "news")).collect();
    for id in 200..300 {
        drop(member(&hub, id, "news"));
    }
    let mut page = member(&hub, 1, "news");
    page.read(usize::MAX);
    let count = Got::Other("pusher_internal:subscription_count".to_owned());
    assert_eq!(page.got["news"], [Got::Acknowledged, count]);
    let last = member(&hub, 2, "news");
    page.read(usize::MAX);
    assert_eq!(page.got["news"].len(), 2, "counts wait");
    drop(last);
    hub.tell_changes();
    expect_exact(&hub, &mut page, "news");
}
