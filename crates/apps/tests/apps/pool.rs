//! A pool of connections that is full.

use std::sync::Arc;

use fanfare_apps::{NewApp, NewToken, Scope};
use tokio::task::JoinSet;

use crate::support::Stage;

/// More than a pool has connections.
const CROWD: usize = 40;

#[tokio::test]
async fn operators_are_known_while_every_other_connection_to_sqlite_waits_for_a_lock() {
    let stage = Stage::sqlite();
    let apps = Arc::new(stage.open(60).await);
    let new = NewToken { name: "t".to_owned(), scopes: [Scope::Read].into(), ..NewToken::default() };
    let (_, token) = apps.create_token(&new).await.unwrap();
    let token: Arc<str> = token.expose().into();
    // Many at once share the pool; one of its connections is held from then on.
    let mut asking = JoinSet::new();
    for _ in 0..CROWD {
        let (apps, token) = (Arc::clone(&apps), Arc::clone(&token));
        asking.spawn(async move { apps.bearer_of(&token).await.unwrap().is_some() });
    }
    assert_eq!(asking.join_all().await, [true; CROWD]);

    let mut operator = stage.operator().await;
    operator.run("BEGIN IMMEDIATE").await;
    let mut writing = JoinSet::new();
    for _ in 0..CROWD {
        let apps = Arc::clone(&apps);
        writing.spawn(async move { apps.create(NewApp::default()).await.is_ok() });
    }
    // By now the pool is full: the first gives up who has waited for the lock, or for a connection.
    assert!(!writing.join_next().await.unwrap().unwrap(), "nobody can write");
    for _ in 0..CROWD {
        assert!(apps.bearer_of(&token).await.unwrap().is_some());
    }
    operator.run("ROLLBACK").await;
    writing.join_all().await;
    assert!(apps.create(NewApp::default()).await.is_ok(), "the pool is whole again");
}
