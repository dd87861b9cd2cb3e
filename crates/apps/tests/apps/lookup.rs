//! Finding apps in a database: one suite, run against SQLite and against Postgres.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_apps::{AppSettings, Apps};
use fanfare_protocol::app::{App, Limits, OriginPattern};
use fanfare_protocol::auth::{Credential, Secret};
use fanfare_protocol::ids::{AppId, AppKey};

use crate::support::Stage;
use crate::support::log::Log;

on_both!(
    an_app_is_found_by_its_id_and_any_valid_key,
    settings_of_a_row_override_the_defaults,
    a_row_that_is_switched_off_is_an_app_that_is_not_enabled,
    a_young_entry_answers_without_the_database,
    a_key_of_no_app_is_remembered_for_a_moment,
    the_configurations_apps_win_over_the_databases,
    a_faulty_row_touches_no_other_app,
    a_database_opened_again_keeps_its_apps,
    nodes_that_start_together_do_not_disturb_each_other,
    a_database_of_a_newer_version_is_refused,
);

const APP_7: &str = "
    INSERT INTO apps (id, settings) VALUES ('7', '{}');
    INSERT INTO app_keys (key, app_id, secret) VALUES ('key-7', '7', 'secret-7');
";

/// Lets the clock move on, so that the next row is younger also by a clock of milliseconds.
fn next_millisecond() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let before = now();
    while now() == before {
        std::hint::spin_loop();
    }
}

async fn an_app_is_found_by_its_id_and_any_valid_key(stage: Stage) {
    let apps = stage.open(60).await;
    let mut operator = stage.operator().await;
    operator
        .run(
            "INSERT INTO apps (id, name) VALUES ('7', 'seven'), ('8', 'eight');
             INSERT INTO app_keys (key, app_id, secret) VALUES ('z-old', '7', 'secret-old');",
        )
        .await;
    next_millisecond();
    operator
        .run(
            "INSERT INTO app_keys (key, app_id, secret) VALUES ('x-lost', '7', 'secret-lost');
             INSERT INTO app_keys (key, app_id, secret) VALUES ('a-new', '7', 'secret-new');
             INSERT INTO app_keys (key, app_id, secret) VALUES ('key-8', '8', 'secret-8');
             UPDATE app_keys SET revoked_at = created_at WHERE key = 'x-lost';",
        )
        .await;
    for app in [apps.by_id("7").await, apps.by_key("z-old").await, apps.by_key("a-new").await] {
        let app = app.unwrap().expect("app 7 exists");
        assert_eq!(app.id.as_str(), "7");
        let pairs = app.credentials.iter().map(|pair| (pair.key.as_str(), pair.secret.expose()));
        assert_eq!(pairs.collect::<Vec<_>>(), [("z-old", "secret-old"), ("a-new", "secret-new")]);
    }
    assert_eq!(apps.by_key("key-8").await.unwrap().unwrap().id.as_str(), "8");
    for key in ["x-lost", "7", "unheard-of", "", "a:b", "é", "key-8'; DROP TABLE apps; --"] {
        assert!(apps.by_key(key).await.unwrap().is_none(), "{key}");
    }
    for id in ["9", "seven", "", "key-8", "07"] {
        assert!(apps.by_id(id).await.unwrap().is_none(), "{id}");
    }
}

async fn settings_of_a_row_override_the_defaults(stage: Stage) {
    let defaults = Limits { members: 55, ..Limits::default() };
    let apps = Apps::open(Vec::new(), Some(stage.database()), crate::support::kept(defaults.clone(), 60))
        .await
        .unwrap();
    stage
        .operator()
        .await
        .run(
            r#"INSERT INTO apps (id, settings) VALUES ('7', '{
                 "max_connections": 20, "force_tls": true, "allowed_origins": ["*.example.com"],
                 "authorized_connections": true, "subscription_error_event": true, "trace": true,
                 "limits": {"event_bytes": 20480}}');"#,
        )
        .await;
    let app = apps.by_id("7").await.unwrap().unwrap();
    assert_eq!(app.limits, Limits { event_bytes: 20_480, ..defaults });
    assert_eq!(
        (app.max_connections, app.allowed_origins.clone()),
        (Some(20), vec![OriginPattern::new("*.example.com".to_owned())])
    );
    assert!(app.enabled && app.force_tls && app.authorized_connections && app.subscription_error_event);
    assert!(app.trace);
    assert!(app.credentials.is_empty());
}

async fn a_row_that_is_switched_off_is_an_app_that_is_not_enabled(stage: Stage) {
    let apps = stage.open(60).await;
    stage
        .operator()
        .await
        .run(
            r#"INSERT INTO apps (id, settings) VALUES ('7', '{"enabled": true}'), ('8', '{"enabled": false}');
               UPDATE apps SET enabled = NOT enabled WHERE id = '7';"#,
        )
        .await;
    assert!(!apps.by_id("7").await.unwrap().unwrap().enabled);
    assert!(!apps.by_id("8").await.unwrap().unwrap().enabled);
}

async fn a_young_entry_answers_without_the_database(stage: Stage) {
    let apps = stage.open(60).await;
    let mut operator = stage.operator().await;
    operator.run(APP_7).await;
    let first = apps.by_key("key-7").await.unwrap().unwrap();
    operator.run("DROP TABLE app_keys; DROP TABLE apps;").await;
    let again = apps.by_key("key-7").await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let by_id = apps.by_id("7").await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &by_id), "an app read by key is known by id as well");
}

