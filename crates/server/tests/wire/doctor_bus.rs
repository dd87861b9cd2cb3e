//! The doctor on the Redis between nodes.

use fanfare_testing::certificates;
use fanfare_testing::redis::{Cluster, Guarded, Redis, free_port};

use crate::support::examined::{Examined, doctor, examine_in};

/// What a node's user may do, as docs/cluster.md says.
const RIGHTS: &str = "+@all -@admin -@dangerous +info +cluster|nodes +cluster|slots +cluster|shards";

/// The doctor with these URLs of the bus, other settings, and an app that needs no database.
fn examine_bus(urls: &str, settings: &[(&str, &str)]) -> Examined {
    let app = [("PUSHER_APP_ID", "3"), ("PUSHER_APP_KEY", "key-3"), ("PUSHER_APP_SECRET", "hush-3")];
    examine_in(&[&[("FANFARE__BUS__URLS", urls)], &app[..], settings].concat(), &[])
}

#[test]
fn a_redis_that_can_be_a_bus_is_told_with_what_it_is() {
    let redis = Redis::start();
    let is_valkey = redis.says(&["INFO", "server"]).contains("valkey_version");
    let fresh = examine_bus(&redis.url(), &[]);
    fresh.expect(
        "bus",
        "passed",
        &[
            if is_valkey { "Valkey" } else { "Redis 7" },
            "noeviction",
            "no node was here yet",
            "SUBSCRIBE are allowed",
        ],
    );
    fresh.expect("bus buffers", "noted", &["32 MiB", "256mb"]);
    redis.says(&["SET", "fanfare:1:layout", "1:16"]);
    redis.says(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 256mb 64mb 60"]);
    let known = examine_bus(&redis.url(), &[]);
    known.expect("bus", "passed", &["layout 1:16"]);
    known.expect_no_hop("bus buffers");
    assert_eq!(redis.says(&["--scan"]), "fanfare:1:layout", "the doctor leaves nothing behind");
    let alone = examine_in(&[("PUSHER_APP_ID", "3")], &["--url", "ws://127.0.0.1:1"]);
    alone.expect_no_hop("bus");
}

#[test]
fn each_redis_of_several_is_looked_at() {
    let (one, other) = (Redis::start(), Redis::start());
    let nobody = free_port();
    let examined = examine_bus(&format!("{},{},redis://127.0.0.1:{nobody}", one.url(), other.url()), &[]);
    for redis in [&one, &other] {
        examined.expect(&format!("bus {}", redis.url()), "passed", &[]);
    }
    examined.expect_failed(&format!("bus redis://127.0.0.1:{nobody}"), &["cannot be reached", "bus.urls"]);
}

#[test]
fn data_of_other_nodes_and_a_policy_that_deletes_are_found() {
    let redis = Redis::start();
    redis.says(&["SET", "fanfare:1:layout", "1:32"]);
    examine_bus(&redis.url(), &[]).expect_failed("bus", &["is 1:32", "makes 1:16", "bus.partitions"]);
    examine_bus(&redis.url(), &[("FANFARE__BUS__PARTITIONS", "32")]).expect("bus", "passed", &["1:32"]);
    examine_bus(&redis.url(), &[("FANFARE__BUS__PREFIX", "shop:")]).expect("bus", "passed", &["no node was"]);
    redis.says(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    examine_bus(&redis.url(), &[("FANFARE__BUS__PREFIX", "shop:")]).expect("bus", "passed", &["allkeys-lru"]);
    redis.says(&["CONFIG", "SET", "maxmemory", "100mb"]);
    examine_bus(&redis.url(), &[]).expect_failed("bus", &["allkeys-lru", "noeviction"]);
}

#[test]
fn a_user_with_the_documented_rights_will_do_and_less_is_told_with_the_line() {
    let redis = Redis::start();
    let user = |rules: &[&str]| {
        redis.says(&[&["ACL", "SETUSER", "node", "reset", "on", ">hush-hush"][..], rules].concat());
    };
    let url = format!("redis://node:hush-hush@127.0.0.1:{}", redis.port);
    let documented: Vec<&str> = ["~fanfare:*", "&fanfare:*"].into_iter().chain(RIGHTS.split(' ')).collect();
    user(&documented);
    examine_bus(&url, &[]).expect("bus", "passed", &[]).expect_no_hop("bus buffers");
    for (rules, forbidden) in [
        (&["~fanfare:*", "&fanfare:*", "+@all", "-info"][..], "may not INFO"),
        (&["~other:*", "&fanfare:*", "+@all"], "may not EVALSHA"),
        (&["~fanfare:*", "&fanfare:*", "+@all", "-script"], "may not SCRIPT"),
        (&["~fanfare:*", "&other:*", "+@all"], "may not PUBLISH"),
        (&["~fanfare:*", "&fanfare:*", "+@all", "-subscribe"], "may not SUBSCRIBE"),
    ] {
        user(rules);
        let line = format!("~fanfare:* &fanfare:* {RIGHTS}");
        examine_bus(&url, &[]).expect_failed("bus", &[forbidden, "ACL SETUSER", &line]);
    }
    let wrong = url.replace("hush-hush", "hush-wrong");
    examine_bus(&wrong, &[]).expect_failed("bus", &["refuses the log-in (WRONGPASS)"]);
}

#[test]
fn no_password_is_shown() {
    let redis = Redis::with("requirepass hush-hush\n");
    let url = format!("redis://:hush-wrong@127.0.0.1:{}", redis.port);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("fanfare.toml");
    let app = "[[apps.list]]\nid = \"3\"\nkey = \"key-3\"\nsecret = \"hush-3\"\n";
    std::fs::write(&config, format!("[bus]\nurls = [\"{url}\"]\n{app}")).unwrap();
    let ended = doctor(&["--config", &config.to_string_lossy()]);
    assert!(ended.stdout.contains("✗ bus") && !ended.stdout.contains("hush"), "{}", ended.stdout);
    examine_bus(&redis.url(), &[]).expect_failed("bus", &["NOAUTH", "wants a password"]);
}

#[test]
fn tls_sentinels_clusters_and_replicas_are_told_apart() {
    let directory = certificates::directory();
    let tls = Redis::tls(directory.path());
    let url = format!("rediss://127.0.0.1:{}", tls.port);
    examine_bus(&url, &[]).expect_failed("bus", &["no TLS with", "bus.ca_file"]);
    let plain = Redis::start();
    for (url, hint) in [
        (format!("redis://127.0.0.1:{}", tls.port), "write rediss://"),
        (format!("rediss://127.0.0.1:{}", plain.port), "write redis://"),
    ] {
        examine_bus(&url, &[]).expect_failed("bus", &[hint]);
    }
    let authority = directory.path().join("ca.pem").to_string_lossy().into_owned();
    examine_bus(&url, &[("FANFARE__BUS__CA_FILE", &authority)]).expect("bus", "passed", &[]);
    let guarded = Guarded::start(1);
    let master = format!("127.0.0.1:{}", guarded.servers[0].port);
    examine_bus(&guarded.url(), &[]).expect("bus", "passed", &[&master]);
    examine_bus(&guarded.servers[1].url(), &[]).expect_failed("bus", &["is a replica", "redis+sentinel://"]);
    examine_bus(&format!("redis+cluster://{master}"), &[]).expect_failed("bus", &["is no node of a Cluster"]);
}

#[test]
fn a_cluster_is_looked_at_through_any_of_its_nodes() {
    let cluster = Cluster::start(0);
    for node in &cluster.nodes {
        let url = format!("redis+cluster://127.0.0.1:{}", node.port);
        examine_bus(&url, &[]).expect("bus", "passed", &["no node was here yet"]);
        examine_bus(&node.url(), &[]).expect_failed("bus", &["is a node of a Cluster", "redis+cluster://"]);
    }
    let other = (cluster.master_of("fanfare:1:layout", 0) + 1) % cluster.nodes.len();
    let limit = |bytes| cluster.nodes[other].says(&["CONFIG", "SET", "maxmemory", bytes]);
    cluster.nodes[other].says(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    limit("100mb");
    let at = format!("127.0.0.1:{}: maxmemory-policy", cluster.nodes[other].port);
    for node in &cluster.nodes {
        let url = format!("redis+cluster://127.0.0.1:{}", node.port);
        examine_bus(&url, &[]).expect_failed("bus", &[&at, "allkeys-lru"]);
    }
    limit("0");
    let owner = cluster.master_of("fanfare:1:layout", 0);
    cluster.nodes[owner].says(&["SET", "fanfare:1:layout", "1:8"]);
    examine_bus(&cluster.url(), &[]).expect_failed("bus", &["is 1:8"]);
}
