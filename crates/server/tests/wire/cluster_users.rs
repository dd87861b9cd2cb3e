//! Which users are online on two nodes, and what back ends are told of it (API-043, CL-050, HOOK-027).

use fanfare_testing::cable::Mode;
use fanfare_testing::redis::Redis;
use serde_json::{Value, json};

use crate::cluster::pair;
use crate::cluster_faults::disturbed;
use crate::cluster_webhooks::{pair_that_tells, told};
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::socket::Socket;
use crate::support::{APP, eventually};

fn signed_in(server: &TestServer, id: &str) -> Socket {
    let mut socket = server.connect();
    socket.sign_in(APP, &json!({"id": id}).to_string());
    socket
}

/// What this node answers about a user.
fn asked(server: &TestServer, id: &str) -> Value {
    let answer = server.api().get("/users", &[("ids", id)]);
    assert_eq!(answer.head.status, 200, "{}", answer.body);
    let answer: Value = serde_json::from_str(&answer.body).expect("API-004: JSON");
    answer["users"][id].clone()
}

/// Waits until all nodes say the same.
#[track_caller]
fn expect(servers: &[TestServer], id: &str, wanted: &Value) {
    for server in servers {
        eventually(&format!("{id}: {wanted}"), || (asked(server, id) == *wanted).then_some(()));
    }
}

fn offline() -> Value {
    json!({"online": false, "connections": 0, "since": null})
}

#[test]
fn api_043_and_cl_050_connections_are_of_all_nodes_and_since_goes_on_while_any_is_open() {
    let redis = Redis::start();
    let servers = pair(&redis, "");
    assert_eq!(asked(&servers[1], "ann"), offline());
    let first = signed_in(&servers[0], "ann");
    // The node itself knows at once.
    let since = asked(&servers[0], "ann")["since"].clone();
    assert!(since.as_str().is_some_and(|since| since.ends_with('Z')), "{since}");
    let is = |connections: usize| json!({"online": true, "connections": connections, "since": since});
    expect(&servers, "ann", &is(1));
    let others = [signed_in(&servers[1], "ann"), signed_in(&servers[1], "ann")];
    expect(&servers, "ann", &is(3));
    first.close();
    expect(&servers, "ann", &is(2));
    for other in others {
        other.close();
    }
    expect(&servers, "ann", &offline());
    let channels = servers[0].api().get("/channels", &[]);
    channels.expect(r#"{"channels":{}}"#);
}

#[test]
fn cl_021_who_is_online_is_answered_503_while_redis_takes_nothing() {
    let redis = Redis::start();
    let (one, two, cable) = disturbed(&redis);
    let _ann = signed_in(&one, "ann");
    cable.set(Mode::Stall);
    two.api().get("/users", &[("ids", "ann")]).refused(503, "try again");
    cable.set(Mode::Pass);
    eventually("it is answered again", || {
        let answer = two.api().get("/users", &[("ids", "ann")]);
        answer.body.contains(r#""connections":1"#).then_some(())
    });
}

#[test]
fn cl_100_a_user_of_a_node_that_is_killed_is_offline_once_its_lease_is_over() {
    let redis = Redis::start();
    let [one, two] = pair(&redis, "");
    let _ann = [signed_in(&one, "ann"), signed_in(&two, "ann"), signed_in(&two, "bob")];
    eventually("all are known", || (asked(&one, "ann")["connections"] == 2).then_some(()));
    drop(two);
    eventually("one node is left", || {
        let (ann, bob) = (asked(&one, "ann"), asked(&one, "bob"));
        (ann["connections"] == 1 && bob == offline()).then_some(())
    });
}

#[test]
fn hook_027_and_cl_031_who_moves_between_nodes_is_told_of_once() {
    let redis = Redis::start();
    let receiver = Receiver::new();
    let servers = pair_that_tells(&redis, "", &receiver.setting(&["users"]));
    let mut ann = signed_in(&servers[0], "ann");
    for at in [1, 0, 1] {
        ann.close();
        expect(&servers, "ann", &offline());
        ann = signed_in(&servers[at], "ann");
    }
    let tab = signed_in(&servers[0], "ann");
    // Presence channels are another group, which nobody asked for.
    let mut member = servers[0].connect();
    member.join(APP, "presence-a", r#"{"user_id":"ann"}"#);
    ann.close();
    let bob = signed_in(&servers[1], "bob");
    let mut both = told(&receiver, 2);
    both.sort();
    assert_eq!(both, ["user_online ann", "user_online bob"]);
    tab.close();
    bob.close();
    let mut all = told(&receiver, 4);
    all[2..].sort();
    assert_eq!(all[2..], ["user_offline ann", "user_offline bob"]);
}

#[test]
fn hook_027_and_cl_100_a_user_of_a_killed_node_is_told_of_as_offline() {
    let redis = Redis::start();
    let receiver = Receiver::new();
    let [one, two] = pair_that_tells(&redis, "", &receiver.setting(&["users"]));
    let _ann = signed_in(&one, "ann");
    assert_eq!(told(&receiver, 1), ["user_online ann"]);
    let _bob = signed_in(&two, "bob");
    assert_eq!(told(&receiver, 2)[1], "user_online bob");
    drop(two);
    assert_eq!(told(&receiver, 3)[2], "user_offline bob");
}
