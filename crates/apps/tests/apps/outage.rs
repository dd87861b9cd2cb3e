//! An outage of the database while the server runs: known apps go on, and the server recovers by itself.

use std::future::{Future, poll_fn};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use fanfare_apps::{Apps, AppsError, Database};
use fanfare_protocol::app::Limits;
use tokio::time::timeout;

use crate::support::Stage;
use crate::support::log::Log;
use fanfare_testing::postgres::{PASSWORD, Postgres};

const APP_7: &str = "
    INSERT INTO apps (id) VALUES ('7');
    INSERT INTO app_keys (key, app_id, secret) VALUES ('key-7', '7', 'secret-7');
";

#[tokio::test]
async fn known_apps_go_on_while_postgres_is_dead_and_new_ones_come_with_its_return() {
    let log = Log::record();
    let mut server = Postgres::start();
    let database = Database::parse(&server.url(), Path::new("/nowhere")).unwrap();
    let apps =
        Apps::open(Vec::new(), Some(database), crate::support::kept(Limits::default(), 0)).await.unwrap();
    let apps = crate::support::kept_up(apps);
    let stage = Stage::Postgres(server);
    stage.operator().await.run(APP_7).await;
    stage.operator().await.run("INSERT INTO apps (id) VALUES ('8')").await;
    assert!(apps.by_key("key-7").await.unwrap().is_some());

    let Stage::Postgres(stopped) = stage else { unreachable!("made so above") };
    server = stopped;
    server.kill();
    assert_known_apps_alone_go_on(&apps).await;
    assert!(!*apps.database_answers().borrow());
    assert!(apps.database_away_for().is_some());
    assert_known_apps_alone_go_on(&apps).await;

    server.restart();
    wait_until_healed(&apps).await;
    assert!(apps.by_id("8").await.unwrap().is_some());
    assert!(apps.by_key("unheard-of").await.unwrap().is_none());
    assert!(apps.database_away_for().is_none());
    assert_eq!(log.count("the apps' database does not answer; apps in use go on, others are refused"), 1);
    assert_eq!(log.count("the apps' database answers again"), 1);
    assert!(!log.text().contains(PASSWORD));
}

#[tokio::test]
async fn known_apps_go_on_while_the_tables_cannot_be_read() {
    let log = Log::record();
    let stage = Stage::sqlite();
    let apps = stage.open(0).await;
    let mut operator = stage.operator().await;
    operator.run(APP_7).await;
    assert!(apps.by_key("key-7").await.unwrap().is_some());
    for outage in 1..=2 {
        operator.run("ALTER TABLE apps RENAME TO apps_away").await;
        assert_known_apps_alone_go_on(&apps).await;
        assert_known_apps_alone_go_on(&apps).await;
        operator.run("ALTER TABLE apps_away RENAME TO apps").await;
        wait_until_healed(&apps).await;
        assert!(apps.by_key("unheard-of").await.unwrap().is_none());
        assert_eq!(log.count("the apps' database does not answer"), outage);
        assert_eq!(log.count("the apps' database answers again"), outage);
    }
}

#[tokio::test]
async fn a_look_up_waits_two_seconds_for_a_database_that_hangs() {
    let stage = Stage::postgres();
    let apps = stage.open(0).await;
    let mut operator = stage.operator().await;
    operator.run(APP_7).await;
    assert!(apps.by_key("key-7").await.unwrap().is_some());
    operator.run("BEGIN; LOCK TABLE apps IN ACCESS EXCLUSIVE MODE").await;
    let begun = Instant::now();
    let (known, unknown) = tokio::join!(apps.by_key("key-7"), apps.by_key("unheard-of"));
    let waited = begun.elapsed();
    assert!(known.unwrap().is_some());
    assert!(matches!(unknown, Err(AppsError::Unavailable)));
    assert!((1_700..3_000).contains(&waited.as_millis()), "{waited:?}");
    let begun = Instant::now();
    assert!(apps.by_key("key-7").await.unwrap().is_some());
    assert!(matches!(apps.by_key("unheard-of").await, Err(AppsError::Unavailable)));
    assert!(begun.elapsed().as_millis() < 500, "nobody waits for a database that is known to hang");
    operator.run("COMMIT").await;
    wait_until_healed(&apps).await;
    assert!(apps.by_key("unheard-of").await.unwrap().is_none());
}

