//! The memory of what is kept for operators who look, and what keeping costs: refusals, histories, live lists.
//!
//! The node here has no listener and no task, so that every allocation is that of what is measured.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fanfare_apps::Apps;
use fanfare_config::Config;
use fanfare_node::history::{HistoryPoint, MOST_HISTORIES};
use fanfare_node::refusals::{MOST_REFUSALS, NotedRefusal, RefusalKind};
use fanfare_node::taps::{LiveFact, LiveFilter, LiveKind, TapHolder, TapReader, TapWanted};
use fanfare_node::tasks::Tasks;
use fanfare_node::{Node, NodeBounds};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::data::Data;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::AppId;
use fanfare_protocol::server::QuotedEvent;
use prometheus_client::registry::Registry;
use tokio::runtime::{Builder, Runtime};

use crate::{during, kept, my_turn};

/// Refusals, or facts, that are told at once.
const TOLD: usize = 10_000;

/// Most allocations of so many refusals like one before: the example of a row is kept anew once a second.
const ALLOCATIONS_OF_REPEATED: usize = 32;

/// Most bytes of heap of all refusals together: 16 MiB of rows, and the tables around these.
const BYTES_OF_REFUSALS: i64 = 18 << 20;

/// Most bytes of heap of one live list that is not read: 1 MiB of entries (CON-031), and its table.
const BYTES_OF_A_TAP: i64 = (1 << 20) + (64 << 10);

fn node() -> (Runtime, Node) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config::default();
    let node = runtime.block_on(async {
        let apps = Apps::open(Vec::new(), None, config.kept()).await.expect("there is no database");
        Node::new(config, apps, Tasks::default(), NodeBounds::default(), Registry::default())
    });
    (runtime, node)
}

fn app(number: usize) -> AppId {
    AppId::from(&*number.to_string())
}

/// A refusal whose example is as long as a stranger can make it.
fn refusal<'a>(cause: &'static str, text: &'a &'a str) -> NotedRefusal<'a> {
    NotedRefusal {
        channel: Some(text),
        signed: Some(text),
        address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ..NotedRefusal::new(RefusalKind::Message, Some(4301), cause, text)
    }
}

#[test]
fn con_044_a_refusal_like_one_before_takes_no_memory() {
    let _turn = my_turn();
    let (_runtime, node) = node();
    let (app, text) = (app(1), "x".repeat(200));
    let text = text.as_str();
    for known in [Some(&app), None] {
        let refuse =
            |times: usize| (0..times).for_each(|_| node.note_refusal(known, &refusal("cause", &text)));
        refuse(1);
        let change = during(|| refuse(TOLD));
        println!("{} allocations for {TOLD} refusals, {} bytes kept", change.allocations, kept(&change));
        assert!(change.allocations <= ALLOCATIONS_OF_REPEATED, "look at Ring::keep");
        // What the tests' own threads allocate meanwhile is counted too.
        assert!(kept(&change) < 1024, "look at Ring::keep");
    }
}

#[test]
fn con_044_refusals_of_all_kinds_and_apps_stay_within_their_bytes() {
    let _turn = my_turn();
    let (_runtime, node) = node();
    let causes: Vec<&'static str> =
        (0..MOST_REFUSALS).map(|number| &*Box::leak(format!("cause {number}").into_boxed_str())).collect();
    let text = "é".repeat(5000);
    let text = text.as_str();
    let change = during(|| {
        for number in 0..150 {
            let app = app(number);
            causes.iter().for_each(|cause| node.note_refusal(Some(&app), &refusal(cause, &text)));
        }
    });
    let bytes = kept(&change);
    println!("{bytes} bytes of heap for the refusals of 150 apps");
    assert!((12 << 20..=BYTES_OF_REFUSALS).contains(&bytes), "{bytes} bytes; look at Refusals");
    // Many apps with one refusal each find room as well, in place of the others.
    let more = during(|| {
        for number in 1000..5000 {
            node.note_refusal(Some(&app(number)), &refusal(causes[0], &text));
        }
    });
    let bytes = bytes + kept(&more);
    println!("{bytes} bytes of heap after 4,000 more apps");
    assert!(bytes <= BYTES_OF_REFUSALS, "{bytes} bytes; look at Refusals");
}

#[test]
fn con_021_histories_take_the_bytes_that_are_said_and_no_more_than_are_allowed() {
    let _turn = my_turn();
    let (_runtime, node) = node();
    let change = during(|| {
        for at in 1..=720 {
            for number in 0..MOST_HISTORIES + 100 {
                node.histories
                    .keep(&app(number), HistoryPoint { at, connections: 1, ..HistoryPoint::default() });
            }
        }
    });
    let (bytes, said) = (kept(&change), node.histories.bytes() as i64);
    println!("{bytes} bytes of heap for the histories of {MOST_HISTORIES} apps, {said} said");
    assert!(bytes > said / 2 && bytes <= said, "{bytes} bytes, {said} said; look at COST");
    assert!(said <= 16 << 20, "{said} bytes; look at console.history_bytes");
}

fn message(bytes: usize) -> Frame {
    let data = format!("\"{}\"", "x".repeat(bytes));
    QuotedEvent::new("e", Data::of_json(&data).expect("JSON")).on(&ChannelName::trusted("news"))
}

#[test]
fn con_031_a_live_list_that_is_not_read_takes_its_bytes_and_no_more_whatever_is_sent() {
    let _turn = my_turn();
    let (_runtime, node) = node();
    let node = Arc::new(node);
    let app = app(1);
    let tenant = node.tenants.of(&app);
    let tell = |frame: Option<&Frame>| {
        tenant.taps.tell(|| LiveFact {
            channel: Some("news"),
            event: Some("e"),
            frame,
            ..LiveFact::of(LiveKind::Event)
        });
    };
    // Now and then a thread of the node does a chore meanwhile.
    let made = (0..5).map(|_| during(|| (0..TOLD).for_each(|_| tell(None))).allocations).min();
    assert_eq!(made, Some(0), "where nobody listens nothing is made");

    for bytes in [0, 100, 2000, 10_000, 100_000, 200_000] {
        let holder = TapHolder { token: 1, session: None, name: "t".to_owned(), is_bound: false };
        let filter = LiveFilter::default();
        let mut reader = None;
        let change = during(|| {
            let wanted = TapWanted { app: app.clone(), filter, shows_data: true, holder, after: None };
            reader = TapReader::open(&node, wanted).ok();
            // Several times what fits, each kept by the list alone.
            (0..(8 << 20) / bytes.max(4000)).for_each(|_| tell(Some(&message(bytes))));
        });
        let left = kept(&during(|| drop(reader)));
        let taken = kept(&change);
        println!("{taken} bytes of heap for a list of messages of {bytes} bytes; {} left", taken + left);
        assert!(taken <= BYTES_OF_A_TAP, "{taken} bytes; look at LiveRing and LiveEntry::bytes");
        assert!(taken + left < 4096, "{} bytes left", taken + left);
    }
}