async fn a_key_of_no_app_is_remembered_for_a_moment(stage: Stage) {
    let (remembering, forgetful) = (stage.open(60).await, stage.open(0).await);
    assert!(remembering.by_key("key-7").await.unwrap().is_none());
    assert!(forgetful.by_key("key-7").await.unwrap().is_none());
    stage.operator().await.run(APP_7).await;
    assert!(remembering.by_key("key-7").await.unwrap().is_none());
    assert!(forgetful.by_key("key-7").await.unwrap().is_some());
    assert!(remembering.by_id("7").await.unwrap().is_some(), "the id was not asked for before");
}

async fn the_configurations_apps_win_over_the_databases(stage: Stage) {
    let fixed = ["7", "9"].map(|id| fixed(id, &format!("key-{id}"), &format!("fixed-{id}")));
    let apps = Apps::open(fixed.to_vec(), Some(stage.database()), crate::support::kept(Limits::default(), 0))
        .await
        .unwrap();
    let mut operator = stage.operator().await;
    operator.run(APP_7).await;
    operator
        .run(
            "INSERT INTO app_keys (key, app_id, secret) VALUES ('other-7', '7', 'secret-7');
             INSERT INTO apps (id) VALUES ('8');
             INSERT INTO app_keys (key, app_id, secret) VALUES ('key-9', '8', 's'), ('key-8', '8', 's');",
        )
        .await;
    for app in [apps.by_id("7").await, apps.by_key("key-7").await] {
        assert_eq!(app.unwrap().unwrap().credentials[0].secret.expose(), "fixed-7");
    }
    assert!(apps.by_key("other-7").await.unwrap().is_none());
    assert_eq!(apps.by_key("key-9").await.unwrap().unwrap().id.as_str(), "9");
    let eight = apps.by_id("8").await.unwrap().unwrap();
    assert_eq!(eight.credentials.iter().map(|pair| pair.key.as_str()).collect::<Vec<_>>(), ["key-8"]);
}

async fn a_faulty_row_touches_no_other_app(stage: Stage) {
    let log = Log::record();
    let apps = stage.open(0).await;
    let mut operator = stage.operator().await;
    operator.run(APP_7).await;
    for (row, fault) in [
        (
            r#"UPDATE apps SET settings = '{"max_conections": 5}'"#,
            "settings: unknown field `max_conections`, expected",
        ),
        (
            r#"UPDATE apps SET settings = '{"limits": {"batch": 0}}'"#,
            "settings: batch is 0; it must be from 1 to 10000",
        ),
        (
            r#"UPDATE apps SET settings = '{"force_tls": "yes"}'"#,
            r#"settings: invalid type: string "yes", expected"#,
        ),
        ("UPDATE apps SET settings = '[]'", "settings is not a JSON object"),
    ] {
        operator.run(row).await;
        operator.run("INSERT INTO apps (id) VALUES ('8')").await;
        for found in [apps.by_key("key-7").await, apps.by_id("7").await] {
            let error = found.unwrap_err().to_string();
            assert!(error.starts_with(&format!("app 7 in the database is faulty: {fault}")), "{error}");
        }
        assert!(apps.by_id("8").await.unwrap().is_some());
        assert!(log.text().contains("app is faulty app=\"7\""), "{}", log.text());
        operator.run("DELETE FROM apps WHERE id = '8'").await;
    }
    operator.run("UPDATE apps SET settings = '{}'").await;
    assert!(apps.by_key("key-7").await.unwrap().is_some());
    assert!(*apps.database_answers().borrow());
}

async fn a_database_opened_again_keeps_its_apps(stage: Stage) {
    drop(stage.open(60).await);
    stage.operator().await.run(APP_7).await;
    assert!(stage.open(60).await.by_key("key-7").await.unwrap().is_some());
}

async fn nodes_that_start_together_do_not_disturb_each_other(stage: Stage) {
    let (a, b, c) = tokio::join!(stage.try_open(60), stage.try_open(60), stage.try_open(60));
    for apps in [a, b, c] {
        assert!(apps.unwrap().by_id("7").await.unwrap().is_none());
    }
}

async fn a_database_of_a_newer_version_is_refused(stage: Stage) {
    drop(stage.open(60).await);
    let mut operator = stage.operator().await;
    operator
        .run(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 9000, description, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    let error = stage.try_open(60).await.err().expect("not opened").to_string();
    assert_eq!(
        error,
        "the apps' database belongs to a newer version of Fanfare (it has migration 9000); upgrade this one"
    );
}

#[tokio::test]
async fn without_a_database_only_the_configurations_apps_exist() {
    let apps =
        Apps::open(vec![fixed("3", "key-3", "secret-3")], None, crate::support::kept(Limits::default(), 60))
            .await
            .unwrap();
    assert!(apps.by_id("3").await.unwrap().is_some() && apps.by_key("key-3").await.unwrap().is_some());
    assert!(apps.by_id("4").await.unwrap().is_none() && apps.by_key("key-4").await.unwrap().is_none());
    assert!(*apps.database_answers().borrow());
}

fn fixed(id: &str, key: &str, secret: &str) -> App {
    let pair = Credential { key: AppKey::from(key), secret: Secret::new(secret) };
    AppSettings::default().into_app(AppId::from(id), vec![pair], &Limits::default())
}
