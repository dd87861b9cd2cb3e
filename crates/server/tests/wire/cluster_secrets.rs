//! What a node says while its Redis fails: why, and no password, no secret, no signature, no payload.

use fanfare_testing::redis::{Redis, free_port};

use crate::cluster::expect_ready;
use crate::logs::use_everything;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

const PASSWORD: &str = "hush-hush";

/// The settings of a node that logs in as `node`, and says everything that the node can say.
fn sections(port: u16) -> String {
    let urls = format!("[bus]\nurls = [\"redis://node:{PASSWORD}@127.0.0.1:{port}\"]\n");
    format!("{urls}[log]\nformat = \"json\"\nfilter = \"trace\"\n")
}

fn node(port: u16) -> TestServer {
    Setup::new().config(&sections(port)).start()
}

/// Gives the user `node` these rights on top of all.
fn allow(redis: &Redis, rights: &[&str]) {
    let user = ["ACL", "SETUSER", "node", "reset", "on", ">hush-hush", "~*", "&*", "+@all"];
    assert_eq!(redis.says(&[&user[..], rights].concat()), "OK");
}

/// Uses the server, and looks through everything that operators are told of it.
fn expect_hushed(server: &TestServer, port: u16, way: &str) {
    let mut forbidden = use_everything(server);
    forbidden.push(PASSWORD.to_owned());
    let config = server.folder().join("fanfare.toml");
    let config = config.to_string_lossy();
    let mut told = vec![server.admin("/metrics").body, server.admin("/ready").body];
    for words in [&["doctor"][..], &["doctor", "--json"], &["cluster"], &["cluster", "--json"]] {
        let ended = server.command(&[words, &["--config", &config]].concat());
        assert!(ended.stdout.len() + ended.stderr.len() > 2, "{way}: {words:?} says something");
        told.extend([ended.stdout, ended.stderr]);
    }
    let shown = Setup::new().config(&sections(port)).arguments(&["--print"]).run();
    told.push(shown.stderr);
    told.push(server.process.stderr());
    for text in &forbidden {
        let line = told.iter().flat_map(|told| told.lines()).find(|line| line.contains(text));
        assert!(line.is_none(), "{way}: {text:?} was told: {line:?}");
    }
}

#[test]
fn a_node_that_cannot_reach_its_redis_or_log_in_tells_no_secret() {
    let closed = free_port();
    let server = node(closed);
    expect_ready(&server, 503, "cannot be reached");
    expect_hushed(&server, closed, "closed port");

    let redis = Redis::start();
    redis.says(&["ACL", "SETUSER", "node", "on", ">another"]);
    let server = node(redis.port);
    expect_ready(&server, 503, "refuses the log-in (WRONGPASS)");
    expect_hushed(&server, redis.port, "wrong password");

    // Such a Redis repeats what it does not know.
    let redis = Redis::with("rename-command AUTH \"\"\n");
    let server = node(redis.port);
    expect_ready(&server, 503, "refuses the log-in (ERR)");
    expect_hushed(&server, redis.port, "no AUTH");
}

#[test]
fn a_node_that_is_forbidden_a_command_tells_which_and_no_secret() {
    for (command, says) in [
        ("evalsha", "NOPERM"),
        ("publish", "NOPERM"),
        ("subscribe", "NOPERM"),
        ("zrange", "NOPERM"),
        // Of a script.
        ("hget", "can't run this command"),
    ] {
        let redis = Redis::start();
        allow(&redis, &[]);
        let server = node(redis.port);
        expect_ready(&server, 200, "ready");
        drop(use_everything(&server));
        allow(&redis, &[&format!("-{command}")]);
        redis.says(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        server.api().publish("news", "e", "confidential-news");
        server.process.log_line(&format!("{command}: {says}"), |line| {
            (line.contains("fanfare::bus") && line.contains(says)).then_some(())
        });
        expect_hushed(&server, redis.port, command);
    }
}

#[test]
fn a_redis_that_does_not_know_a_command_and_repeats_its_arguments_makes_no_node_tell_a_secret() {
    for command in ["EVALSHA", "PUBLISH", "SCRIPT", "SUBSCRIBE", "HSET"] {
        let redis = Redis::with(&format!("rename-command {command} \"\"\n"));
        allow(&redis, &[]);
        let server = node(redis.port);
        if command != "PUBLISH" && command != "HSET" {
            expect_ready(&server, 503, "unknown command");
        }
        expect_hushed(&server, redis.port, command);
    }
}
