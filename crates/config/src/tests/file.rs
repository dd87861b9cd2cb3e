//! The configuration file and the defaults.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fanfare_protocol::app::Limits;

use super::Setup;
use crate::effective::DEFAULTS;
use crate::keys::Keys;
use crate::{Config, LogFormat};

#[test]
fn the_defaults_are_those_that_are_promised() {
    let config = Config::default();
    assert_eq!(config.listen.addr.to_string(), "127.0.0.1:6001");
    assert_eq!(config.listen.admin_addr.to_string(), "127.0.0.1:9600");
    assert_eq!(config.listen.path_prefix, "");
    let proxies: Vec<String> = config.listen.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["127.0.0.0/8", "::1/128"]);
    assert!(!config.listen.version_required);
    let limits = &config.limits;
    assert_eq!((limits.connections, limits.message_bytes), (0, 32_768));
    assert_eq!((limits.outbox_bytes, limits.request_bytes), (1_048_576, 1_048_576));
    assert_eq!(limits.channels_per_connection, 1000);
    let seconds = &config.timeouts;
    assert_eq!((seconds.handshake, seconds.activity, seconds.pong), (10, 50, 30));
    assert_eq!((seconds.drain, seconds.authorize), (6, 30));
    assert_eq!((config.apps.cache_seconds, &*config.apps.data_dir), (60, Path::new("fanfare-data")));
    assert_eq!((config.resume.bytes, config.resume.records), (268_435_456, 100_000));
    let keys = config.idempotency;
    assert_eq!((keys.app_bytes, keys.bytes), (16_777_216, 67_108_864));
    assert_eq!((config.log.format, &*config.log.filter), (LogFormat::Text, "info"));
    assert_eq!(config.kept().defaults, Limits::default());
}

#[test]
fn default_toml_has_every_key_and_no_other() {
    let defaults: toml::Table = DEFAULTS.parse().unwrap();
    let sections = defaults.iter().map(|(section, values)| (section, values.as_table().unwrap()));
    let keys_of = |(of, values): (&String, &toml::Table)| {
        let of = of.clone();
        let nested = |(key, value): (&String, &toml::Value)| match value.as_table() {
            Some(nested) => nested.keys().map(|name| format!("{of}.{key}.{name}")).collect(),
            None => vec![format!("{of}.{key}")],
        };
        values.iter().flat_map(nested).collect::<Vec<_>>()
    };
    let written: BTreeSet<String> = sections.flat_map(keys_of).collect();
    let known: BTreeSet<String> = Keys::all().node.into_iter().map(|(key, _)| key).collect();
    assert_eq!(written, known);
}

#[test]
fn default_toml_as_a_file_changes_nothing() {
    assert_eq!(
        without_places(&Setup::file(DEFAULTS).load().effective()),
        without_places(&Config::default().effective())
    );
}

#[test]
fn default_toml_shows_every_key_of_an_app() {
    let commented = DEFAULTS.lines().skip_while(|line| *line != "# [[apps.list]]");
    let example = commented.map_while(|line| line.strip_prefix("# ")).collect::<Vec<_>>().join("\n");
    // That secret is known to everybody.
    let config = Setup::file(&example.replace("write-a-long-random-text-here", "hush-1")).load();
    let app = &config.fixed_apps()[0];
    assert_eq!((app.max_connections, app.limits.event_bytes), (Some(500), 20_480));
    let own = Keys::all().app.into_iter().filter(|(key, _)| !key.starts_with("limits."));
    for (key, _) in own {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", &key));
        let its = example.split_once(&format!("[apps.list.{section}]\n")).map_or(&*example, |(_, its)| its);
        assert!(its.contains(&format!("{name} = ")), "{key}");
    }
}

#[test]
fn the_secret_of_an_example_is_a_fault() {
    Setup::file(include_str!("../../../../config/examples/laravel.toml")).expect_faults(&[
        "fanfare.toml:7: apps.list[1].secret is the secret of an example, which everybody knows; set a random one, \
         such as `openssl rand -hex 20` prints",
    ]);
}

#[test]
fn the_examples_have_no_faults() {
    for example in [
        include_str!("../../../../config/examples/laravel.toml"),
        include_str!("../../../../config/examples/many-apps.toml"),
        include_str!("../../../../config/docker/defaults.toml"),
        include_str!("../../../../config/docker/fanfare.toml"),
    ] {
        // That secret is known to everybody.
        Setup::file(&example.replace("write-a-long-random-secret-here", "hush-1")).load();
    }
}