#[tokio::test]
async fn look_ups_of_one_key_at_once_share_one_reading() {
    let stage = Stage::postgres();
    let apps = Arc::new(stage.open(0).await);
    let mut operator = stage.operator().await;
    operator.run(APP_7).await;
    operator.run("BEGIN; LOCK TABLE apps IN ACCESS EXCLUSIVE MODE").await;
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let apps = Arc::clone(&apps);
            tokio::spawn(async move { apps.by_key("key-7").await })
        })
        .collect();
    stage.operator().await.wait_for("SELECT count(*) = 1 FROM pg_locks WHERE NOT granted").await;
    operator.run("COMMIT").await;
    let mut found = Vec::new();
    for ask in waiting {
        found.push(ask.await.unwrap().unwrap().unwrap());
    }
    // Separate reads would give separate apps.
    assert!(found.iter().all(|app| Arc::ptr_eq(app, &found[0])));
}

#[tokio::test]
async fn look_ups_beyond_256_are_turned_away_at_once_without_an_outage() {
    let stage = Stage::postgres();
    let apps = Arc::new(stage.open(0).await);
    let mut operator = stage.operator().await;
    operator.run(APP_7).await;
    assert!(apps.by_key("key-7").await.unwrap().is_some());
    operator.run("BEGIN; LOCK TABLE apps IN ACCESS EXCLUSIVE MODE").await;
    let guess = |number| {
        let apps = Arc::clone(&apps);
        Box::pin(async move { apps.by_key(&format!("guess-{number}")).await })
    };
    let mut waiting: Vec<_> = (0..256).map(guess).collect();
    let mut begin =
        |cx: &mut Context<'_>| waiting.iter_mut().all(|guess| guess.as_mut().poll(cx).is_pending());
    assert!(poll_fn(|cx| Poll::Ready(begin(cx))).await);
    let turned_away = timeout(Duration::from_millis(500), apps.by_key("guess-256")).await;
    assert!(matches!(turned_away.expect("no wait"), Err(AppsError::Unavailable)));
    let known = timeout(Duration::from_millis(500), apps.by_key("key-7")).await;
    assert!(known.expect("no wait").unwrap().is_some());
    assert!(*apps.database_answers().borrow());
    operator.run("COMMIT").await;
    for guess in waiting {
        assert!(guess.await.unwrap().is_none());
    }
    assert!(apps.by_key("guess-256").await.unwrap().is_none());
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_stops_the_start_without_showing_its_password() {
    let mut server = Postgres::start();
    let url = server.url();
    let wrong = url.replace(PASSWORD, "wrong-secret");
    for (url, cause) in
        [(&wrong, "password authentication failed for user \"fanfare\""), (&url, "Connection refused")]
    {
        let database = Database::parse(url, Path::new("/nowhere")).unwrap();
        let begun = Instant::now();
        let error =
            Apps::open(Vec::new(), Some(database), crate::support::kept(Limits::default(), 60)).await.err();
        let shown = error.map(|error| format!("{error} {error:?}")).expect("not opened");
        assert!(begun.elapsed() < Duration::from_secs(4));
        let address = url.rsplit(['@', '/']).nth(1).expect("an address");
        let start = format!("the Postgres database postgres at {address} cannot be opened: ");
        assert!(shown.starts_with(&start), "{shown}");
        assert!(!shown.split("Postgres {").next().is_some_and(|text| text.contains(" at line ")), "{shown}");
        assert!(shown.contains(cause), "{shown}");
        assert!(!shown.contains(PASSWORD) && !shown.contains("wrong-secret"), "{shown}");
        server.kill();
    }
}

async fn assert_known_apps_alone_go_on(apps: &Apps) {
    assert!(apps.by_key("key-7").await.unwrap().is_some());
    assert!(apps.by_id("7").await.unwrap().is_some());
    for unknown in [apps.by_key("unheard-of").await, apps.by_id("8").await] {
        assert!(matches!(unknown, Err(AppsError::Unavailable)), "{unknown:?}");
    }
    for illegal in ["a:b", "é", &"a".repeat(129)] {
        assert!(apps.by_key(illegal).await.unwrap().is_none());
    }
    assert!(apps.by_id("no id").await.unwrap().is_none());
}

async fn wait_until_healed(apps: &Apps) {
    let mut answers = apps.database_answers();
    let healed = timeout(Duration::from_secs(30), answers.wait_for(|answers| *answers)).await;
    assert!(healed.expect("healed in time").is_ok());
}
