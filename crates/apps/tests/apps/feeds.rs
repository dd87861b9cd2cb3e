//! Apps with broadcasts from a Redis: reported without a look-up, and the Redis' URL stored as a secret.

use std::sync::Arc;
use std::time::Duration;

use fanfare_apps::{AppChange, AppRecord, Apps, MasterKeys, NewApp, OperationError, Storage, Update};
use fanfare_protocol::app::{App, Limits};
use serde_json::json;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::timeout;

use crate::support::Stage;

on_both!(
    every_app_with_a_feed_is_told_of_at_first_and_no_other_is,
    an_app_that_gets_a_feed_is_told_of_also_if_nobody_has_asked_for_it,
    an_app_that_was_looked_up_before_it_was_told_of_is_told_of_all_the_same,
    what_a_feed_may_not_be_is_refused,
    a_url_is_sealed_where_there_is_a_master_key_and_a_new_one_takes_over,
    a_url_that_cannot_be_opened_makes_its_app_faulty,
    thousands_of_feeds_are_found,
);

const URL: &str = "redis://:hush-hush@redis.example:6379";

fn new(id: &str, settings: &serde_json::Value) -> NewApp {
    NewApp {
        id: Some(id.to_owned()),
        key: Some(format!("key-{id}")),
        settings: settings.as_object().unwrap().clone(),
        ..NewApp::default()
    }
}

fn feed() -> serde_json::Value {
    json!({"redis_feed": {"url": URL, "prefix": "a_"}})
}

fn url_of(app: &App) -> Option<&str> {
    app.redis_feed.url.as_ref().map(|url| url.expose())
}

fn follow(apps: &Arc<Apps>) -> Receiver<AppChange> {
    let (tell, told) = mpsc::channel(10_000);
    let apps = Arc::clone(apps);
    tokio::spawn(async move { apps.follow(|change| tell.try_send(change).unwrap()).await });
    told
}

/// The next reported app, changed or not.
async fn next(told: &mut Receiver<AppChange>) -> Arc<App> {
    match timeout(Duration::from_secs(20), told.recv()).await.expect("told in time").unwrap() {
        AppChange::Now(app) | AppChange::Same(app) => app,
        AppChange::Gone(app) => panic!("{} is gone", app.id),
    }
}

async fn every_app_with_a_feed_is_told_of_at_first_and_no_other_is(stage: Stage) {
    let apps = Arc::new(stage.open(60).await);
    let prefix = json!({"redis_feed": {"prefix": ""}});
    for (id, settings) in [("3", feed()), ("7", json!({"client_events": true})), ("20", prefix)] {
        apps.create(new(id, &settings)).await.unwrap();
    }
    let mut told = follow(&apps);
    let first = next(&mut told).await;
    assert_eq!((first.id.as_str(), url_of(&first)), ("20", None));
    assert_eq!(first.redis_feed.prefix.as_deref(), Some(""));
    let second = next(&mut told).await;
    assert_eq!((second.id.as_str(), url_of(&second)), ("3", Some(URL)));
    // If every app were reported, the other app would be reported before this one.
    stage.open(60).await.create(new("8", &feed())).await.unwrap();
    loop {
        let app = next(&mut told).await;
        assert_ne!(app.id.as_str(), "7", "nobody has asked for it");
        if app.id.as_str() == "8" {
            break;
        }
    }
}

async fn an_app_that_gets_a_feed_is_told_of_also_if_nobody_has_asked_for_it(stage: Stage) {
    let apps = Arc::new(stage.open(60).await);
    apps.create(new("3", &json!({}))).await.unwrap();
    let mut told = follow(&apps);
    let elsewhere = stage.open(60).await;
    let update = Update { settings: feed().as_object().unwrap().clone(), ..Update::default() };
    elsewhere.update("3", &update).await.unwrap();
    while url_of(&*next(&mut told).await) != Some(URL) {}
}

async fn an_app_that_was_looked_up_before_it_was_told_of_is_told_of_all_the_same(stage: Stage) {
    let apps = Arc::new(stage.open(60).await);
    apps.create(new("3", &feed())).await.unwrap();
    assert!(apps.by_key("key-3").await.unwrap().is_some());
    let mut told = follow(&apps);
    assert_eq!(url_of(&*next(&mut told).await), Some(URL));
}

