//! The tokens of the administration API: one suite, run against SQLite and against Postgres.

use std::collections::BTreeSet;

use fanfare_apps::{
    Apps, MOST_TOKENS_LISTED, NewApp, NewToken, OperationError, Scope, SessionTimes, TokenRecord,
};

use crate::support::Stage;

on_both!(
    a_token_is_known_by_itself_alone,
    only_the_hash_of_a_token_is_stored,
    a_token_that_is_revoked_is_refused_at_once_by_everybody,
    a_token_that_has_expired_is_refused,
    every_fault_of_a_new_token_is_told_at_once_and_nothing_is_made,
    tokens_are_listed_the_newest_first,
    a_token_says_when_it_was_last_used_by_itself_or_by_a_session,
    no_more_than_a_thousand_tokens_are_listed,
    a_scope_that_is_not_known_gives_no_right,
    a_bound_token_knows_its_apps_and_gives_no_right_to_a_server_that_does_not_look,
    con_016_a_token_of_a_deleted_app_is_not_good_for_the_next_with_its_id,
    con_084_a_token_that_another_makes_ends_no_later_than_that,
    every_fault_of_the_apps_of_a_bound_token_is_told,
    what_is_not_sql_is_not_run,
);

const DAY: i64 = 24 * 60 * 60 * 1000;

fn new(name: &str, scopes: &[Scope]) -> NewToken {
    NewToken { name: name.to_owned(), scopes: scopes.iter().copied().collect(), ..NewToken::default() }
}

async fn make(apps: &Apps, new: &NewToken) -> (i64, String) {
    let (record, token) = apps.create_token(new).await.unwrap();
    (record.id, token.expose().to_owned())
}

async fn listed(apps: &Apps) -> Vec<TokenRecord> {
    apps.tokens(None, MOST_TOKENS_LISTED).await.unwrap().tokens
}

async fn a_token_is_known_by_itself_alone(stage: Stage) {
    let apps = stage.open(60).await;
    let (record, token) = apps.create_token(&new("deploy", &[Scope::Write, Scope::Read])).await.unwrap();
    let token = token.expose();
    assert!(token.starts_with("fanfare_") && token.len() == 8 + 64, "{}", token.len());
    assert_eq!((&*record.name, record.expires_at, record.revoked_at), ("deploy", None, None));
    assert!(record.created_at > 1_700_000_000_000);
    let bearer = stage.open(60).await.bearer_of(token).await.unwrap().unwrap();
    assert_eq!((bearer.id, &*bearer.name), (record.id, "deploy"));
    assert_eq!(bearer.scopes, BTreeSet::from([Scope::Read, Scope::Write]));
    let other = format!("fanfare_{}", "0".repeat(64));
    for wrong in ["", "deploy", "fanfare_", &token[8..], &token[..71], &token.to_uppercase(), &other] {
        assert_eq!(apps.bearer_of(wrong).await.unwrap(), None, "{wrong}");
    }
    let (_, another) = make(&apps, &new("deploy", &[Scope::Read])).await;
    assert_ne!(another, token);
}

async fn only_the_hash_of_a_token_is_stored(stage: Stage) {
    let apps = stage.open(60).await;
    let (_, token) = make(&apps, &new("deploy", &[Scope::Read])).await;
    let stored = stage.operator().await.texts("SELECT hash || name || scopes FROM admin_tokens").await;
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].contains(&token[8..]));
    // A token's hash is no token either.
    let hash = stage.operator().await.texts("SELECT hash FROM admin_tokens").await.remove(0);
    assert_eq!(apps.bearer_of(&format!("fanfare_{hash}")).await.unwrap(), None);
}

async fn a_token_that_is_revoked_is_refused_at_once_by_everybody(stage: Stage) {
    let apps = stage.open(60).await;
    let (id, token) = make(&apps, &new("deploy", &[Scope::Read])).await;
    let (_, other) = make(&apps, &new("other", &[Scope::Read])).await;
    assert!(apps.bearer_of(&token).await.unwrap().is_some());
    stage.open(60).await.revoke_token(id).await.unwrap();
    assert_eq!(apps.bearer_of(&token).await.unwrap(), None);
    assert!(apps.bearer_of(&other).await.unwrap().is_some());
    for id in [id, 4_000_000_000_000] {
        let refused = apps.revoke_token(id).await.unwrap_err();
        assert!(matches!(refused, OperationError::NoSuchToken(found) if found == id), "{refused}");
    }
    assert!(listed(&apps).await[1].revoked_at.is_some());
}

