//! Settings that contradict each other.

use fanfare_protocol::app::Limits;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::FRAME_COST;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server::{QuotedEvent, presence_succeeded};

use super::{APP_3, Setup, env};
use crate::Flags;
use crate::rules::{largest_event, largest_roster};

#[test]
fn a_message_must_hold_the_largest_event_and_member() {
    Setup::file("[limits]\nmessage_bytes = 11263\n").expect_faults(&[
        "fanfare.toml:2: limits.message_bytes (11263) must be at least 11264, the largest client event \
         and 1024 bytes around it; raise it or lower limits.client_event_bytes",
    ]);
    Setup::file("[limits]\nmessage_bytes = 11264\n").load();
    let setup = Setup::file("[limits]\nmember_bytes = 40000\nmembers = 5\nmessage_bytes = 32768\n");
    setup.expect_faults(&[
        "fanfare.toml:4: limits.message_bytes (32768) must be at least 41024, the largest data of a member \
         and 1024 bytes around it; raise it or lower limits.member_bytes",
    ]);
}

#[test]
fn a_request_must_hold_the_largest_event() {
    env(&[("FANFARE__LIMITS__REQUEST_BYTES", "11263")]).expect_faults(&[
        "FANFARE__LIMITS__REQUEST_BYTES: limits.request_bytes (11263) must be at least 11264, the largest \
         event and 1024 bytes around it; raise it or lower limits.event_bytes",
    ]);
    env(&[("FANFARE__LIMITS__REQUEST_BYTES", "11264")]).load();
}

#[test]
fn an_outbox_must_hold_the_largest_event_and_the_fullest_presence_channel() {
    Setup::file("[limits]\nmembers = 1000\n").expect_faults(&[
        "fanfare.toml:2: limits.outbox_bytes (1048576) must be at least 2528548, the list of a full presence \
         channel; raise it or lower limits.members or limits.member_bytes",
    ]);
    Setup::file("[limits]\nmembers = 1000\noutbox_bytes = 2528548\n").load();
    Setup::file("[limits]\nmembers = 1\noutbox_bytes = 63187\n").expect_faults(&[
        "fanfare.toml:3: limits.outbox_bytes (63187) must be at least 63188, the largest event as JSON; \
         raise it or lower limits.event_bytes",
        "fanfare.toml:3: limits.outbox_bytes (63187) must be at least 63188, the largest client event as \
         JSON; raise it or lower limits.client_event_bytes",
    ]);
    Setup::file("[limits]\nmembers = 1\noutbox_bytes = 63188\n").load();
}

#[test]
fn all_outboxes_together_must_hold_as_much_as_one() {
    Setup::file("[limits]\noutboxes_bytes = 1048575\n").expect_faults(&[
        "fanfare.toml:2: limits.outboxes_bytes (1048575) must be at least 1048576, what waits for a single client; \
         raise it or lower limits.outbox_bytes",
    ]);
    Setup::file("[limits]\noutboxes_bytes = 1048576\n").load();
    Setup::file("[limits]\noutboxes_bytes = 0\n").load();
}

#[test]
fn no_legal_event_is_larger_than_what_an_outbox_must_hold() {
    let limits = Limits::default();
    let channel = ChannelName::parse(&"c".repeat(limits.channel_name), limits.channel_name).unwrap();
    let event = QuotedEvent::new(&"\u{1}".repeat(limits.event_name), "\u{1}".repeat(limits.event_bytes));
    let frame = event.on(&channel).bytes().len();
    let most = largest_event(&limits, limits.event_bytes);
    assert!((most - 512..=most - FRAME_COST).contains(&frame), "{frame}");
}

#[test]
fn no_legal_presence_channel_is_larger_than_what_an_outbox_must_hold() {
    let limits = Limits::default();
    let channel = ChannelName::parse(&format!("presence-{}", "c".repeat(155)), 164).unwrap();
    let worst = |number: usize| {
        let id = format!("{}{number:03}", "\\\"".repeat(125));
        let start = format!("{{\"user_id\":\"{id}\",\"user_info\":\"");
        let quotes = (limits.member_bytes - start.len() - 2) / 2;
        Identity::parse(&format!("{start}{}\"}}", "\\\"".repeat(quotes)), "presence-c", &limits).unwrap()
    };
    let members: Vec<Identity> = (0..limits.members).map(worst).collect();
    let users = members.iter().map(|member| (&member.user_id, &member.user_info));
    let frame = presence_succeeded(&channel, users).bytes().len();
    let most = largest_roster(&limits);
    assert!((most - most / 50..=most).contains(&frame), "{frame} of {most}");
}

#[test]
fn an_apps_own_limits_must_fit_the_server() {
    Setup::file(&format!(
        "[log]\n{APP_3}limits = {{ client_event_bytes = 100_000, batch = 2, members = 90 }}\n"
    ))
    .expect_faults(&[
        "fanfare.toml:2: limits.message_bytes (32768) must be at least 101024, the largest client \
             event and 1024 bytes around it; raise it or lower apps.list[1].limits.client_event_bytes",
    ]);
    Setup::file(&format!(
        "[limits]\nmessage_bytes = 101_024\n{APP_3}limits = {{ client_event_bytes = 100_000 }}\n"
    ))
    .load();
}

#[test]
fn a_key_that_is_wrong_itself_gives_one_fault() {
    Setup::file("[limits]\nmessage_bytes = \"few\"\nevent_bytes = 90000\n").expect_faults(&[
        "fanfare.toml:2: limits.message_bytes must be a whole number from 1025 to 67108864; \
         found the text \"few\"",
    ]);
}

#[test]
fn two_listeners_cannot_have_one_port() {
    Setup::file("[listen]\naddr = \"0.0.0.0:9600\"\n").expect_faults(&[
        "fanfare.toml:2: listen.addr (0.0.0.0:9600) and listen.admin_addr (127.0.0.1:9600) want the same \
         port; give each its own",
    ]);
    let flags = Flags { admin_listen: Some("127.0.0.1:6001".parse().unwrap()), ..Flags::default() };
    Setup::default().flags(flags).expect_faults(&[
        "--admin-listen: listen.addr (127.0.0.1:6001) and listen.admin_addr (127.0.0.1:6001) want the same \
         port; give each its own",
    ]);
    Setup::file("[listen]\naddr = \"127.0.0.1:0\"\nadmin_addr = \"127.0.0.1:0\"\n").load();
    Setup::file("[listen]\naddr = \"192.0.2.1:80\"\nadmin_addr = \"192.0.2.2:80\"\n").load();
}