async fn what_a_feed_may_not_be_is_refused(stage: Stage) {
    let apps = stage.open(60).await;
    let faults = async |settings| match apps.create(new("3", &settings)).await {
        Err(OperationError::Faults(faults)) => faults.join("\n"),
        Ok(_) => panic!("{settings} is no fault"),
        Err(other) => panic!("{other}"),
    };
    let url_alone = faults(json!({"redis_feed": {"url": URL}})).await;
    assert!(url_alone.starts_with("redis_feed.url is set without redis_feed.prefix"), "{url_alone}");
    for prefix in ["x".repeat(201), "a\n".to_owned()] {
        let fault = faults(json!({"redis_feed": {"prefix": prefix}})).await;
        assert!(fault.starts_with("redis_feed.prefix is longer than 200 bytes, or"), "{fault}");
    }
    let unknown = faults(json!({"redis_feed": {"prefx": "a_"}})).await;
    assert_eq!(unknown, "unknown setting redis_feed.prefx; did you mean redis_feed.prefix?");
    let kind = faults(json!({"redis_feed": {"prefix": 7}})).await;
    assert!(kind.starts_with("redis_feed.prefix: invalid type: integer `7`"), "{kind}");
}

fn keys(digits: &[&str]) -> Storage {
    let lines: Vec<String> = digits.iter().map(|digit| digit.repeat(64)).collect();
    Storage {
        defaults: Limits::default(),
        cache_seconds: 60,
        keys: MasterKeys::parse(&lines.join("\n")).unwrap(),
        takes_foreign: true,
        creates: true,
    }
}

async fn open(stage: &Stage, kept: Storage) -> Apps {
    Apps::open(Vec::new(), Some(stage.database()), kept).await.unwrap()
}

async fn stored(stage: &Stage) -> Vec<String> {
    stage.operator().await.texts("SELECT CAST(settings AS TEXT) FROM apps ORDER BY id").await
}

async fn a_url_is_sealed_where_there_is_a_master_key_and_a_new_one_takes_over(stage: Stage) {
    let sealing = open(&stage, keys(&["a"])).await;
    let (record, _) = sealing.create(new("2", &feed())).await.unwrap();
    stage.open(60).await.create(new("1", &feed())).await.unwrap();
    let before = stored(&stage).await;
    assert!(before[0].contains("hush-hush") && !before[1].contains("hush-hush"), "{before:?}");
    assert!(before[1].contains("sealed:1:"), "{before:?}");
    for id in ["1", "2"] {
        assert_eq!(url_of(&sealing.by_id(id).await.unwrap().unwrap()), Some(URL), "{id}");
    }
    let is_whole = |record: &AppRecord| {
        record.redis_url.as_ref().is_some_and(|url| url.expose() == URL)
            && !format!("{record:?}").contains("hush")
            && !format!("{record:?}").contains("sealed")
    };
    assert!(is_whole(&record));
    // A change of another setting touches the URL as little as a read.
    let settings = json!({"client_events": true, "redis_feed": {"prefix": "b_"}});
    let update = Update { settings: settings.as_object().unwrap().clone(), ..Update::default() };
    assert!(is_whole(&sealing.update("2", &update).await.unwrap().after));

    let rotating = open(&stage, keys(&["b", "a"])).await;
    let found = rotating.to_seal().await.unwrap();
    assert_eq!(found.len(), 4, "two secrets and two URLs");
    rotating.seal(&found).await.unwrap();
    assert!(rotating.to_seal().await.unwrap().is_empty());
    assert!(!stored(&stage).await.concat().contains("hush-hush"));
    let after = open(&stage, keys(&["b"])).await;
    for (id, prefix) in [("1", "a_"), ("2", "b_")] {
        let app = after.by_id(id).await.unwrap().unwrap();
        assert_eq!((url_of(&app), app.redis_feed.prefix.as_deref()), (Some(URL), Some(prefix)));
    }
}

async fn a_url_that_cannot_be_opened_makes_its_app_faulty(stage: Stage) {
    open(&stage, keys(&["a"])).await.create(new("1", &feed())).await.unwrap();
    let unable = stage.open(60).await;
    let refused = unable.by_id("1").await.unwrap_err().to_string();
    assert!(refused.contains("which is not configured (apps.master_key_file)"), "{refused}");
    assert!(unable.show("1").await.unwrap().redis_url.is_none());
    assert!(matches!(unable.to_seal().await, Err(OperationError::NoMasterKey)));
    let other = open(&stage, keys(&["b"])).await;
    assert!(matches!(other.to_seal().await, Err(OperationError::Faults(_))));
}

async fn thousands_of_feeds_are_found(stage: Stage) {
    let apps = Arc::new(stage.open(60).await);
    let mut operator = stage.operator().await;
    operator
        .run(
            r#"INSERT INTO apps (id, settings) WITH RECURSIVE numbers (n) AS
               (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500)
               SELECT CAST(n AS TEXT), '{"redis_feed": {"prefix": "a_"}}' FROM numbers"#,
        )
        .await;
    let mut told = follow(&apps);
    let mut ids = std::collections::BTreeSet::new();
    while ids.len() < 2500 {
        ids.insert(next(&mut told).await.id.clone());
    }
}
