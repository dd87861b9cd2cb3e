//! A database that answers and stores nothing.

use std::time::Duration;

use fanfare_apps::{HourOfUsage, NewApp, NewToken, OperationError, Scope, Usage};
use fanfare_protocol::ids::AppId;
use tokio::time::timeout;

use crate::support::Stage;
use crate::support::log::Log;

const UNWRITABLE: &str =
    "the apps' database stores nothing; apps go on, but neither changes nor usage are kept";

/// Takes effect from every session's next transaction on; the operator's own connection goes on writing.
const READ_ONLY: [&str; 3] = [
    "ALTER SYSTEM SET default_transaction_read_only = on",
    "SELECT pg_reload_conf()",
    "SET default_transaction_read_only = off",
];
const WRITABLE: [&str; 2] = ["ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"];

#[tokio::test]
async fn a_postgres_that_may_only_be_read_is_told_from_one_that_is_away_and_heals_by_itself() {
    let log = Log::record();
    let stage = Stage::postgres();
    let apps = stage.open(0).await;
    let (_, key) = apps.create(NewApp { id: Some("shop".into()), ..NewApp::default() }).await.unwrap();
    let mut operator = stage.operator().await;
    for statement in READ_ONLY {
        operator.run(statement).await;
    }
    // A session notices the new setting between two of its statements.
    let usage = Usage { backend_messages: 1, ..Usage::default() };
    let used = [(AppId::from("shop"), HourOfUsage { hour: 1, usage })];
    let refused = timeout(Duration::from_secs(20), async {
        loop {
            if let Err(error) = apps.add_usage("node", &used).await {
                return error;
            }
        }
    });
    let error = refused.await.unwrap();
    assert!(matches!(error, OperationError::Unwritable(_)), "{error}");
    let scopes = [Scope::Read].into();
    let token = apps.create_token(&NewToken { name: "ci".into(), scopes, ..NewToken::default() }).await;
    assert!(matches!(token, Err(OperationError::Unwritable(_))));
    assert!(apps.by_key(&key.key).await.unwrap().is_some(), "it can be read");
    assert!(apps.by_key("unheard-of").await.unwrap().is_none(), "it can be read");
    assert!(*apps.database_answers().borrow() && !*apps.database_stores().borrow());
    assert!(apps.database_unwritable_for().is_some() && apps.database_away_for().is_none());

    for statement in WRITABLE {
        operator.run(statement).await;
    }
    let mut stores = apps.database_stores();
    let healed = timeout(Duration::from_secs(30), stores.wait_for(|stores| *stores)).await;
    assert!(healed.expect("healed in time").is_ok());
    apps.add_usage("node", &used).await.unwrap();
    assert!(apps.database_unwritable_for().is_none());
    assert_eq!((log.count(UNWRITABLE), log.count("the apps' database stores again")), (1, 1));
    assert_eq!(operator.texts("SELECT filler FROM write_probe").await, Vec::<String>::new());
}

#[tokio::test]
async fn what_only_one_write_is_refused_for_says_nothing_about_the_database() {
    let stage = Stage::sqlite();
    let apps = stage.open(0).await;
    let used = [(AppId::from("no id"), HourOfUsage { hour: 1, usage: Usage::default() })];
    let refused = apps.add_usage("node", &used).await;
    assert!(matches!(refused, Err(OperationError::Database(_))), "{refused:?}");
    assert!(*apps.database_stores().borrow());
}
