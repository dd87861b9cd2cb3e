//! The prefix of channels: when a warning is due, and what the warning says.

use std::fs;

use super::super::Setup;
use super::{of, told, with};

/// What is warned of the prefix, with these options and this `.env` beside them.
fn warned(prefix: Option<&str>, dotenv: &str) -> Vec<String> {
    let redis = prefix.map(|prefix| format!(r#"{{"keyPrefix": {prefix:?}}}"#)).unwrap_or("{}".to_owned());
    let setup = of(&format!(r#"{{"databaseConfig": {{"redis": {redis}}}}}"#));
    fs::write(setup.directory.as_ref().unwrap().path().join(".env"), dotenv).unwrap();
    setup.load().warnings
}

#[test]
fn a_prefix_that_agrees_with_all_that_is_known_is_not_warned_of() {
    for (prefix, dotenv) in [
        (Some("shop_database_"), "APP_NAME=Shop\n"),
        (Some("shop-database-"), "APP_NAME=Shop\n"),
        (Some("a_"), "REDIS_PREFIX=a_\n"),
        (Some("laravel_database_"), "OTHER=1\n"),
        (None, "REDIS_PREFIX=\n"),
        (Some(""), "REDIS_PREFIX=\n"),
    ] {
        assert_eq!(warned(prefix, dotenv), Vec::<String>::new(), "{prefix:?} {dotenv}");
    }
}

#[test]
fn a_warning_says_what_was_found_where_what_is_listened_to_and_what_to_change() {
    for (prefix, dotenv, words) in [
        (
            Some("laravel_database_"),
            "REDIS_PREFIX=a_\n",
            &[
                "keyPrefix: \"laravel_database_\", so that channels that begin with",
                "by REDIS_PREFIX in the .env beside this file the application publishes on channels that begin with \"a_\".",
                "set databaseConfig.redis.keyPrefix to \"a_\";",
            ][..],
        ),
        (
            Some("laravel_database_"),
            "APP_NAME=Shop\n",
            &[
                "by APP_NAME in the .env beside this file",
                "begin with \"shop_database_\" or \"shop-database-\", unless config/database.php says otherwise",
                "`fanfare doctor --laravel-echo-server FILE` listens",
            ],
        ),
        (
            Some("laravel_database_"),
            "REDIS_PREFIX=\n",
            &[
                "publishes without a prefix, so that nothing arrives. Take databaseConfig.redis.keyPrefix out of the file",
            ],
        ),
        (
            None,
            "REDIS_PREFIX=a_\n",
            &[
                "keyPrefix: not set, so that every channel of that Redis is listened to",
                "keyPrefix to \"a_\";",
            ],
        ),
        (
            None,
            "OTHER=1\n",
            &[
                "keyPrefix: not set, so that every channel of that Redis is listened to, each by its whole name.",
                "right only if Laravel has no prefix",
                "often laravel_database_ or laravel-database-",
            ],
        ),
    ] {
        let warned = warned(prefix, dotenv);
        let [warning] = &warned[..] else { panic!("one warning: {warned:?}") };
        assert!(words.iter().all(|word| warning.contains(word)), "{prefix:?} {dotenv}: {warning}");
    }
}

#[test]
fn an_agreement_of_no_prefix_with_the_applications_is_told_beside_the_setting() {
    let setup = of("{}");
    fs::write(setup.directory.as_ref().unwrap().path().join(".env"), "REDIS_PREFIX=\n").unwrap();
    let config = setup.load();
    let line =
        told(&config).taken.iter().find(|line| line.starts_with("redis_feed.prefix")).expect("the line");
    assert!(line.contains("not set; no prefix by REDIS_PREFIX in the .env beside this file, too"), "{line}");
}

#[test]
fn a_prefix_that_fanfares_own_settings_override_is_not_warned_of() {
    let own = of("{}").env(&[("FANFARE__REDIS_FEED__PREFIX", "shop_")]).load();
    assert_eq!(own.warnings, Vec::<String>::new());
    let apps = format!("{}redis_feed.prefix = \"shop_\"\n", super::super::APP_3);
    assert_eq!(with(Setup::file(&apps), "{}").load().warnings, Vec::<String>::new());
}