async fn a_token_that_has_expired_is_refused(stage: Stage) {
    let apps = stage.open(60).await;
    let week = NewToken { seconds: Some(7 * DAY / 1000), ..new("week", &[Scope::Read]) };
    let (record, token) = apps.create_token(&week).await.unwrap();
    let life = record.expires_at.unwrap() - record.created_at;
    assert!((life - 7 * DAY).abs() < DAY / 8, "{life}: but for a change of the clocks");
    assert!(apps.bearer_of(token.expose()).await.unwrap().is_some());
    stage.operator().await.run("UPDATE admin_tokens SET expires_at = created_at").await;
    assert_eq!(apps.bearer_of(token.expose()).await.unwrap(), None);
}

fn ids(ids: &[&str]) -> Option<BTreeSet<String>> {
    Some(ids.iter().map(|&id| id.to_owned()).collect())
}

async fn a_bound_token_knows_its_apps_and_gives_no_right_to_a_server_that_does_not_look(stage: Stage) {
    let apps = stage.open(60).await;
    for id in ["1", "2"] {
        apps.create(NewApp { id: Some(id.to_owned()), ..NewApp::default() }).await.unwrap();
    }
    let wanted = NewToken { apps: ids(&["2", "1"]), ..new("tenant", &[Scope::Read, Scope::Publish]) };
    let (_, token) = make(&apps, &wanted).await;
    let bearer = apps.bearer_of(&token).await.unwrap().unwrap();
    assert_eq!(bearer.apps, ids(&["1", "2"]));
    assert_eq!(bearer.scopes, BTreeSet::from([Scope::Read, Scope::Publish]));
    assert!(bearer.is_for("1") && !bearer.is_for("3"));
    assert_eq!(listed(&apps).await[0].apps, ids(&["1", "2"]));
    // What a server reads that knows scopes, but no apps of a token.
    let scopes = stage.operator().await.texts("SELECT scopes FROM admin_tokens").await.remove(0);
    assert!(scopes.split(',').all(|scope| scope.parse::<Scope>().is_err()), "{scopes}");
    let (_, free) = make(&apps, &new("operator", &[Scope::Read])).await;
    let bearer = apps.bearer_of(&free).await.unwrap().unwrap();
    assert!(bearer.apps.is_none() && bearer.is_for("3"));
}

async fn con_016_a_token_of_a_deleted_app_is_not_good_for_the_next_with_its_id(stage: Stage) {
    let apps = stage.open(60).await;
    let create = async |id: &str| {
        apps.create(NewApp { id: Some(id.to_owned()), ..NewApp::default() }).await.unwrap();
    };
    for id in ["7", "77", "777", "7_7"] {
        create(id).await;
    }
    let bound =
        async |to: &[&str]| make(&apps, &NewToken { apps: ids(to), ..new("tenant", &[Scope::Read]) }).await.1;
    let (alone, several) = (bound(&["77"]).await, bound(&["7", "77", "777", "7_7"]).await);
    let others = bound(&["7_7", "777"]).await;
    let (_, all) = make(&apps, &new("operator", &[Scope::Read])).await;
    let of = async |token: &str| apps.bearer_of(token).await.unwrap().map(|bearer| bearer.apps);

    apps.delete("77").await.unwrap();
    create("77").await;
    assert_eq!(of(&alone).await, None, "revoked, and never for all apps");
    assert_eq!(of(&several).await, Some(ids(&["7", "777", "7_7"])));
    assert_eq!(of(&others).await, Some(ids(&["777", "7_7"])));
    assert_eq!(of(&all).await, Some(None));
    let records = listed(&apps).await;
    assert!(records[3].revoked_at.is_some() && records[3].apps == ids(&["77"]), "{:?}", records[3]);
    assert!(records[..3].iter().all(|record| record.revoked_at.is_none()));
    for id in ["7", "7_7", "777"] {
        apps.delete(id).await.unwrap();
    }
    assert_eq!((of(&several).await, of(&others).await, of(&all).await), (None, None, Some(None)));

    // An app that went in another way, such as one of a configuration.
    create("8").await;
    let stale = bound(&["8"]).await;
    stage.operator().await.run("DELETE FROM apps WHERE id = '8'").await;
    create("8").await;
    assert_eq!(of(&stale).await, None);
}

