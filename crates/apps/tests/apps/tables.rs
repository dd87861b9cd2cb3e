//! Databases with foreign tables, and the migration of older tables of Fanfare's.

use std::fs;
use std::path::Path;

use fanfare_apps::{Apps, AppsError, AppsWanted, NewApp, Storage};
use fanfare_protocol::app::Limits;
use sqlx::migrate::Migrator;
use sqlx::{PgPool, SqlitePool};

use crate::support::Stage;

on_both!(
    a_database_with_tables_of_others_alone_is_not_touched_unless_it_was_named_for_us,
    a_table_of_somebody_else_with_a_name_of_ours_is_named_and_not_touched,
    tables_of_the_version_before_keep_their_apps_pairs_and_usage,
    ids_of_apps_may_be_names_and_uuids,
);

const UUID: &str = "9f1c2b7e-8a54-4c0e-9d5c-0a1b2c3d4e5f";

async fn open(stage: &Stage, takes_foreign: bool) -> Result<Apps, AppsError> {
    let kept = Storage { takes_foreign, ..crate::support::kept(Limits::default(), 60) };
    Apps::open(Vec::new(), Some(stage.database()), kept).await
}

/// Creates the file of an empty SQLite database, which has none yet.
fn make(stage: &Stage) {
    if let Stage::Sqlite(directory) = stage {
        fs::write(directory.path().join("fanfare.db"), "").unwrap();
    }
}

/// Every file in the folder of a SQLite database.
fn folder(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let Stage::Sqlite(directory) = stage else { return Vec::new() };
    let files = fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

async fn a_database_with_tables_of_others_alone_is_not_touched_unless_it_was_named_for_us(stage: Stage) {
    make(&stage);
    let mut operator = stage.operator().await;
    operator.run("CREATE TABLE users (id integer)").await;
    let before = folder(&stage);
    let error = open(&stage, false).await.err().expect("refused");
    assert!(matches!(error, AppsError::Foreign), "{error}");
    assert!(folder(&stage) == before, "nothing was changed, nothing was made beside it");
    // Named for Fanfare, tables of both are there, and from then on it is ours too.
    open(&stage, true).await.unwrap();
    open(&stage, false).await.unwrap();
    assert_eq!(operator.texts("SELECT 'there' FROM users").await, Vec::<String>::new());
}

async fn a_table_of_somebody_else_with_a_name_of_ours_is_named_and_not_touched(stage: Stage) {
    make(&stage);
    let mut operator = stage.operator().await;
    let expect = async |made: &str, named: &str, before: Vec<(String, Vec<u8>)>| {
        for takes_foreign in [false, true] {
            let error = open(&stage, takes_foreign).await.err().expect("refused").to_string();
            assert!(
                error.contains(&format!("holds a table {named} of another application")),
                "{made}: {error}"
            );
            assert!(error.contains("Give Fanfare a database of its own"), "{error}");
            assert!(folder(&stage) == before, "nothing was changed, nothing was made beside it");
        }
    };
    operator.run("CREATE TABLE apps (id integer)").await;
    expect("one of the first", "apps", folder(&stage)).await;
    operator.run("CREATE TABLE app_keys (id integer)").await;
    expect("both, but not by our migrations", "apps", folder(&stage)).await;
    operator.run("DROP TABLE apps; DROP TABLE app_keys; CREATE TABLE app_usage (id integer)").await;
    expect("one of the later", "app_usage", folder(&stage)).await;
}

async fn tables_of_the_version_before_keep_their_apps_pairs_and_usage(stage: Stage) {
    make(&stage);
    let kind = if matches!(stage, Stage::Sqlite(_)) { "sqlite" } else { "postgres" };
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(kind);
    let older = tempfile::tempdir().unwrap();
    for file in fs::read_dir(all).unwrap().map(Result::unwrap) {
        if file.file_name().to_str().is_some_and(|name| name < "0007") {
            fs::copy(file.path(), older.path().join(file.file_name())).unwrap();
        }
    }
    let migrator = Migrator::new(older.path()).await.unwrap();
    match &stage {
        Stage::Sqlite(directory) => {
            let url = format!("sqlite://{}/fanfare.db", directory.path().display());
            migrator.run(&SqlitePool::connect(&url).await.unwrap()).await.unwrap();
        }
        Stage::Postgres(server) => {
            migrator.run(&PgPool::connect(&server.url()).await.unwrap()).await.unwrap()
        }
    }
    let mut operator = stage.operator().await;
    operator
        .run(
            "INSERT INTO apps (id, name, settings) VALUES ('7', 'shop', '{\"client_events\":true}');
             INSERT INTO app_keys (key, app_id, secret) VALUES ('key-7', '7', 'secret-7');
             INSERT INTO app_usage (app_id, hour, node, peak_connections, backend_messages, client_messages,
                                    deliveries, delivered_bytes) VALUES ('7', 5, 'n', 1, 2, 3, 4, 5)",
        )
        .await;
    let apps = stage.open(60).await;
    let app = apps.by_key("key-7").await.unwrap().expect("it is still there");
    assert!(app.client_events && app.credential("key-7").is_some());
    assert_eq!(apps.usage("7", 0, 10).await.unwrap()[0].usage.backend_messages, 2);
    // Pairs are still deleted with their app.
    apps.delete("7").await.unwrap();
    assert_eq!(operator.texts("SELECT key FROM app_keys").await, Vec::<String>::new());
}

async fn ids_of_apps_may_be_names_and_uuids(stage: Stage) {
    let apps = stage.open(60).await;
    for id in ["my-app-id", UUID, "App_1", "12"] {
        let (record, pair) =
            apps.create(NewApp { id: Some(id.to_owned()), ..NewApp::default() }).await.unwrap();
        assert_eq!(record.id, id);
        assert_eq!(apps.by_id(id).await.unwrap().unwrap().id.as_str(), id);
        assert_eq!(apps.by_key(&pair.key).await.unwrap().unwrap().id.as_str(), id);
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = apps.list(AppsWanted { prefix: "", after: after.as_deref(), most: 1 }).await.unwrap();
        listed.extend(page.apps.into_iter().map(|app| app.id));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(listed, ["12", "App_1", "my-app-id", UUID], "each once, the shorter first");
    for illegal in ["my app", "a/b", "a:b", ""] {
        let refused = apps.create(NewApp { id: Some(illegal.to_owned()), ..NewApp::default() }).await;
        assert!(refused.is_err(), "{illegal}");
    }
}