#[test]
fn a_file_sets_what_it_names() {
    let config = Setup::file(
        "[listen]\naddr = \"[::]:80\"\npath_prefix = \"/fan/fare\"\ntrusted_proxies = [\"10.0.0.7\"]\n\
         [limits]\nmembers = 7\n[timeouts]\ndrain = 0\n[log]\nformat = \"json\"\nfilter = \"warn,fanfare=debug\"",
    )
    .load();
    assert_eq!(config.listen.addr.to_string(), "[::]:80");
    assert_eq!(config.listen.path_prefix, "/fan/fare");
    assert_eq!(config.listen.trusted_proxies, ["10.0.0.7/32".parse().unwrap()]);
    assert_eq!(config.kept().defaults, Limits { members: 7, ..Limits::default() });
    assert_eq!((config.timeouts.drain().as_secs(), config.timeouts.pong().as_secs()), (0, 30));
    assert_eq!((config.log.format, &*config.log.filter), (LogFormat::Json, "warn,fanfare=debug"));
}

#[test]
fn what_is_no_toml_is_told_with_line_and_column() {
    let faults = Setup::file("[limits]\nbatch = = 5\n").faults();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("fanfare.toml:2:9: not valid TOML: "), "{faults:?}");
    let faults = Setup::file("[log]\n[[apps.list]]\nsecret = hush-hush\n").faults();
    assert!(faults[0].starts_with("fanfare.toml:3:"), "{faults:?}");
    assert!(!faults[0].contains("hush"), "{faults:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault() {
    let mut setup = Setup::default();
    setup.sources.file = Some("/no/such/fanfare.toml".into());
    setup.expect_faults(&["/no/such/fanfare.toml: cannot be read: No such file or directory (os error 2)"]);
}

#[test]
fn a_file_that_is_not_text_is_a_fault() {
    let setup = Setup::file("");
    std::fs::write(setup.sources.file.as_ref().unwrap(), b"[limits]\xff").unwrap();
    setup.expect_faults(&["fanfare.toml: not valid TOML: it is not UTF-8 text"]);
}

#[test]
fn a_fault_is_one_line_whatever_name_it_repeats() {
    Setup::file("\"a\\nfanfare: fault: b\\u001b[1m\" = 5\n").expect_faults(&[
        "fanfare.toml:1: unknown key a\\nfanfare: fault: b\\u{1b}[1m; config/default.toml lists all that there are",
    ]);
}

