//! Changes of the database by others: reported within a moment, and answered from then on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fanfare_apps::{AppChange, Apps, AppsError, Database};
use fanfare_protocol::app::{App, Limits};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::timeout;

use crate::support::Stage;
use fanfare_testing::postgres::Postgres;

on_both!(
    a_change_of_a_known_app_is_told_and_answered,
    a_new_app_is_told_also_if_its_key_was_asked_for_before,
    a_key_that_is_revoked_is_of_no_app_any_more,
    an_app_that_is_deleted_is_told_to_be_gone,
    a_row_that_becomes_faulty_is_refused_and_nothing_is_told,
    rows_that_change_without_effect_are_not_told,
    a_change_is_told_while_others_are_read_anew_all_the_time,
);

const APP_7: &str = "
    INSERT INTO apps (id) VALUES ('7');
    INSERT INTO app_keys (key, app_id, secret) VALUES ('key-7', '7', 'secret-7');
";

/// Followed apps, and their reported changes.
struct Followed {
    apps: Arc<Apps>,
    told: Receiver<AppChange>,
}

impl Followed {
    async fn open(stage: &Stage) -> Self {
        Self::begin(stage.open(60).await)
    }

    fn begin(apps: Apps) -> Self {
        let apps = Arc::new(apps);
        let (tell, told) = mpsc::channel(100);
        let follower = Arc::clone(&apps);
        tokio::spawn(async move {
            let mut tell_news = |change| match change {
                AppChange::Same(_) => {}
                news => tell.try_send(news).unwrap(),
            };
            follower.follow(&mut tell_news).await;
        });
        Self { apps, told }
    }

    async fn next(&mut self) -> AppChange {
        timeout(Duration::from_secs(20), self.told.recv()).await.expect("told in time").unwrap()
    }

    /// The app's next reported state.
    async fn now(&mut self) -> Arc<App> {
        match self.next().await {
            AppChange::Now(app) => app,
            AppChange::Gone(app) => panic!("{} is gone", app.id),
            AppChange::Same(_) => panic!("what is no news is left out"),
        }
    }

