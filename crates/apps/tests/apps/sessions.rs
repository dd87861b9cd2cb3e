//! Sessions of the console: one suite, run against SQLite and against Postgres.

use std::collections::BTreeSet;

use fanfare_apps::{Apps, MOST_SESSIONS, NewToken, Scope, SessionTimes};

use crate::support::Stage;

on_both!(
    con_007_a_session_holds_on_every_node_until_it_ends_and_its_id_is_not_stored,
    con_007_a_session_ends_with_its_token_and_by_idling,
    con_007_a_session_in_use_does_not_idle_however_short_that_may_be,
    con_007_a_token_has_twenty_sessions_and_the_oldest_goes,
    con_006_a_code_begins_one_session_as_a_token_that_ends_with_it,
    con_006_a_code_is_good_for_five_minutes,
);

const TIMES: SessionTimes = SessionTimes { life: 43_200, idle: 3_600 };

fn reader() -> NewToken {
    NewToken { name: "reader".to_owned(), scopes: [Scope::Read].into(), ..NewToken::default() }
}

async fn is_in(apps: &Apps, id: &str) -> bool {
    apps.session(id, TIMES).await.unwrap().is_some()
}

async fn con_007_a_session_holds_on_every_node_until_it_ends_and_its_id_is_not_stored(stage: Stage) {
    let apps = stage.open(60).await;
    let (record, token) = apps.create_token(&reader()).await.unwrap();
    let begun = apps.log_in(token.expose(), TIMES).await.unwrap().unwrap();
    let id = begun.id.expose();
    assert_eq!(id.len(), 64);
    let other_node = stage.open(60).await;
    let session = other_node.session(id, TIMES).await.unwrap().unwrap();
    assert_eq!((session.bearer.id, &*session.bearer.name), (record.id, "reader"));
    assert_eq!(session.csrf_token, begun.session.csrf_token);
    assert_ne!(session.csrf_token, id);
    let stored = stage.operator().await.texts("SELECT hash FROM admin_sessions").await;
    assert_ne!(stored, [id]);
    for wrong in ["", &stored[0], &id[1..], &id.to_uppercase(), &"0".repeat(64), &begun.session.csrf_token] {
        assert!(!is_in(&apps, wrong).await, "{wrong}");
    }
    other_node.log_out(id).await.unwrap();
    assert!(!is_in(&apps, id).await);
    assert!(apps.log_in("fanfare_", TIMES).await.unwrap().is_none());
}

async fn con_007_a_session_ends_with_its_token_and_by_idling(stage: Stage) {
    let apps = stage.open(60).await;
    let (record, token) = apps.create_token(&reader()).await.unwrap();
    let log_in = async || apps.log_in(token.expose(), TIMES).await.unwrap().unwrap().id.expose().to_owned();
    let (idle, busy, late) = (log_in().await, log_in().await, log_in().await);
    let mut operator = stage.operator().await;
    operator.run("UPDATE admin_sessions SET used_at = used_at - 3500000").await;
    assert!(is_in(&apps, &busy).await, "and is used from then on");
    operator.run("UPDATE admin_sessions SET used_at = used_at - 200000").await;
    assert!(!is_in(&apps, &idle).await);
    assert!(is_in(&apps, &busy).await);
    operator.run("UPDATE admin_sessions SET ends_at = made_at").await;
    assert!(!is_in(&apps, &busy).await && !is_in(&apps, &late).await);

    let last = log_in().await;
    assert_eq!(operator.texts("SELECT hash FROM admin_sessions").await.len(), 1, "what has ended is deleted");
    apps.revoke_token(record.id).await.unwrap();
    assert!(!is_in(&apps, &last).await);
}

async fn con_007_a_session_in_use_does_not_idle_however_short_that_may_be(stage: Stage) {
    let apps = stage.open(60).await;
    let (_, token) = apps.create_token(&reader()).await.unwrap();
    let times = SessionTimes { idle: 60, ..TIMES };
    let id = apps.log_in(token.expose(), times).await.unwrap().unwrap().id;
    let mut operator = stage.operator().await;
    // Three requests, forty seconds apart each.
    for _ in 0..3 {
        operator.run("UPDATE admin_sessions SET used_at = used_at - 40000").await;
        assert!(apps.session(id.expose(), times).await.unwrap().is_some());
    }
    operator.run("UPDATE admin_sessions SET used_at = used_at - 60000").await;
    assert!(apps.session(id.expose(), times).await.unwrap().is_none());
}

async fn con_007_a_token_has_twenty_sessions_and_the_oldest_goes(stage: Stage) {
    let apps = stage.open(60).await;
    let (_, token) = apps.create_token(&reader()).await.unwrap();
    let (_, others) = apps.create_token(&reader()).await.unwrap();
    let other = apps.log_in(others.expose(), TIMES).await.unwrap().unwrap();
    let mut ids = Vec::new();
    for _ in 0..=MOST_SESSIONS {
        ids.push(apps.log_in(token.expose(), TIMES).await.unwrap().unwrap().id.expose().to_owned());
        // Sessions of one millisecond have no order.
        stage.operator().await.run("UPDATE admin_sessions SET made_at = made_at - 1").await;
    }
    let mut left = 0;
    for id in &ids {
        left += i64::from(is_in(&apps, id).await);
    }
    assert_eq!(left, MOST_SESSIONS);
    assert!(!is_in(&apps, &ids[0]).await);
    assert!(is_in(&apps, other.id.expose()).await);
}

async fn con_006_a_code_begins_one_session_as_a_token_that_ends_with_it(stage: Stage) {
    let apps = stage.open(60).await;
    let (record, code) = apps.make_code(&reader(), TIMES).await.unwrap();
    let life = record.expires_at.unwrap() - record.created_at;
    assert!((life - 43_500_000).abs() < 10_000, "{life}");
    let code = code.expose();
    assert_eq!(code.len(), 32);
    for wrong in ["", &code[1..], &"0".repeat(32)] {
        assert!(apps.log_in_by_code(wrong, TIMES).await.unwrap().is_none(), "{wrong}");
    }
    let begun = apps.log_in_by_code(code, TIMES).await.unwrap().unwrap();
    assert_eq!(begun.session.bearer.scopes, BTreeSet::from([Scope::Read]));
    assert!(apps.log_in_by_code(code, TIMES).await.unwrap().is_none(), "it is used up");
    assert!(is_in(&apps, begun.id.expose()).await);
}

async fn con_006_a_code_is_good_for_five_minutes(stage: Stage) {
    let apps = stage.open(60).await;
    let (_, code) = apps.make_code(&reader(), TIMES).await.unwrap();
    stage.operator().await.run("UPDATE admin_codes SET ends_at = ends_at - 301000").await;
    assert!(apps.log_in_by_code(code.expose(), TIMES).await.unwrap().is_none());
}
