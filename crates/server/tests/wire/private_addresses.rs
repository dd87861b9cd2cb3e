//! URLs of apps can be limited to the public internet; the operator's own URLs are not.

use crate::redis_feed::event;
use crate::support::application::Application;
use crate::support::authorization::{Post, expect_denial_logged};
use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER};
use fanfare_testing::redis::Redis;

const REFUSED: &str = "127.0.0.1 is not a public address, and apps.allow_private is off";

/// A server whose app has these settings.
fn public_only(node: &str, settings: &str) -> TestServer {
    Setup::bare().config(&format!("[apps]\nallow_private = false\n{node}")).app(APP, settings).start()
}

#[test]
fn webhooks_are_not_sent_to_private_addresses_where_that_is_forbidden() {
    let receiver = Receiver::new();
    let numbered = receiver.setting(&["channel_existence"]);
    let named = numbered.replace("127.0.0.1", "localhost");
    let node = "[webhooks]\nretry = 60000\ngive_up = 50000";
    let server = public_only(node, &format!("{numbered}{named}"));
    let mut socket = server.connect();
    socket.subscribe("news");
    server.expect_metric("fanfare_webhook_events_dropped_total{app=\"3\"}", 2.0);
    server.process.log_line("why", |line| line.contains(REFUSED).then_some(()));
    assert!(receiver.so_far().is_empty());
}

#[test]
fn applications_at_private_addresses_are_not_asked_where_that_is_forbidden() {
    let application = Application::saying(200, "true");
    for settings in [application.settings(), application.settings().replace("127.0.0.1", "localhost")] {
        let server = public_only("", &settings);
        Post::channel("private-orders").send(&server).refused(502, "could not be asked");
        expect_denial_logged(&server, &[REFUSED]);
    }
    assert!(application.questions().is_empty());
}

#[test]
fn a_redis_of_an_app_at_a_private_address_is_not_listened_to_where_that_is_forbidden_and_the_nodes_is() {
    let redis = Redis::start();
    let url = redis.url();
    let node = format!("[redis_feed]\nurl = \"{url}\"\nprefix = \"one_\"\napp = \"{}\"", OTHER.id);
    let its_own = format!("redis_feed.url = \"{url}\"\nredis_feed.prefix = \"two_\"");
    let setup = Setup::bare().config(&format!("[apps]\nallow_private = false\n{node}"));
    let server = setup.app(OTHER, "").app(APP, &its_own).start();
    server
        .process
        .log_line("why", |line| (line.contains("not listening") && line.contains(REFUSED)).then_some(()));
    eventually("the node's alone", || (redis.says(&["PUBSUB", "NUMPAT"]) == "1").then_some(()));
    let (mut of_the_node, mut refused) = (server.connect_to(OTHER), server.connect_to(APP));
    of_the_node.subscribe("news");
    refused.subscribe("news");
    assert_eq!(redis.publish("two_news", &event("e", "\"2\"", "null")), 0);
    assert_eq!(redis.publish("one_news", &event("e", "\"1\"", "null")), 1);
    of_the_node.expect_event("news", "e", "1");
    refused.expect_nothing_more();
}
