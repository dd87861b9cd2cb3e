//! The first app, created in a new SQLite database and stored.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use fanfare_apps::{Apps, AppsError, Database, FirstApp, NewApp, Storage};
use fanfare_protocol::app::Limits;
use fanfare_protocol::ids::is_app_id;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::Stage;

#[tokio::test]
async fn the_first_app_is_made_up_once_and_kept() {
    let stage = Stage::sqlite();
    let apps = stage.open(60).await;
    assert!(apps.first().await.unwrap().is_none());
    let first = apps.first_or_invent().await.unwrap().expect("an app");
    assert!(first.is_new && first.app.enabled);
    assert!(is_app_id(first.app.id.as_str()) && first.app.id.as_str().len() == 7);
    let [pair] = &first.app.credentials[..] else { panic!("one pair") };
    assert!(is_hex(pair.key.as_str(), 20) && is_hex(pair.secret.expose(), 40));
    assert!(apps.by_key(pair.key.as_str()).await.unwrap().is_some());
    assert!(apps.by_id(first.app.id.as_str()).await.unwrap().is_some());

    let again = stage.open(60).await.first_or_invent().await.unwrap().expect("an app");
    assert!(!again.is_new);
    assert_eq!(again.app.id, first.app.id);
    assert_eq!(again.app.credentials[0].secret.expose(), pair.secret.expose());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_processes_that_start_at_once_one_makes_the_first_app() {
    for _ in 0..10 {
        let stage = Stage::sqlite();
        let mut starting = JoinSet::new();
        let all_open = Arc::new(Barrier::new(8));
        for _ in 0..8 {
            let (database, all_open) = (stage.database(), Arc::clone(&all_open));
            starting.spawn(async move {
                let apps =
                    Apps::open(Vec::new(), Some(database), crate::support::kept(Limits::default(), 60))
                        .await?;
                all_open.wait().await;
                apps.first_or_invent().await
            });
        }
        let found = starting.join_all().await.into_iter().map(|first| first.unwrap().expect("an app"));
        let found: Vec<FirstApp> = found.collect();
        assert!(found.iter().all(|first| first.app.id == found[0].app.id));
        assert_eq!(found.iter().filter(|first| first.is_new).count(), 1);
    }
}

#[tokio::test]
async fn no_app_is_made_up_where_there_is_one() {
    let stage = Stage::sqlite();
    let apps = stage.open(60).await;
    stage.operator().await.run("INSERT INTO apps (id) VALUES ('7'), ('8')").await;
    stage.operator().await.run("UPDATE apps SET created_at = created_at - 1 WHERE id = '8'").await;
    let first = apps.first_or_invent().await.unwrap().expect("an app");
    assert_eq!((first.app.id.as_str(), first.is_new), ("8", false));
}

#[tokio::test]
async fn whoever_deletes_the_last_app_gets_no_other() {
    let stage = Stage::sqlite();
    let apps = stage.open(60).await;
    let first = apps.first_or_invent().await.unwrap().expect("an app");
    apps.delete(first.app.id.as_str()).await.unwrap();
    for _ in 0..2 {
        assert!(stage.open(60).await.first_or_invent().await.unwrap().is_none());
    }
    let new = NewApp { id: Some("9".to_owned()), ..NewApp::default() };
    stage.open(60).await.create(new).await.unwrap();
    let found = stage.open(60).await.first_or_invent().await.unwrap().expect("an app");
    assert_eq!((found.app.id.as_str(), found.is_new), ("9", false));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_made_only_if_that_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data").join("fanfare.db");
    let database = Database::parse("sqlite", &directory.path().join("data")).unwrap();
    let kept = Storage { creates: false, ..crate::support::kept(Limits::default(), 60) };
    let open = async || Apps::open(Vec::new(), Some(database.clone()), kept.clone()).await;
    let refused = open().await.err().expect("refused").to_string();
    assert!(refused.contains(&format!("the file {} does not exist", file.display())), "{refused}");
    assert!(refused.contains("--create-database"), "{refused}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "not even the directory");
    // What a process has left that ended at once is no database either.
    fs::create_dir(directory.path().join("data")).unwrap();
    fs::write(&file, "").unwrap();
    assert!(matches!(open().await.err(), Some(AppsError::Missing { .. })));
    let made = crate::support::kept(Limits::default(), 60);
    Apps::open(Vec::new(), Some(database.clone()), made).await.unwrap();
    open().await.unwrap();
}

#[tokio::test]
async fn no_app_is_made_up_in_postgres_or_without_a_database() {
    let without = Apps::open(Vec::new(), None, crate::support::kept(Limits::default(), 60)).await.unwrap();
    assert!(matches!(without.first_or_invent().await, Err(AppsError::NotEmbedded)));
    let stage = Stage::postgres();
    let apps = stage.open(60).await;
    assert!(matches!(apps.first_or_invent().await, Err(AppsError::NotEmbedded)));
    assert!(apps.first().await.unwrap().is_none());
}

#[tokio::test]
async fn the_database_file_is_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("new").join("data");
    let database = Database::parse("sqlite", &data).unwrap();
    let apps =
        Apps::open(Vec::new(), Some(database), crate::support::kept(Limits::default(), 60)).await.unwrap();
    apps.first_or_invent().await.unwrap();
    assert_eq!(mode(&data), 0o700);
    let mut files = 0;
    for file in fs::read_dir(&data).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
        files += 1;
    }
    assert!(files >= 2, "the database and its write-ahead log");
}

#[tokio::test]
async fn a_file_that_cannot_be_a_database_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fanfare.db");
    fs::write(&file, "something else altogether, and long enough to be taken for a page").unwrap();
    let text = format!("sqlite://{}", file.display());
    for (text, start) in [
        (text.clone(), format!("the SQLite file {} cannot be used: ", file.display())),
        (format!("{text}/below/a.db"), format!("the directory {}/below cannot be made: ", file.display())),
        (
            format!("sqlite://{}", directory.path().display()),
            format!("the SQLite file {} cannot be used: ", directory.path().display()),
        ),
    ] {
        let database = Database::parse(&text, Path::new("/nowhere")).unwrap();
        let error =
            Apps::open(Vec::new(), Some(database), crate::support::kept(Limits::default(), 60)).await.err();
        let error = error.expect("not opened").to_string();
        assert!(error.starts_with(&start), "{error}");
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
