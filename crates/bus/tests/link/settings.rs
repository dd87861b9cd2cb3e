//! Rights, TLS, prefixes, layouts, and several Redis.

use fanfare_bus::Settings;
use fanfare_outgoing::Trust;
use fanfare_testing::certificates;
use fanfare_testing::redis::Redis;

use crate::support::{Node, app, assert_in_touch, channel, settings};

/// The rights that docs/cluster.md asks for, and an operator with all rights.
const USERS: &str = "\
    user default off\n\
    user operator on >all-rights ~* &* +@all\n\
    user bus on >hush:@/ resetkeys resetchannels ~one:* &one:* +@all -@admin -@dangerous +info +cluster|nodes \
    +cluster|slots +cluster|shards\n";

fn with(url: &str, id: u64, trust: &Trust, prefix: &str) -> Settings {
    Settings { trust: trust.clone(), prefix: prefix.to_owned(), ..settings(&[url], id) }
}

#[test]
fn cl_074_a_user_with_the_rights_of_one_prefix_over_tls_gets_everything() {
    let certificates = certificates::directory();
    let redis = Redis::tls_with(certificates.path(), USERS);
    let trust = Trust::with_file(&certificates.path().join("ca.pem")).unwrap();
    let url = |log_in: &str| format!("rediss://{log_in}@127.0.0.1:{}", redis.port);
    let node = |id| Node::with(with(&url("bus:hush%3A%40%2F"), id, &trust, "one:"));
    let (one, other) = (node(1), node(2));
    one.wait_until_up();
    other.wait_until_up();
    other.open("a");
    assert_in_touch(&one, &other, "a");
    let foreign = Node::with(with(&url("bus:hush%3A%40%2F"), 3, &trust, "two:"));
    foreign.away_for("NOPERM");
    let stranger = Node::with(with(&url("bus:hush"), 4, &trust, "one:"));
    stranger.away_for("WRONGPASS");
    let mistrusting = Node::with(with(&url("bus:hush%3A%40%2F"), 5, &Trust::public(), "one:"));
    mistrusting.away_for("bus.ca_file");
    let whys = [&foreign, &stranger, &mistrusting].map(Node::away);
    assert!(whys.iter().all(|why| !why.contains("hush")), "{whys:?}");
}

#[test]
fn a_user_who_may_subscribe_to_nothing_is_away_until_that_is_granted() {
    let users = USERS.replace(" &one:*", "");
    let redis =
        Redis::with(&users).log_in_with(&["--user", "operator", "--pass", "all-rights", "--no-auth-warning"]);
    let url = format!("redis://bus:hush%3A%40%2F@127.0.0.1:{}", redis.port);
    let node = Node::with(with(&url, 1, &Trust::public(), "one:"));
    node.away_for("NOPERM");
    // It is refused each second.
    std::thread::sleep(std::time::Duration::from_secs(3));
    redis.says(&["ACL", "SETUSER", "bus", "&one:*"]);
    node.wait_until_up();
    node.open("a");
}

#[test]
fn cl_074_two_clusters_share_a_redis_by_their_prefixes() {
    let redis = Redis::start();
    let node = |id, prefix| Node::with(with(&redis.url(), id, &Trust::public(), prefix));
    let (one, other, stranger) = (node(1, "one:"), node(2, "one:"), node(3, "two:"));
    for node in [&one, &other, &stranger] {
        node.wait_until_up();
        node.open("a");
    }
    assert_in_touch(&one, &other, "a");
    assert_eq!(stranger.told(), [] as [&str; 0]);
}

#[test]
fn cl_072_a_node_with_another_number_of_partitions_stays_away_and_says_why() {
    let redis = Redis::start();
    let node = Node::up(&redis.url(), 1);
    let other = Node::with(Settings { partitions: 32, ..settings(&[&redis.url()], 2) });
    other.away_for("has layout 1:16, this node's is 1:32");
    node.wait_until_up();
}

#[test]
fn a_policy_that_evicts_is_warned_of() {
    let redis = Redis::with("maxmemory 100mb\nmaxmemory-policy allkeys-lru\n");
    let node = Node::up(&redis.url(), 1);
    assert!(node.bus.links()[0].warning.as_ref().unwrap().contains("allkeys-lru"));
}

#[test]
fn several_redis_share_the_partitions_and_the_loss_of_one_is_no_loss_of_the_other() {
    let (mut first, second) = (Redis::start(), Redis::start());
    let (one_url, other_url) = (first.url(), second.url());
    let node = |id| Node::with(settings(&[&one_url, &other_url], id));
    let (one, other) = (node(1), node(2));
    one.wait_until_up();
    other.wait_until_up();
    let links = one.bus.links();
    assert_eq!(links.len(), 2);
    let layout = one.bus.layout();
    let channel_at = |link: usize| {
        let names = (0..).map(|number| format!("a{number}"));
        let is_there =
            |name: &String| links[link].partitions.contains(&layout.partition(&app(), &channel(name)));
        names.into_iter().find(is_there).unwrap()
    };
    let names = [channel_at(0), channel_at(1)];
    for name in &names {
        other.open(name);
        assert_in_touch(&one, &other, name);
    }
    first.kill();
    one.away();
    assert_in_touch(&one, &other, &names[1]);
    first.restart();
    one.wait_until_up();
    other.wait_until_up();
    assert_in_touch(&one, &other, &names[0]);
}
