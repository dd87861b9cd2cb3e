//! Webhooks in the file: accepted, refused and shown values.

use std::time::Duration;

use fanfare_protocol::webhook::Kind;

use super::{APP_3, Setup};
use crate::Config;

#[test]
fn an_app_lists_its_webhooks() {
    let config = Setup::file(&format!(
        "{APP_3}[[apps.list.webhooks]]\nurl = \"https://a.test/hook\"\nevents = [\"presence\", \"cache_miss\"]\n\
         [[apps.list.webhooks]]\nurl = \"http://b.test\"\nevents = [\"client_events\"]\nbatch = true\n\
         channel_prefixes = [\"shop-\"]\nenabled = false\n"
    ))
    .load();
    let [a, b] = &config.fixed_apps()[0].webhooks[..] else { panic!("two webhooks") };
    assert_eq!(a.events.each().collect::<Vec<_>>(), [Kind::Presence, Kind::CacheMiss]);
    assert!(a.enabled && !a.batch && a.channel_prefixes.is_empty());
    assert!(!b.enabled && b.batch && b.channel_prefixes == ["shop-"]);
    let shown = config.effective();
    let webhooks = shown.split_once("# [[apps.list.webhooks]]\n").expect("webhooks").1;
    assert_eq!(
        webhooks,
        "# url = \"https://a.test/hook\"\n# events = [\"presence\", \"cache_miss\"]\n# batch = false\n\
         # channel_prefixes = []\n# enabled = true\n# durable = false\n# [[apps.list.webhooks]]\n# url = \"http://b.test\"\n\
         # events = [\"client_events\"]\n# batch = true\n# channel_prefixes = [\"shop-\"]\n# enabled = false\n# durable = false\n"
    );
    let empty = Setup::file(&format!("{APP_3}webhooks = []\n")).load();
    assert!(empty.fixed_apps()[0].webhooks.is_empty());
}

#[test]
fn every_fault_of_a_webhook_is_told_with_its_line() {
    Setup::file(&format!(
        "{APP_3}[[apps.list.webhooks]]\nurl = \"https://user:pass@a.test\"\nevents = [\"channel_occupied\"]\n\
         ulr = \"x\"\n[[apps.list.webhooks]]\nbatch = \"yes\"\nchannel_prefixes = [\"\"]\n\
         [[apps.list.webhooks]]\nurl = \"http://a.test\"\nevents = []\n\
         [[apps.list.webhooks]]\nurl = \"http://a.test\"\nevents = [\"presence\"]\n"
    ))
    .expect_faults(&[
        "fanfare.toml:6: apps.list[1].webhooks[1].url must be a URL such as https://example.com/webhooks, \
         without a user or password in it; found the text \"https://user:pass@a.test\"",
        "fanfare.toml:7: apps.list[1].webhooks[1].events must be a list of some of \
         channel_existence (channel_occupied, channel_vacated), presence (member_added, member_removed), \
         client_events, cache_miss, subscription_count, users (user_online, user_offline); found the text \"channel_occupied\"",
        "fanfare.toml:8: unknown key apps.list[1].webhooks[1].ulr; did you mean webhooks.url?",
        "fanfare.toml:9: apps.list[1].webhooks[2] has no url",
        "fanfare.toml:9: apps.list[1].webhooks[2] has no events; name some of \
         channel_existence (channel_occupied, channel_vacated), presence (member_added, member_removed), \
         client_events, cache_miss, subscription_count, users (user_online, user_offline)",
        "fanfare.toml:10: apps.list[1].webhooks[2].batch must be true or false; found the text \"yes\"",
        "fanfare.toml:11: apps.list[1].webhooks[2].channel_prefixes must be a list of at most 20 texts of 1 to \
         200 characters without control characters; found a list",
        "fanfare.toml:14: apps.list[1].webhooks[3].events must be a list of some of \
         channel_existence (channel_occupied, channel_vacated), \
         presence (member_added, member_removed), client_events, cache_miss, subscription_count, users (user_online, user_offline); found a list",
        "fanfare.toml:15: apps.list[1].webhooks[4].url is that of webhooks[3] already; put their events together",
    ]);
}