    /// Adds an app with a key, and waits until the app is known.
    async fn with_app_7(stage: &Stage) -> Self {
        let mut followed = Self::open(stage).await;
        stage.operator().await.run(APP_7).await;
        while followed.apps.by_key("key-7").await.unwrap().is_none() {
            followed.next().await;
        }
        // The two statements may have been reported as one change or as two; this change comes after both.
        stage.operator().await.run(r#"UPDATE apps SET settings = '{"limits": {"batch": 3}}'"#).await;
        while followed.now().await.limits.batch != 3 {}
        followed
    }
}

async fn a_change_of_a_known_app_is_told_and_answered(stage: Stage) {
    let mut followed = Followed::with_app_7(&stage).await;
    assert!(followed.apps.by_key("key-7").await.unwrap().unwrap().enabled);
    stage.operator().await.run("UPDATE apps SET enabled = NOT enabled").await;
    let now = followed.now().await;
    assert!(now.id.as_str() == "7" && !now.enabled);
    for found in [followed.apps.by_key("key-7").await, followed.apps.by_id("7").await] {
        assert!(Arc::ptr_eq(&found.unwrap().unwrap(), &now));
    }
}

async fn a_new_app_is_told_also_if_its_key_was_asked_for_before(stage: Stage) {
    let mut followed = Followed::open(&stage).await;
    assert!(followed.apps.by_key("key-7").await.unwrap().is_none());
    assert!(followed.apps.by_id("7").await.unwrap().is_none());
    stage.operator().await.run(APP_7).await;
    // SQLite does not name the app; no change is reported of an app that is not in use.
    if matches!(stage, Stage::Postgres(_)) {
        // A change before listening has begun is reported to nobody, so the app is changed until a report comes.
        let told = async {
            loop {
                match timeout(Duration::from_millis(500), followed.told.recv()).await {
                    Ok(Some(AppChange::Now(app))) if !app.credentials.is_empty() => break,
                    _ => stage.operator().await.run("UPDATE apps SET name = name || '.'").await,
                }
            }
        };
        timeout(Duration::from_secs(20), told).await.expect("told in time");
    }
    let known = async {
        while followed.apps.by_key("key-7").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(4), known).await.expect("before a miss would be forgotten");
}

async fn a_key_that_is_revoked_is_of_no_app_any_more(stage: Stage) {
    let mut followed = Followed::with_app_7(&stage).await;
    let mut operator = stage.operator().await;
    operator.run("INSERT INTO app_keys (key, app_id, secret) VALUES ('key-8', '7', 'secret-8')").await;
    assert_eq!(followed.now().await.credentials.len(), 2);
    assert!(followed.apps.by_key("key-8").await.unwrap().is_some());
    operator.run("UPDATE app_keys SET revoked_at = created_at WHERE key = 'key-7'").await;
    let now = followed.now().await;
    let keys: Vec<&str> = now.credentials.iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!(keys, ["key-8"]);
    assert!(followed.apps.by_key("key-7").await.unwrap().is_none());
}

async fn an_app_that_is_deleted_is_told_to_be_gone(stage: Stage) {
    let mut followed = Followed::with_app_7(&stage).await;
    stage.operator().await.run("DELETE FROM apps").await;
    let AppChange::Gone(app) = followed.next().await else { panic!("it is still there") };
    assert_eq!((app.id.as_str(), app.credentials[0].key.as_str()), ("7", "key-7"));
    assert!(followed.apps.by_id("7").await.unwrap().is_none());
    assert!(followed.apps.by_key("key-7").await.unwrap().is_none());
}

async fn a_row_that_becomes_faulty_is_refused_and_nothing_is_told(stage: Stage) {
    let mut followed = Followed::with_app_7(&stage).await;
    let mut operator = stage.operator().await;
    operator.run(r#"UPDATE apps SET settings = '{"max_conections": 5}'"#).await;
    let refused = async {
        while followed.apps.by_key("key-7").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), refused).await.expect("refused in time");
    assert!(matches!(followed.apps.by_id("7").await, Err(AppsError::Faulty { .. })));
    assert!(followed.told.try_recv().is_err());
    operator.run(r#"UPDATE apps SET settings = '{"max_connections": 5}'"#).await;
    if matches!(stage, Stage::Postgres(_)) {
        assert_eq!(followed.now().await.max_connections, Some(5));
    }
}

async fn rows_that_change_without_effect_are_not_told(stage: Stage) {
    let mut followed = Followed::with_app_7(&stage).await;
    let mut operator = stage.operator().await;
    operator.run("UPDATE apps SET name = 'seven'").await;
    operator.run("UPDATE apps SET enabled = NOT enabled").await;
    assert!(!followed.now().await.enabled, "the first that is told");
    assert!(followed.told.try_recv().is_err());
}

async fn a_change_is_told_while_others_are_read_anew_all_the_time(stage: Stage) {
    let mut followed = Followed::begin(stage.open(0).await);
    stage.operator().await.run(APP_7).await;
    stage.operator().await.run("INSERT INTO apps (id) VALUES ('8')").await;
    while followed.apps.by_id("8").await.unwrap().is_none()
        || followed.apps.by_key("key-7").await.unwrap().is_none()
    {
        tokio::task::yield_now().await;
    }
    // Every look-up of the app asks for another read, as those of a thousand apps in use do together.
    let apps = Arc::clone(&followed.apps);
    let busy = tokio::spawn(async move {
        loop {
            assert!(apps.by_id("8").await.unwrap().is_some());
            tokio::task::yield_now().await;
        }
    });
    stage.operator().await.run("UPDATE apps SET enabled = NOT enabled WHERE id = '7'").await;
    while followed.now().await.enabled {}
    busy.abort();
}

/// Changes by a session without triggers, which no listener is notified of.
const UNHEARD: &str = "
    SET session_replication_role = replica;
    UPDATE apps SET enabled = NOT enabled;
    SET session_replication_role = DEFAULT;
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%';
";

#[tokio::test]
async fn what_changes_while_nobody_listens_is_told_when_listening_begins_anew() {
    let stage = Stage::postgres();
    let mut followed = Followed::with_app_7(&stage).await;
    stage.operator().await.run(UNHEARD).await;
    assert!(!followed.now().await.enabled);
}

#[tokio::test]
async fn changes_are_told_again_after_postgres_was_dead() {
    let mut server = Postgres::start();
    let database = Database::parse(&server.url(), Path::new("/nowhere")).unwrap();
    let apps = crate::support::kept_up(
        Apps::open(Vec::new(), Some(database), crate::support::kept(Limits::default(), 60)).await.unwrap(),
    );
    let mut stage = Stage::Postgres(server);
    stage.operator().await.run(APP_7).await;
    assert!(apps.by_key("key-7").await.unwrap().is_some());
    let mut followed = Followed::begin(apps);
    for enabled in [false, true] {
        let Stage::Postgres(stopped) = stage else { unreachable!("made so above") };
        server = stopped;
        server.kill();
        assert!(followed.apps.by_key("key-7").await.unwrap().is_some(), "known apps go on");
        server.restart();
        stage = Stage::Postgres(server);
        stage.operator().await.run("UPDATE apps SET enabled = NOT enabled").await;
        assert_eq!(followed.now().await.enabled, enabled);
    }
}

#[tokio::test]
async fn an_app_that_grows_old_is_read_anew_and_answers_meanwhile() {
    let stage = Stage::postgres();
    let mut followed = Followed::begin(stage.open(0).await);
    stage.operator().await.run(APP_7).await;
    stage.operator().await.run(r#"UPDATE apps SET settings = '{"limits": {"batch": 3}}'"#).await;
    while followed.now().await.limits.batch != 3 {}
    // No listener is notified, and the listener stays.
    stage
        .operator()
        .await
        .run("SET session_replication_role = replica; UPDATE apps SET enabled = NOT enabled")
        .await;
    assert!(
        followed.apps.by_key("key-7").await.unwrap().unwrap().enabled,
        "what is known is answered at once"
    );
    while followed.now().await.enabled {}
    assert!(!followed.apps.by_key("key-7").await.unwrap().unwrap().enabled);
}