#[test]
fn unknown_sections_and_keys_are_told_with_the_nearest_name() {
    Setup::file(
        "addr = \"127.0.0.1:1\"\nvolume = 11\n[limit]\nmembers = 5\n[hooks]\nurl = \"x\"\n\
         [limits]\nconections = 5\ndrain = 5\nzzz = 5\n[limits.batch2]\na = 1\n",
    )
    .expect_faults(&[
        "fanfare.toml:1: unknown key addr; did you mean listen.addr?",
        "fanfare.toml:2: unknown key volume; config/default.toml lists all that there are",
        "fanfare.toml:3: unknown section [limit]; did you mean [limits]?",
        "fanfare.toml:5: unknown section [hooks]; did you mean [webhooks]?",
        "fanfare.toml:8: unknown key limits.conections; did you mean limits.connections?",
        "fanfare.toml:9: unknown key limits.drain; did you mean timeouts.drain?",
        "fanfare.toml:10: unknown key limits.zzz; config/default.toml lists all that there are",
        "fanfare.toml:11: unknown key limits.batch2; did you mean limits.batch?",
    ]);
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_what_was_found() {
    Setup::file(
        "log = \"debug\"\n[limits]\nmembers = \"many\"\nbatch = 1.5\nevent_name = true\nevent_bytes = [1]\n\
         connections = 99999999999999999999\n[listen]\nversion_required = \"yes\"\naddr = 6001\n\
         admin_addr = 1979-05-27\ntrusted_proxies = \"10.0.0.0/8\"\n[apps]\nlist = 5\n[apps.data_dir]\na = 1\n",
    )
    .expect_faults(&[
        "fanfare.toml:1: log must be a section; write [log] on a line of its own",
        "fanfare.toml:3: limits.members must be a whole number from 1 to 100000; found the text \"many\"",
        "fanfare.toml:4: limits.batch must be a whole number from 1 to 10000; found the number 1.5",
        "fanfare.toml:5: limits.event_name must be a whole number from 1 to 1024; found true",
        "fanfare.toml:6: limits.event_bytes must be a whole number from 1 to 16777216; found a list",
        "fanfare.toml:7: limits.connections is a number too large to be read",
        "fanfare.toml:9: listen.version_required must be true or false; found the text \"yes\"",
        "fanfare.toml:10: listen.addr must be an IP address and a port, such as 127.0.0.1:6001 for this machine \
         alone or 0.0.0.0:6001 for all, or localhost and a port; found the number 6001",
        "fanfare.toml:11: listen.admin_addr must be an IP address and a port, such as 127.0.0.1:6001 for this machine \
         alone or 0.0.0.0:6001 for all, or localhost and a port; found the date 1979-05-27",
        "fanfare.toml:12: listen.trusted_proxies must be a list of networks or addresses, such as \
         [\"10.0.0.0/8\", \"192.0.2.1\"]; found the text \"10.0.0.0/8\"",
        "fanfare.toml:14: apps.list must be a list of apps; write [[apps.list]] above each",
        "fanfare.toml:15: apps.data_dir must be the path of a directory; found a section",
    ]);
}

#[test]
fn a_value_out_of_range_is_told_with_the_range() {
    Setup::file(
        "[limits]\nchannel_name = 201\nbatch = 0\nmembers = -1\n[timeouts]\nactivity = 0\npong = 90000\n\
         [listen]\naddr = \":6001\"\npath_prefix = \"fanfare/\"\ntrusted_proxies = [\"::1\", \"anywhere\"]\n\
         [log]\nformat = \"xml\"\nfilter = \"fanfare=loud\"\n[apps]\ndata_dir = \"\"\n",
    )
    .expect_faults(&[
        "fanfare.toml:2: limits.channel_name must be a whole number from 1 to 200; found the number 201",
        "fanfare.toml:3: limits.batch must be a whole number from 1 to 10000; found the number 0",
        "fanfare.toml:4: limits.members must be a whole number from 1 to 100000; found the number -1",
        "fanfare.toml:6: timeouts.activity must be a time from 1s to 1d, a whole number of seconds, bare or with a unit, such as \"5s\"; found the number 0",
        "fanfare.toml:7: timeouts.pong must be a time from 1s to 1d, a whole number of seconds, bare or with a unit, such as \"5s\"; found the number 90000",
        "fanfare.toml:9: listen.addr must be an IP address and a port, such as 127.0.0.1:6001 for this machine alone \
         or 0.0.0.0:6001 for all, or localhost and a port; found the text \":6001\"",
        "fanfare.toml:10: listen.path_prefix must be empty or a path such as /fanfare, without a slash at its \
         end; found the text \"fanfare/\"",
        "fanfare.toml:11: listen.trusted_proxies must be a list of networks or addresses, such as \
         [\"10.0.0.0/8\", \"192.0.2.1\"]; found the text \"anywhere\"",
        "fanfare.toml:13: log.format must be text or json; found the text \"xml\"",
        "fanfare.toml:14: log.filter must be a filter such as info or info,fanfare=debug; the levels are off, \
         error, warn, info, debug and trace; found the text \"fanfare=loud\"",
        "fanfare.toml:16: apps.data_dir must be the path of a directory; found the text \"\"",
    ]);
}

#[test]
fn path_prefixes_that_would_never_match_are_refused() {
    for prefix in ["/", "fanfare", "/fan//fare", "/../app", "/{key}", "/a b", "/a%20b"] {
        let faults = Setup::file(&format!("[listen]\npath_prefix = \"{prefix}\"")).faults();
        assert!(faults[0].contains("listen.path_prefix must be empty or a path"), "{prefix}: {faults:?}");
    }
}

/// The lines without the comments on origins.
fn without_places(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split(" # ").next().unwrap_or(line)).collect()
}

/// The blocks of TOML on a page of the documentation.
fn blocks(page: &str) -> Vec<String> {
    let path = format!("{}/../../docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.map(|block| block.replace("a-long-random-secret", "hush-1")).collect()
}

#[test]
fn the_configurations_of_pages_about_laravel_echo_server_load_without_a_warning() {
    let mut sizes = Vec::new();
    for page in ["moving-from-laravel-echo-server.md", "socket-io.md"] {
        for block in blocks(page) {
            let config = Setup::file(&block).load();
            assert_eq!(config.warnings, Vec::<String>::new(), "{block}");
            assert_eq!(config.socketio.enabled, block.contains("[socketio]"), "{block}");
            sizes.push(config.fixed_apps().len());
        }
    }
    assert_eq!(sizes, [1, 2, 1, 0]);
}
