//! The transitions for an app's webhooks: only wanted kinds, in order, bounded, and nobody is missed.

mod support;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{AppHub, Budget, Conn, Hubs, Subscriptions};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server::QuotedEvent;
use fanfare_protocol::webhook::{Kind, Kinds, SentEvent, Transition, Webhook};

use support::Wakes;

fn app(told: &[Kind]) -> Arc<App> {
    let webhook = Webhook {
        url: "http://localhost/".to_owned(),
        events: told.iter().copied().collect(),
        channel_prefixes: Vec::new(),
        batch: false,
        durable: false,
        enabled: true,
    };
    Arc::new(App { webhooks: vec![webhook], ..App::new("1".into(), Vec::new()) })
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, 164).expect("a legal name")
}

fn connect(hub: &Arc<AppHub>, id: u64) -> Subscriptions {
    Subscriptions::new(
        Arc::clone(hub),
        Arc::new(Conn::new(SocketId::from_bits(id), Budget::of_each(1 << 30))),
    )
}

fn join(connection: &mut Subscriptions, name: &str) {
    let identity = name
        .starts_with("presence-")
        .then(|| Identity::parse(r#"{"user_id":"u"}"#, name, &Limits::default()).expect("an identity"));
    connection.subscribe(channel(name), identity, 0).expect("a first subscription");
}

fn taken(hub: &AppHub) -> Vec<Transition> {
    let mut taken = Vec::new();
    assert_eq!(hub.take_transitions(&mut taken, usize::MAX).lost, 0);
    taken
}

/// Two connections subscribe to a channel of each kind and unsubscribe, and one event is cached.
fn visit(hub: &Arc<AppHub>) {
    let mut connections = [connect(hub, 1), connect(hub, 2)];
    for name in ["news", "cache-a", "presence-a", "#server-to-user-u"] {
        for connection in &mut connections {
            join(connection, name);
        }
    }
    let name = channel("cache-a");
    hub.deliver_and_keep(&name, &QuotedEvent::new("e", "d").on(&name), None, 1000);
    hub.deliver_and_keep(&name, &QuotedEvent::new("e", "d").on(&name), None, 1000);
    drop(connections);
}

#[test]
fn hook_017_and_hook_019_each_kind_is_told_only_where_it_is_wanted() {
    let (news, cache, presence) = (|| channel("news"), || channel("cache-a"), || channel("presence-a"));
    let counted = |channel: fn() -> ChannelName, counts: [usize; 2]| {
        counts.map(|count| Transition::Counted(channel(), count))
    };
    let cases = [
        (
            Kind::ChannelExistence,
            vec![
                Transition::Occupied(news()),
                Transition::Occupied(cache()),
                Transition::Occupied(presence()),
                Transition::Vacated(news()),
                Transition::Vacated(cache()),
                Transition::Vacated(presence()),
            ],
        ),
        (
            Kind::Presence,
            vec![
                Transition::Joined(presence(), UserId::from("u")),
                Transition::Left(presence(), UserId::from("u")),
            ],
        ),
        (
            Kind::CacheMiss,
            vec![Transition::Missed(cache()), Transition::Missed(cache()), Transition::Filled(cache())],
        ),
        (
            Kind::SubscriptionCount,
            [counted(news, [1, 2]), counted(cache, [1, 2]), counted(news, [1, 0]), counted(cache, [1, 0])]
                .concat(),
        ),
        (Kind::ClientEvents, vec![]),
    ];
    for (kind, mut wanted) in cases {
        let hub = Arc::new(AppHub::new(app(&[kind])));
        visit(&hub);
        let mut told = taken(&hub);
        // A connection that closes leaves its channels in no particular order.
        told.sort_by_key(|transition| format!("{transition:?}"));
        wanted.sort_by_key(|transition| format!("{transition:?}"));
        assert_eq!(told, wanted, "{kind:?}");
    }
}

#[test]
fn an_app_without_webhooks_queues_nothing_and_one_that_gets_them_is_told_from_then_on() {
    let hub = Arc::new(AppHub::new(Arc::new(App::new("1".into(), Vec::new()))));
    visit(&hub);
    let mut connection = connect(&hub, 1);
    join(&mut connection, "news");
    assert_eq!(taken(&hub), []);
    hub.set_app(&app(&[Kind::ChannelExistence]));
    assert_eq!(hub.present().len(), 1);
    drop(connection);
    assert_eq!(taken(&hub), [Transition::Vacated(channel("news"))]);
    let mut off = (*app(&[Kind::ChannelExistence])).clone();
    off.webhooks[0].enabled = false;
    hub.set_app(&Arc::new(off));
    visit(&hub);
    assert_eq!(taken(&hub), []);
}

#[test]
fn hook_016_and_ws_176_the_count_of_a_crowd_is_told_at_the_next_beat_alone_and_only_if_it_has_changed() {
    let hub = Arc::new(AppHub::new(app(&[Kind::SubscriptionCount])));
    let mut crowd: Vec<Subscriptions> = (0..100).map(|id| connect(&hub, id)).collect();
    crowd.iter_mut().for_each(|connection| join(connection, "news"));
    assert_eq!(taken(&hub).len(), 100);
    for id in 100..105 {
        let mut newcomer = connect(&hub, id);
        join(&mut newcomer, "news");
        crowd.push(newcomer);
    }
    assert_eq!(taken(&hub), []);
    hub.tell_counts();
    assert_eq!(taken(&hub), [Transition::Counted(channel("news"), 105)]);
    hub.tell_counts();
    assert_eq!(taken(&hub), []);
}

#[test]
fn whoever_takes_is_told_once_which_kinds_are_new_behind_all_that_waited() {
    let hub = Arc::new(AppHub::new(app(&[Kind::ChannelExistence])));
    let mut connection = connect(&hub, 1);
    join(&mut connection, "presence-a");
    join(&mut connection, "news");
    hub.set_app(&app(&[Kind::ChannelExistence, Kind::Presence]));
    hub.set_app(&app(&[Kind::Presence, Kind::CacheMiss]));
    let mut all = Vec::new();
    let first = hub.take_transitions(&mut all, 1);
    assert_eq!((first.newly_wanted, first.more), (Kinds::NONE, true));
    let rest = hub.take_transitions(&mut all, 1);
    assert_eq!((all.len(), rest.newly_wanted), (2, Kinds::from_iter([Kind::Presence, Kind::CacheMiss])));
    assert_eq!(hub.take_transitions(&mut all, 1), fanfare_hub::TakenTransitions::default());
}

#[test]
fn ws_168_a_client_event_is_made_up_only_where_a_webhook_wants_it() {
    let event = || SentEvent {
        channel: channel("private-a"),
        name: "client-e".to_owned(),
        data: "d".into(),
        sender: SocketId::from_bits(1),
        user: None,
    };
    let hub = AppHub::new(app(&[Kind::Presence]));
    hub.tell_client_event(&channel("private-a"), || unreachable!("nobody wants it"));
    hub.set_app(&app(&[Kind::ClientEvents]));
    hub.tell_client_event(&channel("private-a"), event);
    assert_eq!(taken(&hub), [Transition::Sent(Box::new(event()))]);
}

#[test]
fn a_full_queue_counts_what_it_leaves_out_and_the_gap_is_behind_what_was_taken() {
    let hub = Arc::new(AppHub::new(app(&[Kind::ChannelExistence])));
    let mut connection = connect(&hub, 1);
    for number in 0..10_003 {
        join(&mut connection, &format!("c{number}"));
    }
    let mut all = Vec::new();
    let first = hub.take_transitions(&mut all, 9_999);
    assert_eq!((all.len(), first.lost, first.more), (9_999, 0, true));
    let rest = hub.take_transitions(&mut all, 9_999);
    assert_eq!((all.len(), rest.lost, rest.more), (10_000, 3, false));
    assert_eq!(hub.present().len(), 10_003, "how things are can be asked");
    join(&mut connection, "later");
    assert_eq!(taken(&hub), [Transition::Occupied(channel("later"))]);
}

#[test]
fn large_events_of_clients_fill_the_queue_by_their_bytes() {
    let hub = AppHub::new(app(&[Kind::ClientEvents]));
    let channel = channel("private-a");
    for _ in 0..5 {
        hub.tell_client_event(&channel, || SentEvent {
            channel: channel.clone(),
            name: String::new(),
            data: "x".repeat(1 << 20).into(),
            sender: SocketId::from_bits(1),
            user: None,
        });
    }
    let mut all = Vec::new();
    let first = hub.take_transitions(&mut all, 1);
    assert_eq!((all.len(), first.more), (1, true));
    let rest = hub.take_transitions(&mut all, 10);
    assert_eq!((all.len(), rest.lost), (4, 1));
}

#[test]
fn an_app_with_something_to_tell_is_named_once_and_its_hub_stays_until_it_was_taken() {
    let hubs = Hubs::default();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let cx = Context::from_waker(&waker);
    assert_eq!(hubs.poll_transitions(&cx), Poll::Pending);
    visit(&hubs.open(&app(&[Kind::ChannelExistence])));
    assert_eq!(wakes.count(), 1);
    hubs.sweep(2000);
    assert_eq!(hubs.poll_transitions(&cx), Poll::Ready(vec!["1".into()]));
    hubs.sweep(2000);
    let hub = hubs.get(&"1".into()).expect("what waits keeps it");
    assert_eq!(taken(&hub).len(), 6);
    assert_eq!(hubs.poll_transitions(&cx), Poll::Pending);
    drop(hub);
    hubs.sweep(2000);
    assert!(hubs.all().is_empty());
}
