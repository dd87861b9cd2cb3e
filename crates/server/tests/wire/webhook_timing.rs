//! The timing of webhooks: joins at once, leaves late or never, and always alternating.

use std::thread;

use crate::support::APP;
use crate::support::receiver::{Receiver, events_of};
use crate::support::server::TestServer;
use crate::support::setup::Setup;

const EVENTS: &[&str] = &["channel_existence", "presence"];

fn delayed(receiver: &Receiver, milliseconds: u32) -> TestServer {
    let config = format!("[webhooks]\ndelay = {milliseconds}");
    Setup::bare().config(&config).app(APP, &receiver.setting(EVENTS)).start()
}

#[test]
fn hook_020_comings_are_told_at_once_while_goings_wait() {
    let receiver = Receiver::new();
    let server = delayed(&receiver, 60_000);
    let mut socket = server.connect();
    socket.join(APP, "presence-a", r#"{"user_id":"u"}"#);
    socket.unsubscribe("presence-a");
    socket.subscribe("news");
    receiver.expect(&[
        "channel_occupied presence-a",
        r#"member_added presence-a user_id="u""#,
        "channel_occupied news",
    ]);
}

#[test]
fn hook_021_who_is_back_within_the_delay_was_never_away() {
    let receiver = Receiver::new();
    let server = delayed(&receiver, 60_000);
    for round in 0..3 {
        // Like a reloaded page: another connection of the same user.
        let mut socket = server.connect();
        socket.join(APP, "presence-a", r#"{"user_id":"u"}"#);
        if round == 1 {
            socket.unsubscribe("presence-a");
            socket.expect_nothing_more();
        }
        socket.close();
    }
    server.connect().subscribe("news");
    receiver.expect(&[
        "channel_occupied presence-a",
        r#"member_added presence-a user_id="u""#,
        "channel_occupied news",
    ]);
}

#[test]
fn hook_021_who_stays_away_is_told_of_after_the_delay_and_may_come_again() {
    let receiver = Receiver::new();
    let server = delayed(&receiver, 30);
    let mut socket = server.connect();
    socket.join(APP, "presence-a", r#"{"user_id":"u"}"#);
    socket.unsubscribe("presence-a");
    let mut told = vec![
        "channel_occupied presence-a",
        r#"member_added presence-a user_id="u""#,
        r#"member_removed presence-a user_id="u""#,
        "channel_vacated presence-a",
    ];
    receiver.expect(&told);
    socket.join(APP, "presence-a", r#"{"user_id":"u"}"#);
    told.extend_from_within(..2);
    receiver.expect(&told);
}

#[test]
fn hook_012_however_many_come_and_go_what_is_told_of_a_channel_and_of_a_user_alternates() {
    let receiver = Receiver::new();
    let server = delayed(&receiver, 3);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut socket = server.connect();
                for _ in 0..50 {
                    socket.subscribe("news");
                    socket.unsubscribe("news");
                    socket.ask_signed(APP, "presence-a", Some(r#"{"user_id":"u"}"#));
                    socket.unsubscribe("presence-a");
                    // Other connections of the same user cause no event, and members present cause no join.
                    assert!(socket.text().contains("subscription_succeeded"));
                }
            });
        }
    });
    // Delayed events are sent at the end.
    let folder = server.stop();
    drop(folder);
    let told: Vec<String> = receiver.so_far().iter().flat_map(events_of).collect();
    for subject in ["channel_occupied news", "channel_occupied presence-a", "member_added presence-a"] {
        let (come, of) = subject.split_once(' ').expect("an event and a channel");
        let go = if come == "member_added" { "member_removed" } else { "channel_vacated" };
        let turns: Vec<bool> = told
            .iter()
            .filter(|line| line.split(' ').nth(1) == Some(of))
            .filter_map(|line| match line.split(' ').next() {
                Some(name) if name == come => Some(true),
                Some(name) if name == go => Some(false),
                _ => None,
            })
            .collect();
        assert!(!turns.is_empty() && turns.len().is_multiple_of(2), "{subject}: {turns:?}");
        assert!(turns.iter().enumerate().all(|(at, comes)| *comes == (at % 2 == 0)), "{subject}: {turns:?}");
    }
}

#[test]
fn hook_011_at_the_end_of_a_server_whoever_goes_is_told_of_without_delay() {
    let receiver = Receiver::new();
    let server = delayed(&receiver, 60_000);
    let mut socket = server.connect();
    socket.join(APP, "presence-a", r#"{"user_id":"u"}"#);
    let mut gone = server.connect();
    gone.subscribe("news");
    gone.close();
    receiver.requests(3);
    let folder = server.stop();
    drop(folder);
    let mut told: Vec<String> = receiver.so_far().iter().flat_map(events_of).skip(3).collect();
    told.sort();
    assert_eq!(
        told,
        ["channel_vacated news", "channel_vacated presence-a", r#"member_removed presence-a user_id="u""#]
    );
}