#[test]
fn webhooks_are_a_list_of_ten_at_most() {
    let not_a_list =
        "apps.list[1].webhooks must be a list of webhooks; write [[apps.list.webhooks]] above each";
    for (given, line) in
        [("[apps.list.webhooks]\nurl = \"http://a\"", 5), ("webhooks = [1]", 5), ("webhooks = 1", 5)]
    {
        Setup::file(&format!("{APP_3}{given}\n"))
            .expect_faults(&[&format!("fanfare.toml:{line}: {not_a_list}")]);
    }
    let webhooks: String = (0..11)
        .map(|number| {
            format!("[[apps.list.webhooks]]\nurl = \"http://a/{number}\"\nevents = [\"presence\"]\n")
        })
        .collect();
    Setup::file(&format!("{APP_3}{webhooks}"))
        .expect_faults(&["fanfare.toml:35: apps.list[1].webhooks holds 11; there may be 10"]);
}

#[test]
fn what_holds_for_all_webhooks_has_bounds_and_defaults() {
    let config = Config::default();
    let webhooks = config.webhooks.settings();
    assert_eq!((webhooks.delay, webhooks.patience), (Duration::from_secs(3), Duration::from_secs(300)));
    assert_eq!(webhooks, fanfare_webhooks::Settings::default());
    let bounds = config.webhooks.backlog_bounds();
    assert_eq!((bounds.age, bounds.of_url.requests), (Duration::from_secs(86_400), 10_000));
    let config = Setup::file("[webhooks]\ndelay = 0\nqueue = 7\n").load();
    assert_eq!(
        (config.webhooks.settings().delay, config.webhooks.settings().most_events),
        (Duration::ZERO, 7)
    );
    Setup::file("[webhooks]\ngive_up = 300001\nretry = 0\n").expect_faults(&[
        "fanfare.toml:2: webhooks.give_up must be a time from 1ms to 5m, a whole number of milliseconds, bare or with a unit, such \
         as \"250ms\"; found the number 300001",
        "fanfare.toml:3: webhooks.retry must be a time from 1ms to 1m, a whole number of milliseconds, bare or with a unit, such \
         as \"250ms\"; found the number 0",
    ]);
}

#[test]
fn a_time_that_looks_like_seconds_is_warned_of() {
    let warnings = |toml: &str| Setup::file(&format!("[webhooks]\n{toml}\n")).load().warnings;
    assert_eq!(warnings("timeout = \"5s\"\nretry = 100"), Vec::<String>::new());
    let warned = warnings("timeout = 5");
    assert!(
        warned[0].starts_with("webhooks.timeout is 5 milliseconds, ") && warned[0].contains("\"5s\""),
        "{warned:?}"
    );
}

#[test]
fn a_durable_webhook_without_a_database_is_told_with_its_app_and_with_all_other_faults() {
    let durable = format!(
        "{APP_3}[[apps.list.webhooks]]\nurl = \"http://a.test\"\nevents = [\"presence\"]\ndurable = true\n"
    );
    Setup::file(&format!("{durable}batch = 7\n")).expect_faults(&[
        "fanfare.toml:8: apps.list[1].webhooks[1].durable is true, but there is no database to keep undelivered \
         requests in; set apps.database, or leave durable out",
        "fanfare.toml:9: apps.list[1].webhooks[1].batch must be true or false; found the number 7",
    ]);
    let config = Setup::file(&durable).env(&[("FANFARE__APPS__DATABASE", "sqlite")]).load();
    assert!(config.fixed_apps()[0].webhooks[0].durable);
    Setup::file(&durable.replace("durable = true", "durable = false")).load();
}
