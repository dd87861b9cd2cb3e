//! `[bus]`: accepted, refused and shown values.

use std::net::SocketAddr;
use std::time::Duration;

use super::{APP_3, Setup, env};
use crate::Config;

/// Variables for an app, so that no database is needed.
const APP: [(&str, &str); 3] =
    [("PUSHER_APP_ID", "3"), ("PUSHER_APP_KEY", "key-3"), ("PUSHER_APP_SECRET", "hush-3")];

fn urls(config: &Config) -> Vec<String> {
    config.bus.urls.iter().map(ToString::to_string).collect()
}

#[test]
fn without_urls_a_node_stands_alone() {
    let bus = Config::default().bus;
    assert!(bus.is_alone());
    assert_eq!((bus.prefix.as_str(), bus.partitions), ("fanfare:", 16));
    assert_eq!((bus.lease, bus.settling), (Duration::from_secs(5), Duration::from_secs(8)));
}

#[test]
fn a_bus_is_a_redis_or_several() {
    let config =
        Setup::file(&format!("[bus]\nurls = [\"redis://a\", \"rediss://u:hush@b:1\"]\n{APP_3}")).load();
    assert!(!config.bus.is_alone());
    assert_eq!(urls(&config), ["redis://a:6379", "rediss://***@b:1"]);
    let postgres = "[bus]\nurls = [\"redis://a\"]\n[apps]\ndatabase = \"postgres://u:p@db/apps\"\n";
    Setup::file(postgres).load();
}

#[test]
fn one_text_holds_several_urls_and_hosts_of_one_url_stay_together() {
    for (text, expected) in [
        ("redis://a", &["redis://a:6379"][..]),
        (" redis://a , rediss://:hush@b ", &["redis://a:6379", "rediss://***@b:6379"]),
        ("redis+sentinel://a,b/main", &["redis+sentinel://a:26379,b:26379/main"]),
        (
            "redis+sentinel://a,b/one,redis+sentinel://c,d/two",
            &["redis+sentinel://a:26379,b:26379/one", "redis+sentinel://c:26379,d:26379/two"],
        ),
        ("redis+cluster://a:1,b:2", &["redis+cluster://a:1,b:2"]),
        ("redis://:hush,hush@a", &["redis://***@a:6379"]),
        ("", &[]),
    ] {
        let config = env(&[("FANFARE__BUS__URLS", text)]).env(&APP).load();
        assert_eq!(urls(&config), expected, "{text}");
        let file = Setup::file(&format!("[bus]\nurls = {text:?}\n{APP_3}")).load();
        assert_eq!(urls(&file), expected, "{text}");
    }
}

#[test]
fn all_faults_are_told_at_once_and_no_password() {
    Setup::file(&format!(
        "[bus]\nurls = [\"redis://user:hush\"]\nprefix = \"fan{{fare}}\"\npartitions = 12\nlease = 1\n\
         settling = \"250ms\"\nnode_name = \"a\\nb\"\nca_file = \"/nonexistent/ca.pem\"\nlaese = 5\n{APP_3}"
    ))
    .expect_faults(&[
        "fanfare.toml:2: bus.urls: a host of the Redis URL cannot be read; write HOST or HOST:PORT, and \
         [ADDRESS]:PORT with IPv6",
        "fanfare.toml:3: bus.prefix must be 1 to 64 of the characters A-Z a-z 0-9 _ - . : /; found the text \
         \"fan{fare}\"",
        "fanfare.toml:4: bus.partitions must be a power of two from 1 to 256; found the number 12",
        "fanfare.toml:5: bus.lease must be a time from 2s to 1m, a whole number of seconds, bare or with a unit, such \
         as \"5s\"; found the number 1",
        "fanfare.toml:6: bus.settling must be a time from 3s to 5m, a whole number of seconds, bare or with a unit, such \
         as \"5s\"; found the text \"250ms\"",
        "fanfare.toml:7: bus.node_name must be a text of at most 100 characters without control characters; found \
         the text \"a\\nb\"",
        "fanfare.toml:8: bus.ca_file, /nonexistent/ca.pem: no certificates can be read from it: I/O error: No such \
         file or directory (os error 2)",
        "fanfare.toml:9: unknown key bus.laese; did you mean bus.lease?",
    ]);
    let faults = env(&[("FANFARE__BUS__URLS", "redis://a,redis://hush:hush")]).env(&APP).faults();
    assert!(!faults.join("\n").contains("hush"), "{faults:?}");
    Setup::file(&format!("[bus]\nurls = [1]\n{APP_3}")).expect_faults(&[
        "fanfare.toml:2: bus.urls must be a list of at most 64 URLs, such as [\"redis://USER:PASSWORD@HOST:PORT\"]; \
         found a list",
    ]);
}

