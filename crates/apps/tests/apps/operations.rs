//! Operators' changes of apps: one suite, run against SQLite and against Postgres.

use std::sync::Arc;

use fanfare_apps::{AppSettings, Apps, AppsWanted, MasterKeys, NewApp, OperationError, Storage, Update};
use fanfare_protocol::app::Limits;
use fanfare_protocol::auth::{Credential, Secret};
use fanfare_protocol::ids::{AppId, AppKey};
use serde_json::{Map, Value, json};

use crate::support::Stage;

on_both!(
    a_new_app_can_be_used_at_once,
    what_is_not_given_is_made_up,
    every_fault_of_a_new_app_is_told_at_once_and_nothing_is_made,
    an_update_changes_what_it_names_and_nothing_else,
    of_updates_at_once_none_is_lost,
    a_key_is_replaced_without_a_gap,
    the_last_valid_key_cannot_be_revoked,
    of_two_keys_that_are_revoked_at_once_one_stays,
    a_deleted_app_is_gone_with_its_keys,
    the_configurations_apps_are_shown_and_not_changed,
    secrets_are_sealed_where_there_is_a_master_key_and_a_new_one_takes_over,
    a_master_key_that_nothing_is_sealed_with_yet_is_told_from_one_that_is_in_use,
    a_secret_that_stands_in_the_examples_is_refused,
    what_is_not_sql_is_not_run,
);

fn object(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap()
}

fn new(id: &str, key: &str) -> NewApp {
    NewApp {
        id: Some(id.to_owned()),
        key: Some(key.to_owned()),
        secret: Some(format!("secret-of-{key}")),
        ..NewApp::default()
    }
}

fn faults(error: OperationError) -> Vec<String> {
    match error {
        OperationError::Faults(faults) | OperationError::Taken(faults) => faults,
        other => panic!("{other}"),
    }
}

async fn ids(apps: &Apps, after: Option<&str>, most: usize) -> Vec<String> {
    apps.list(AppsWanted { prefix: "", after, most })
        .await
        .unwrap()
        .apps
        .into_iter()
        .map(|record| record.id)
        .collect()
}

