//! Clients of all transports on two nodes: to each of them the nodes are one server.

use crate::cluster::node;
use crate::support::APP;
use crate::support::application::Application;
use crate::support::echo::Echo;
use crate::support::fallback::Fallback;
use fanfare_testing::redis::Redis;

const ROOM: &str = "presence-room";

#[test]
fn sio_107_events_and_members_reach_every_transport_on_every_node() {
    let ann = r#"{"user_id":"ann","user_info":{"name":"Ann"}}"#;
    let application =
        Application::saying(200, r#"{"channel_data":{"user_id":"ann","user_info":{"name":"Ann"}}}"#);
    let redis = Redis::start();
    let app = format!("{}client_events = true", application.settings());
    let [one, two] = ["one", "two"]
        .map(|name| node(&redis, &format!("node_name = \"{name}\"\n[socketio]\nenabled = true"), &app));

    let mut echo = Echo::connect(&one, 4);
    echo.subscribe(ROOM);
    echo.expect_event("presence:subscribed", ROOM, &format!("[{ann}]"));
    let mut page = Fallback::streaming(&two);
    page.ask_signed(APP, ROOM, Some(r#"{"user_id":"page"}"#));
    let roster = page.message();
    assert!(roster.contains("ann") && roster.contains("page"), "{roster}");
    echo.expect_event("presence:joining", ROOM, r#"{"user_id":"page","user_info":{}}"#);
    let mut socket = two.connect();
    socket.join(APP, ROOM, r#"{"user_id":"ws"}"#);
    let added = r#"{"user_id":"ws","user_info":{}}"#;
    echo.expect_event("presence:joining", ROOM, added);
    page.expect_event(ROOM, "pusher_internal:member_added", added);

    for (node, data) in [(&one, r#"{"from":1}"#), (&two, r#"{"from":2}"#)] {
        node.api().publish(ROOM, "e", data);
        echo.expect_event("e", ROOM, data);
        page.expect_event(ROOM, "e", data);
        socket.expect_event(ROOM, "e", data);
    }
    echo.whisper(ROOM, "client-typing", r#"{"n":1}"#);
    let typing = r#"{"event":"client-typing","data":"{\"n\":1}","channel":"presence-room","user_id":"ann"}"#;
    page.expect_text(typing);
    socket.expect_text(typing);

    page.break_off();
    let gone = r#"{"user_id":"page"}"#;
    socket.expect_event(ROOM, "pusher_internal:member_removed", gone);
    echo.expect_event("presence:leaving", ROOM, r#"{"user_id":"page","user_info":{}}"#);
}
