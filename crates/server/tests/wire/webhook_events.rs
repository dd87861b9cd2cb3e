//! Webhook events, kind by kind.

use crate::support::receiver::{ALL, Receiver};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};

/// A server without webhook delays, and an app with this receiver and settings.
fn told(receiver: &Receiver, events: &[&str], settings: &str) -> TestServer {
    let app = format!("{settings}\n{}", receiver.setting(events));
    Setup::bare().config("[webhooks]\ndelay = 0").app(APP, &app).start()
}

#[test]
fn hook_010_and_hook_011_the_first_subscriber_occupies_a_channel_and_the_last_vacates_it() {
    let receiver = Receiver::new();
    let server = told(&receiver, &["channel_existence"], "");
    let mut sockets = [server.connect(), server.connect()];
    for socket in &mut sockets {
        socket.subscribe("news");
    }
    for mut socket in sockets {
        socket.unsubscribe("news");
        socket.expect_nothing_more();
    }
    receiver.expect(&["channel_occupied news", "channel_vacated news"]);
}

#[test]
fn hook_014_the_first_connection_of_a_user_adds_a_member_and_the_last_removes_it() {
    let receiver = Receiver::new();
    let server = told(&receiver, &["presence"], "");
    let mut sockets = [server.connect(), server.connect()];
    for socket in &mut sockets {
        socket.join(APP, "presence-a", r#"{"user_id":"10","user_info":{"name":"Ann"}}"#);
    }
    for socket in sockets {
        socket.close();
    }
    receiver
        .expect(&[r#"member_added presence-a user_id="10""#, r#"member_removed presence-a user_id="10""#]);
}

#[test]
fn ws_168_and_hook_015_a_client_event_is_told_with_its_data_as_text_and_on_presence_channels_with_its_user() {
    let receiver = Receiver::new();
    let server = told(&receiver, &["client_events"], "client_events = true");
    let mut socket = server.connect();
    socket.subscribe_private(APP, "private-a");
    socket.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    let id = socket.id.clone();
    let sent = [("private-a", r#"{"a": 1}"#), ("private-a", r#""text""#), ("presence-a", "[true]")];
    let wanted = [
        format!(r#"client_event private-a data="{{\"a\":1}}" event="client-e" socket_id="{id}""#),
        format!(r#"client_event private-a data="text" event="client-e" socket_id="{id}""#),
        format!(r#"client_event presence-a data="[true]" event="client-e" socket_id="{id}" user_id="u1""#),
    ];
    for (at, (channel, data)) in sent.into_iter().enumerate() {
        socket.client_event(channel, "client-e", data);
        receiver.expect(&wanted[..=at].iter().map(String::as_str).collect::<Vec<_>>());
    }
    // A refused event causes no webhook.
    socket.client_event("private-other", "client-e", "1");
    assert!(socket.error().0.is_none());
    socket.client_event("private-a", "client-e", "2");
    receiver.requests(4);
}

#[test]
fn ws_172_and_hook_013_and_hook_018_an_empty_cache_is_told_once_until_it_is_filled() {
    let receiver = Receiver::new();
    // The cached event is evicted as soon as no client is subscribed, so that the channel is empty again.
    let server = told(&receiver, &["cache_miss"], "[apps.list.limits]\ncache_bytes = 1");
    for _ in 0..2 {
        let mut socket = server.connect();
        socket.subscribe("cache-a");
        socket.expect_cache_miss("cache-a");
        socket.close();
    }
    receiver.expect(&["cache_miss cache-a"]);
    server.api().publish("cache-a", "e", "d");
    let mut socket = server.connect();
    socket.subscribe("cache-a");
    socket.expect_cache_miss("cache-a");
    receiver.expect(&["cache_miss cache-a"; 2]);
}

#[test]
fn hook_016_counts_are_told_but_for_presence_channels_and_whether_or_not_subscribers_are_told() {
    let receiver = Receiver::new();
    let server = told(&receiver, &["subscription_count"], "");
    let mut sockets = [server.connect(), server.connect()];
    let told = |counts: &[usize]| {
        let lines: Vec<String> = counts
            .iter()
            .map(|count| format!("subscription_count news subscription_count={count}"))
            .collect();
        receiver.expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    };
    for socket in &mut sockets {
        socket.join(APP, "presence-a", r#"{"user_id":"u"}"#);
    }
    sockets[0].subscribe("news");
    told(&[1]);
    sockets[1].subscribe("news");
    told(&[1, 2]);
    sockets[0].unsubscribe("news");
    told(&[1, 2, 1]);
}

#[test]
fn hook_017_each_webhook_is_told_what_it_asked_for_and_one_that_is_off_nothing() {
    let receivers: Vec<Receiver> = ALL.iter().map(|_| Receiver::new()).collect();
    let (shop, off) = (Receiver::new(), Receiver::new());
    let mut settings = String::from("client_events = true\n");
    for (receiver, kind) in receivers.iter().zip(ALL) {
        settings.push_str(&receiver.setting(&[kind]));
    }
    settings.push_str(&shop.setting(ALL));
    settings.push_str("channel_prefixes = [\"shop-\", \"private-shop-\"]\n");
    settings.push_str(&off.setting(ALL));
    settings.push_str("enabled = false\n");
    let server = Setup::bare().config("[webhooks]\ndelay = 0").app(APP, &settings).start();
    let mut socket = server.connect();
    socket.join(APP, "presence-a", r#"{"user_id":"u"}"#);
    socket.subscribe_private(APP, "private-cache-a");
    socket.expect_cache_miss("private-cache-a");
    socket.client_event("private-cache-a", "client-e", "1");
    socket.sign_in(APP, r#"{"id":"u"}"#);
    let expected: [usize; 6] = [2, 1, 1, 1, 1, 1];
    for ((receiver, kind), count) in receivers.iter().zip(ALL).zip(expected) {
        receiver.requests(count);
        assert_eq!(receiver.so_far().len(), count, "{kind}");
    }
    socket.subscribe("shop-a");
    // Users are online on no channel.
    let requests = shop.requests(3);
    let is_meant = |body: &str| body.contains(r#""channel":"shop-a""#) || body.contains("user_online");
    assert!(requests.iter().all(|request| is_meant(&request.body)), "{requests:?}");
    assert!(off.so_far().is_empty());
}

#[test]
fn hook_019_nothing_is_told_of_users_own_channels() {
    let receiver = Receiver::new();
    let server = told(&receiver, ALL, "");
    let mut socket = server.connect();
    socket.sign_in(APP, r#"{"id":"7"}"#);
    socket.subscribe("#server-to-user-7");
    server.api().publish("#server-to-user-7", "e", "d");
    socket.expect_event("#server-to-user-7", "e", "d");
    socket.unsubscribe("#server-to-user-7");
    socket.expect_nothing_more();
    // The later event has arrived: an earlier one would have, too.
    socket.subscribe("news");
    receiver.expect(&[
        "channel_occupied news",
        "subscription_count news subscription_count=1",
        "user_online 7",
    ]);
}

#[test]
fn hook_006_and_hook_007_ids_are_texts_and_whatever_is_in_names_and_data_arrives_as_it_was() {
    let receiver = Receiver::new();
    let server = told(&receiver, &["presence", "client_events"], "client_events = true");
    let mut socket = server.connect();
    socket.join(APP, "presence-a", r#"{"user_id":7}"#);
    receiver.expect(&[r#"member_added presence-a user_id="7""#]);
    let data = "é \u{1F600} \"quoted\" \\ \n \u{7f} \u{2028} </script>";
    socket.client_event("presence-a", "client-é", &crate::support::quoted(data));
    let request = eventually("the second request", || receiver.so_far().into_iter().nth(1));
    let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
    let event = &body["events"][0];
    assert_eq!((&event["event"], &event["data"]), (&"client-é".into(), &data.into()));
    assert_eq!((&event["socket_id"], &event["user_id"]), (&(&*socket.id).into(), &"7".into()));
}