async fn con_084_a_token_that_another_makes_ends_no_later_than_that(stage: Stage) {
    let apps = stage.open(60).await;
    let day = NewToken { seconds: Some(DAY / 1000), ..new("day", &[Scope::Write]) };
    let (maker, _) = apps.create_token(&day).await.unwrap();
    let (unending, _) = apps.create_token(&new("unending", &[Scope::Write])).await.unwrap();
    let end = async |seconds: Option<i64>, made_by: i64| {
        let wanted = NewToken { seconds, made_by: Some(made_by), ..new("n", &[Scope::Write]) };
        apps.create_token(&wanted).await.unwrap().0.expires_at
    };
    for seconds in [None, Some(30 * DAY / 1000)] {
        assert_eq!(end(seconds, maker.id).await, maker.expires_at);
    }
    assert!(end(Some(60), maker.id).await < maker.expires_at);
    assert_eq!(end(None, unending.id).await, None);
    assert!(end(Some(30 * DAY / 1000), unending.id).await > maker.expires_at);
}

async fn every_fault_of_the_apps_of_a_bound_token_is_told(stage: Stage) {
    let apps = stage.open(60).await;
    let refused = async |bound: Option<BTreeSet<String>>| {
        let wanted = NewToken { apps: bound, ..new("tenant", &[Scope::Read]) };
        apps.create_token(&wanted).await.unwrap_err().to_string()
    };
    assert_eq!(refused(ids(&[])).await, "a token is bound to 1 to 100 apps, not 0");
    assert_eq!(
        refused(Some((0..101).map(|id| id.to_string()).collect())).await,
        "a token is bound to 1 to 100 apps, not 101"
    );
    assert_eq!(
        refused(ids(&["1,2", "7"])).await,
        "a token is bound to ids of apps: 1 to 64 of the characters A-Z a-z 0-9 _ -\nthere is no app 7"
    );
    assert!(listed(&apps).await.is_empty());
}

async fn every_fault_of_a_new_token_is_told_at_once_and_nothing_is_made(stage: Stage) {
    let apps = stage.open(60).await;
    let wrong = NewToken { seconds: Some(0), ..NewToken::default() };
    assert_eq!(
        apps.create_token(&wrong).await.unwrap_err().to_string(),
        "a token needs a name, by which it is known again\n\
         a token needs a scope: read, write, secrets, publish, payloads or operate\n\
         a token is valid for a second to 3650 days"
    );
    let too_long = 3650 * DAY / 1000 + 1;
    for (name, seconds) in
        [("a\nb", None), (&*"n".repeat(201), None), ("n", Some(too_long)), ("n", Some(i64::MIN))]
    {
        let wrong = NewToken { seconds, ..new(name, &[Scope::Read]) };
        assert!(matches!(apps.create_token(&wrong).await, Err(OperationError::Faults(f)) if f.len() == 1));
    }
    assert!(listed(&apps).await.is_empty());
}

async fn tokens_are_listed_the_newest_first(stage: Stage) {
    let apps = stage.open(60).await;
    let mut made = Vec::new();
    for name in ["first", "second", "third"] {
        made.push(make(&apps, &new(name, &Scope::ALL)).await.0);
    }
    made.reverse();
    let listed = listed(&apps).await;
    assert_eq!(listed.iter().map(|token| token.id).collect::<Vec<_>>(), made);
    assert_eq!(listed[0].name, "third");
    assert_eq!(listed[0].scopes, BTreeSet::from(Scope::ALL));
    let page = apps.tokens(None, 2).await.unwrap();
    assert_eq!((page.tokens.len(), page.next), (2, Some(made[1])));
    let page = apps.tokens(page.next, 2).await.unwrap();
    assert_eq!((page.tokens[0].id, page.tokens.len(), page.next), (made[2], 1, None));
}