#[test]
fn nodes_share_no_file_of_apps() {
    let sqlite = "apps.database is a SQLite file, which other nodes cannot read; with bus.urls use \
                  postgres://USER:PASSWORD@HOST/NAME, or list the same apps in the configuration of every node";
    Setup::file(&format!("[bus]\nurls = [\"redis://a\"]\n[apps]\ndatabase = \"sqlite\"\n{APP_3}"))
        .expect_faults(&[&format!("fanfare.toml:4: {sqlite}")]);
    env(&[("FANFARE__BUS__URLS", "redis://a"), ("DATABASE_URL", "sqlite:///srv/apps.db")])
        .env(&APP)
        .expect_faults(&[&format!("DATABASE_URL: {sqlite}")]);
    env(&[("FANFARE__BUS__URLS", "redis://a")]).expect_faults(&[
        "FANFARE__BUS__URLS: bus.urls is set, but no app and no database is named, and other nodes cannot read the \
         SQLite file that this one would keep; set apps.database to postgres://USER:PASSWORD@HOST/NAME, or list \
         the same apps in the configuration of every node",
    ]);
}

#[test]
fn another_database_than_the_first_is_refused_because_messages_know_no_databases() {
    for (url, shown) in [
        ("redis://u:hush/9@a/3", "redis://***@a:6379"),
        ("redis+sentinel://a/m/1", "redis+sentinel://a:26379/m"),
        ("redis+cluster://a,b/12", "redis+cluster://a:6379,b:6379"),
    ] {
        Setup::file(&format!("[bus]\nurls = [\"{url}\"]\n{APP_3}")).expect_faults(&[&format!(
            "fanfare.toml:2: bus.urls names another database than 0 of {shown}; leave the number out: what nodes \
             publish goes to all databases, and several clusters share a Redis with a bus.prefix each"
        )]);
    }
    for url in ["redis://u:hush/9@a", "redis://a/0", "redis+sentinel://a/m1", "redis+sentinel://a/m/0"] {
        Setup::file(&format!("[bus]\nurls = [\"{url}\"]\n{APP_3}")).load();
    }
}

#[test]
fn several_urls_are_several_servers_that_stand_alone() {
    Setup::file(&format!("[bus]\nurls = [\"redis://a\", \"redis+cluster://b,c\"]\n{APP_3}")).expect_faults(&[
        "fanfare.toml:2: bus.urls has a Cluster beside another URL; a Cluster divides the work itself, so name it \
         alone, with as many of its hosts as you like",
    ]);
    Setup::file(&format!("[bus]\nurls = [\"redis://u:hush@a\", \"redis://v:hush@a/0\"]\n{APP_3}"))
        .expect_faults(&["fanfare.toml:2: bus.urls names redis://***@a:6379 twice; name each Redis once"]);
}

#[test]
fn settling_outlasts_the_lease() {
    let fault = |settling, lease| {
        format!(
            "bus.settling ({settling} s) must be longer than bus.lease ({lease} s): within it, nodes that were cut \
             off come back; raise bus.settling or lower bus.lease"
        )
    };
    Setup::file("[bus]\nlease = 8\n").expect_faults(&[&format!("fanfare.toml:2: {}", fault(8, 8))]);
    Setup::file("[bus]\nsettling = 4\n").expect_faults(&[&format!("fanfare.toml:2: {}", fault(4, 5))]);
    Setup::file("[bus]\nlease = 2\nsettling = 3\n").load();
}

#[test]
fn the_urls_are_shown_without_user_and_password() {
    let config = env(&[("FANFARE__BUS__URLS", "redis://u:hush@a,redis://b")]).env(&APP).load();
    let text = config.effective();
    let line = "urls = [\"redis://***@a:6379\", \"redis://b:6379\"] # FANFARE__BUS__URLS\n";
    assert!(text.contains(line) && !text.contains("hush@"), "{text}");
    assert!(!format!("{config:?}").contains("hush@"));
}

#[test]
fn a_node_is_called_by_its_host_and_port_or_as_configured() {
    let listen: SocketAddr = "0.0.0.0:6001".parse().unwrap();
    let name = Config::default().bus.node_name(listen);
    assert!(name.ends_with(":6001") && name.len() > ":6001".len(), "{name}");
    let named = Setup::file("[bus]\nnode_name = \"left\"\n").load();
    assert_eq!(named.bus.node_name(listen), "left");
}