async fn a_new_app_can_be_used_at_once(stage: Stage) {
    let apps = stage.open(60).await;
    assert!(apps.by_key("key-7").await.unwrap().is_none());
    let settings = object(r#"{"client_events":true,"limits":{"batch":3}}"#);
    let (record, pair) =
        apps.create(NewApp { name: "shop".to_owned(), settings, ..new("7", "key-7") }).await.unwrap();
    assert_eq!((&*record.id, &*record.name, record.enabled, record.fixed), ("7", "shop", true, false));
    assert_eq!((&*pair.key, pair.secret.expose()), ("key-7", "secret-of-key-7"));
    assert!(record.created_at.unwrap() > 1_700_000_000_000);
    let app = stage.open(60).await.by_key("key-7").await.unwrap().unwrap();
    assert!(app.client_events && app.limits.batch == 3);
    assert_eq!(app.credentials[0].secret.expose(), "secret-of-key-7");
}

async fn what_is_not_given_is_made_up(stage: Stage) {
    let apps = stage.open(60).await;
    let (first, one) = apps.create(NewApp::default()).await.unwrap();
    let (second, two) = apps.create(NewApp::default()).await.unwrap();
    assert!(first.id.len() == 7 && first.id != second.id);
    assert!(one.key.len() == 20 && one.secret.expose().len() == 40 && one.key != two.key);
    assert_eq!(first.settings, Map::new());
}

async fn every_fault_of_a_new_app_is_told_at_once_and_nothing_is_made(stage: Stage) {
    let apps = stage.open(60).await;
    apps.create(new("7", "key-7")).await.unwrap();
    let wrong = NewApp {
        name: "a\nb".to_owned(),
        secret: Some("not a secret".to_owned()),
        settings: object(r#"{"max_conections":1,"limits":{"batch":0}}"#),
        ..new("7", "key-7")
    };
    assert_eq!(
        faults(apps.create(wrong).await.err().unwrap()),
        [
            "name is longer than 200 characters, or holds control characters",
            "id 7 is taken",
            "key key-7 belongs to app 7, or did",
            "secret is not made of 1 to 128 of the characters A-Z a-z 0-9 _ -",
            "unknown setting max_conections; did you mean max_connections?",
            "batch is 0; it must be from 1 to 10000",
        ]
    );
    let illegal = faults(apps.create(new("no id", "a:b")).await.err().unwrap());
    assert_eq!(illegal.len(), 3, "{illegal:?}");
    assert_eq!(ids(&apps, None, 10).await, ["7"]);
}

async fn an_update_changes_what_it_names_and_nothing_else(stage: Stage) {
    let apps = stage.open(60).await;
    let settings = object(r#"{"max_connections":5,"client_events":true}"#);
    apps.create(NewApp { name: "shop".to_owned(), settings, ..new("7", "key-7") }).await.unwrap();
    let update =
        Update { settings: object(r#"{"max_connections":null,"limits":{"batch":3}}"#), ..Update::default() };
    let changed = apps.update("7", &update).await.unwrap();
    assert_eq!(changed.before.settings, object(r#"{"client_events":true,"max_connections":5}"#));
    let after = changed.after;
    assert_eq!(after.settings, object(r#"{"client_events":true,"limits":{"batch":3}}"#));
    assert_eq!((&*after.name, after.enabled), ("shop", true));
    let off = apps.update("7", &Update { enabled: Some(false), ..Update::default() }).await.unwrap().after;
    assert!(!off.enabled && off.settings == after.settings);
    let named = apps
        .update("7", &Update { name: Some("store".to_owned()), ..Update::default() })
        .await
        .unwrap()
        .after;
    assert!(!named.enabled && named.name == "store");
    let on = Update { settings: object(r#"{"enabled":true}"#), ..Update::default() };
    assert!(apps.update("7", &on).await.unwrap().after.enabled);
    let wrong = Update { settings: object(r#"{"zzz":1,"batch":2}"#), ..Update::default() };
    assert_eq!(faults(apps.update("7", &wrong).await.unwrap_err()).len(), 2);
    assert!(matches!(apps.update("8", &on).await, Err(OperationError::NoSuchApp(id)) if id == "8"));
}

async fn of_updates_at_once_none_is_lost(stage: Stage) {
    let apps = Arc::new(stage.open(60).await);
    apps.create(new("7", "key-7")).await.unwrap();
    let settings = ["force_tls", "client_events", "subscription_counts", "watchlist_events"];
    let updates = settings.map(|name| {
        let apps = Arc::clone(&apps);
        let settings = object(&format!(r#"{{"{name}":true}}"#));
        tokio::spawn(async move { apps.update("7", &Update { settings, ..Update::default() }).await })
    });
    for update in updates {
        update.await.unwrap().unwrap();
    }
    let after = apps.show("7").await.unwrap().settings;
    assert_eq!(after.len(), settings.len(), "{after:?}");
}

async fn a_key_is_replaced_without_a_gap(stage: Stage) {
    let apps = stage.open(0).await;
    apps.create(new("7", "key-7")).await.unwrap();
    let pair = apps.rotate_key("7").await.unwrap();
    let both = stage.open(60).await.by_id("7").await.unwrap().unwrap();
    let keys: Vec<&str> = both.credentials.iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!(keys, ["key-7", &pair.key], "the oldest first");
    apps.revoke_key("7", "key-7").await.unwrap();
    let reopened = stage.open(60).await;
    assert!(reopened.by_key("key-7").await.unwrap().is_none());
    let app = reopened.by_key(&pair.key).await.unwrap().unwrap();
    assert_eq!(app.credentials[0].secret.expose(), pair.secret.expose());
    let keys = apps.show("7").await.unwrap().keys;
    assert!(keys[0].revoked_at.is_some() && keys[1].revoked_at.is_none());
    let again = apps.create(new("8", "key-7")).await.err().unwrap();
    assert_eq!(faults(again), ["key key-7 belongs to app 7, or did"]);
}

async fn the_last_valid_key_cannot_be_revoked(stage: Stage) {
    let apps = stage.open(60).await;
    apps.create(new("7", "key-7")).await.unwrap();
    let refused = apps.revoke_key("7", "key-7").await.unwrap_err().to_string();
    assert_eq!(refused, "key-7 is the app's last valid key; rotate first, or disable the app");
    let unknown = apps.revoke_key("7", "key-8").await.unwrap_err().to_string();
    assert_eq!(unknown, "app 7 has no valid key key-8");
    assert!(matches!(apps.revoke_key("8", "key-7").await, Err(OperationError::NoSuchApp(_))));
    assert!(matches!(apps.rotate_key("8").await, Err(OperationError::NoSuchApp(_))));
}

async fn of_two_keys_that_are_revoked_at_once_one_stays(stage: Stage) {
    let apps = Arc::new(stage.open(60).await);
    for id in ["7", "8", "9"] {
        apps.create(new(id, &format!("key-{id}"))).await.unwrap();
        let other = apps.rotate_key(id).await.unwrap().key;
        let revoking = [format!("key-{id}"), other].map(|key| {
            let apps = Arc::clone(&apps);
            tokio::spawn(async move { apps.revoke_key(id, &key).await })
        });
        let mut done = 0;
        for one in revoking {
            match one.await.unwrap() {
                Ok(()) => done += 1,
                Err(refused) => assert!(matches!(refused, OperationError::LastKey(_)), "{refused}"),
            }
        }
        assert_eq!(done, 1);
    }
}

async fn a_deleted_app_is_gone_with_its_keys(stage: Stage) {
    let apps = stage.open(60).await;
    apps.create(new("7", "key-7")).await.unwrap();
    apps.delete("7").await.unwrap();
    assert!(matches!(apps.delete("7").await, Err(OperationError::NoSuchApp(_))));
    assert!(matches!(apps.show("7").await, Err(OperationError::NoSuchApp(_))));
    apps.create(new("7", "key-7")).await.unwrap();
}

async fn the_configurations_apps_are_shown_and_not_changed(stage: Stage) {
    let pair = Credential { key: AppKey::from("key-3"), secret: Secret::new("hush") };
    let fixed = AppSettings::default().into_app(AppId::from("3"), vec![pair], &Limits::default());
    let kept = crate::support::kept(Limits::default(), 60);
    let apps = Apps::open(vec![fixed], Some(stage.database()), kept).await.unwrap();
    apps.create(new("2", "key-2")).await.unwrap();
    assert_eq!(ids(&apps, None, 10).await, ["3", "2"], "the configuration's first");
    assert!(apps.show("3").await.unwrap().fixed);
    let taken = faults(apps.create(new("3", "key-3")).await.err().unwrap());
    assert_eq!(
        taken,
        ["id 3 belongs to an app of the configuration", "key key-3 belongs to an app of the configuration"]
    );
    for refused in [
        apps.update("3", &Update::default()).await.map(drop),
        apps.delete("3").await,
        apps.revoke_key("3", "key-3").await,
        apps.rotate_key("3").await.map(drop),
    ] {
        assert!(matches!(refused, Err(OperationError::Fixed(_))));
    }
}

async fn secrets_are_sealed_where_there_is_a_master_key_and_a_new_one_takes_over(stage: Stage) {
    let keys = |digits: &[&str]| {
        let lines: Vec<String> = digits.iter().map(|digit| digit.repeat(64)).collect();
        Storage {
            defaults: Limits::default(),
            cache_seconds: 60,
            keys: MasterKeys::parse(&lines.join("\n")).unwrap(),
            takes_foreign: true,
            creates: true,
        }
    };
    let open = async |kept: Storage| Apps::open(Vec::new(), Some(stage.database()), kept).await.unwrap();
    let sealing = open(keys(&["a"])).await;
    sealing.create(new("8", "sealed")).await.unwrap();
    stage.open(60).await.create(new("7", "plain")).await.unwrap();
    let mut operator = stage.operator().await;
    let stored = operator.texts("SELECT secret FROM app_keys ORDER BY key").await;
    assert!(stored[0] == "secret-of-plain" && stored[1].starts_with("sealed:1:"), "{stored:?}");

    let secret = async |apps: &Apps, key: &str| {
        let app = apps.by_key(key).await.unwrap().unwrap();
        app.credentials[0].secret.expose().to_owned()
    };
    assert_eq!(secret(&sealing, "sealed").await, "secret-of-sealed");
    let unable = stage.open(60).await;
    let refused = unable.by_key("sealed").await.unwrap_err().to_string();
    assert!(refused.contains("which is not configured (apps.master_key_file)"), "{refused}");
    assert!(unable.by_key("plain").await.unwrap().is_some());

    let rotating = open(keys(&["b", "a"])).await;
    let found = rotating.to_seal().await.unwrap();
    assert_eq!(found.len(), 2, "the plain one as well");
    rotating.seal(&found).await.unwrap();
    assert!(rotating.to_seal().await.unwrap().is_empty());
    let after = open(keys(&["b"])).await;
    for key in ["plain", "sealed"] {
        assert_eq!(secret(&after, key).await, format!("secret-of-{key}"));
    }
    let old = open(keys(&["a"])).await;
    assert!(old.by_key("plain").await.is_err());
}

async fn a_master_key_that_nothing_is_sealed_with_yet_is_told_from_one_that_is_in_use(stage: Stage) {
    let with = async |digit: &str| {
        let keys = MasterKeys::parse(&digit.repeat(64)).unwrap();
        let kept = Storage { keys, ..crate::support::kept(Limits::default(), 60) };
        Apps::open(Vec::new(), Some(stage.database()), kept).await.unwrap()
    };
    let sealing = with("a").await;
    sealing.create(new("6", "first")).await.expect("there is no secret yet that a server could lack");
    sealing.create(new("7", "second")).await.expect("the key is in use");
    let with_url = |url: &str| Update {
        settings: json!({"redis_feed": {"url": url, "prefix": "a_"}}).as_object().unwrap().clone(),
        ..Update::default()
    };
    let other = with("b").await;
    let refused = other.create(new("8", "third")).await.err().expect("the key is new");
    assert!(refused.to_string().contains("fanfare app seal-secrets"), "{refused}");
    assert!(matches!(other.rotate_key("7").await, Err(OperationError::NewMasterKey(_))));
    let update = other.update("7", &with_url("redis://localhost")).await;
    assert!(matches!(update, Err(OperationError::NewMasterKey(_))));
    let keys = MasterKeys::parse(&format!("{}\n{}", "b".repeat(64), "a".repeat(64))).unwrap();
    let kept = Storage { keys, ..crate::support::kept(Limits::default(), 60) };
    let rotating = Apps::open(Vec::new(), Some(stage.database()), kept).await.unwrap();
    assert!(matches!(rotating.rotate_key("7").await, Err(OperationError::NewMasterKey(_))));
    rotating.seal(&rotating.to_seal().await.unwrap()).await.unwrap();
    rotating.rotate_key("7").await.expect("some secret is sealed with this key");
    rotating.update("7", &with_url("redis://localhost")).await.expect("for a URL as well");
}

async fn a_secret_that_stands_in_the_examples_is_refused(stage: Stage) {
    let apps = stage.open(60).await;
    let refused = apps.create(NewApp { secret: Some("my-secret".to_owned()), ..new("7", "key-7") }).await;
    let faults = faults(refused.err().expect("refused"));
    assert!(faults[0].starts_with("secret is the one of an example, which everybody knows"), "{faults:?}");
    apps.create(new("8", "key-8")).await.unwrap();
    stage.operator().await.run("UPDATE app_keys SET secret = 'my-secret'").await;
    let refused = stage.open(60).await.by_key("key-8").await.unwrap_err().to_string();
    assert!(refused.contains("secret is the one of an example"), "{refused}");
}

async fn what_is_not_sql_is_not_run(stage: Stage) {
    let apps = stage.open(60).await;
    let name = "'); DROP TABLE apps; --".to_owned();
    let (record, _) = apps.create(NewApp { name: name.clone(), ..new("7", "key-7") }).await.unwrap();
    assert_eq!(record.name, name);
    assert!(matches!(apps.show("7' OR '1'='1").await, Err(OperationError::NoSuchApp(_))));
    assert!(matches!(apps.delete("7' OR '1'='1").await, Err(OperationError::NoSuchApp(_))));
    assert_eq!(ids(&apps, None, 10).await, ["7"]);
}