async fn a_token_says_when_it_was_last_used_by_itself_or_by_a_session(stage: Stage) {
    let apps = stage.open(60).await;
    let (_, token) = make(&apps, &new("deploy", &[Scope::Read])).await;
    let used = async || listed(&apps).await[0].used_at;
    assert_eq!(used().await, None);
    apps.bearer_of(&token).await.unwrap();
    assert!(used().await.unwrap() > 1_700_000_000_000);

    // Of two uses within a minute one is stored.
    let stored = "UPDATE admin_tokens SET used_at = created_at";
    stage.operator().await.run(stored).await;
    apps.bearer_of(&token).await.unwrap();
    let record = listed(&apps).await.remove(0);
    assert_eq!(record.used_at, Some(record.created_at));

    let times = SessionTimes { life: 3600, idle: 3600 };
    let begun = apps.log_in(&token, times).await.unwrap().unwrap();
    let mut old = stage.operator().await;
    old.run("UPDATE admin_tokens SET used_at = NULL").await;
    old.run("UPDATE admin_sessions SET used_at = used_at - 120000").await;
    apps.session(begun.id.expose(), times).await.unwrap().unwrap();
    assert!(used().await.is_some(), "a session is a use of its token");

    let (_, code) = apps.make_code(&new("link", &[Scope::Read]), times).await.unwrap();
    assert_eq!(used().await, None);
    apps.log_in_by_code(code.expose(), times).await.unwrap().unwrap();
    assert!(used().await.is_some(), "the token of a link is used by the login");
}

async fn no_more_than_a_thousand_tokens_are_listed(stage: Stage) {
    let apps = stage.open(60).await;
    stage
        .operator()
        .await
        .run(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1001)
             INSERT INTO admin_tokens (name, hash, scopes)
             SELECT 'many', substr('000' || CAST(n AS text), length(CAST(n AS text)))
                 || '000000000000000000000000000000000000000000000000000000000000', 'read' FROM numbers",
        )
        .await;
    assert_eq!(listed(&apps).await.len(), MOST_TOKENS_LISTED);
    let (_, token) = make(&apps, &new("one more", &[Scope::Read])).await;
    assert!(apps.bearer_of(&token).await.unwrap().is_some());
    assert_eq!(listed(&apps).await[0].name, "one more");
}

async fn a_scope_that_is_not_known_gives_no_right(stage: Stage) {
    let apps = stage.open(60).await;
    let (_, token) = make(&apps, &new("newer", &[Scope::Read])).await;
    stage.operator().await.run("UPDATE admin_tokens SET scopes = 'read,everything'").await;
    let bearer = apps.bearer_of(&token).await.unwrap().unwrap();
    assert_eq!(bearer.scopes, BTreeSet::from([Scope::Read]));
}

async fn what_is_not_sql_is_not_run(stage: Stage) {
    let apps = stage.open(60).await;
    let name = "'); DROP TABLE admin_tokens; --";
    let (_, token) = make(&apps, &new(name, &[Scope::Read])).await;
    assert_eq!(apps.bearer_of(&token).await.unwrap().unwrap().name, name);
    assert_eq!(apps.bearer_of("' OR '1'='1").await.unwrap(), None);
}

#[tokio::test]
async fn without_a_database_there_are_no_tokens() {
    let kept = crate::support::kept(fanfare_protocol::app::Limits::default(), 60);
    let apps = Apps::open(Vec::new(), None, kept).await.unwrap();
    assert!(!apps.has_database());
    for refused in [
        apps.create_token(&new("deploy", &[Scope::Read])).await.map(drop),
        apps.tokens(None, 1).await.map(drop),
        apps.revoke_token(1).await,
        apps.bearer_of("any").await.map(drop),
    ] {
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("set apps.database (FANFARE__APPS__DATABASE) to sqlite"), "{said}");
    }
}
