//! The audit log: one suite, run against SQLite and against Postgres.

use fanfare_apps::{AuditAction, AuditEntry, AuditWanted, Auditor, MOST_OF_READERS, NewToken, Scope};
use serde_json::json;

use crate::support::Stage;

on_both!(
    con_059_entries_are_kept_with_time_and_listed_the_newest_first,
    con_059_old_entries_are_deleted_and_no_others,
    con_059_of_refused_logins_a_sweep_leaves_the_newest_ten_thousand_and_all_else,
    con_059_of_live_lists_a_sweep_leaves_ten_thousand_of_each_token,
    con_059_what_no_database_can_store_is_kept_visibly,
);

fn all() -> AuditWanted {
    AuditWanted::default()
}

fn about(app: &str) -> AuditWanted {
    AuditWanted { app: Some(app.to_owned()), ..all() }
}

async fn con_059_entries_are_kept_with_time_and_listed_the_newest_first(stage: Stage) {
    let apps = stage.open(60).await;
    let new = NewToken { name: "deploy".to_owned(), scopes: [Scope::Read].into(), ..NewToken::default() };
    let (_, token) = apps.create_token(&new).await.unwrap();
    let bearer = apps.bearer_of(token.expose()).await.unwrap().unwrap();
    let by = || Auditor::bearer(&bearer, "::ffff:10.0.0.4".parse().unwrap());
    let entry = AuditEntry::about("1001", AuditAction::AppUpdate, by());
    let changed =
        entry.with_changes(&json!({ "settings": { "a": 400 } }), &json!({ "settings": { "a": 500 } }));
    apps.audit(&changed).await;
    apps.audit(&AuditEntry::of_node(AuditAction::TokenRevoke, Auditor::command())).await;
    apps.audit(&AuditEntry::about("1002", AuditAction::AppDelete, by())).await;

    let page = apps.audit_log(&all(), 2).await.unwrap();
    let actions: Vec<&str> = page.entries.iter().map(|entry| &*entry.action).collect();
    assert_eq!(actions, ["app.delete", "token.revoke"]);
    assert_eq!((page.entries[1].token, &*page.entries[1].name), (None, "command line"));
    let rest = stage.open(60).await.audit_log(&AuditWanted { before: page.next, ..all() }, 2).await.unwrap();
    assert_eq!((rest.entries.len(), rest.next), (1, None));
    let first = &rest.entries[0];
    assert_eq!(
        (first.token, &*first.name, first.address.as_deref()),
        (Some(bearer.id), "deploy", Some("10.0.0.4"))
    );
    assert_eq!(first.app.as_deref(), Some("1001"));
    assert_eq!(first.detail, json!({ "old": { "settings.a": 400 }, "new": { "settings.a": 500 } }));
    assert!(first.at > 1_700_000_000_000);
    let of_one = apps.audit_log(&about("1002"), 200).await.unwrap();
    assert_eq!(of_one.entries.len(), 1);
}

async fn con_059_old_entries_are_deleted_and_no_others(stage: Stage) {
    let apps = stage.open(60).await;
    for app in ["1", "2", "3"] {
        apps.audit(&AuditEntry::about(app, AuditAction::AppDelete, Auditor::command())).await;
    }
    let old = if matches!(stage, Stage::Postgres(..)) {
        "UPDATE admin_audit SET at = at - make_interval(days => 91) WHERE app_id = '2'"
    } else {
        "UPDATE admin_audit SET at = at - 91 * 86400000 WHERE app_id = '2'"
    };
    stage.operator().await.run(old).await;
    assert_eq!(apps.forget_audit(90).await.unwrap(), 1);
    let left: Vec<_> = apps.audit_log(&all(), 200).await.unwrap().entries;
    assert_eq!(left.iter().map(|entry| entry.app.as_deref()).collect::<Vec<_>>(), [Some("3"), Some("1")]);
}

async fn con_059_of_refused_logins_a_sweep_leaves_the_newest_ten_thousand_and_all_else(stage: Stage) {
    let apps = stage.open(60).await;
    apps.audit(&AuditEntry::about("1", AuditAction::AppDelete, Auditor::command())).await;
    apps.audit(&AuditEntry::of_node(AuditAction::SessionFailed, Auditor::nobody([192, 0, 2, 1].into())))
        .await;
    // As many as strangers may cause within an hour, each doubling the rows.
    for _ in 0..14 {
        let double = "INSERT INTO admin_audit (name, address, action, detail) \
             SELECT name, address, action, detail FROM admin_audit WHERE action = 'session.failed'";
        stage.operator().await.run(double).await;
    }
    let forgotten = apps.forget_audit(90).await.unwrap();
    assert_eq!(forgotten, (1 << 14) - u64::from(MOST_OF_READERS));
    assert_eq!(apps.forget_audit(90).await.unwrap(), 0);
    assert_eq!(apps.audit_log(&about("1"), 200).await.unwrap().entries.len(), 1);
}

async fn con_059_of_live_lists_a_sweep_leaves_ten_thousand_of_each_token(stage: Stage) {
    let apps = stage.open(60).await;
    let new = NewToken { name: "a".to_owned(), scopes: [Scope::Read].into(), ..NewToken::default() };
    for _ in 0..2 {
        let (_, token) = apps.create_token(&new).await.unwrap();
        let bearer = apps.bearer_of(token.expose()).await.unwrap().unwrap();
        let by = Auditor::bearer(&bearer, [192, 0, 2, 1].into());
        apps.audit(&AuditEntry::about("1", AuditAction::LivePayloads, by)).await;
    }
    for _ in 0..14 {
        let double = "INSERT INTO admin_audit (token_id, name, address, app_id, action, detail) \
             SELECT token_id, name, address, app_id, action, detail FROM admin_audit WHERE token_id = 1";
        stage.operator().await.run(double).await;
    }
    assert_eq!(apps.forget_audit(90).await.unwrap(), (1 << 14) - u64::from(MOST_OF_READERS));
    let of = |token| AuditWanted { token: Some(token), action: Some("live.payloads".to_owned()), ..all() };
    assert_eq!(apps.audit_log(&of(1), 200).await.unwrap().entries.len(), 200);
    assert_eq!(apps.audit_log(&of(2), 200).await.unwrap().entries.len(), 1, "of another token nothing goes");
}

async fn con_059_what_no_database_can_store_is_kept_visibly(stage: Stage) {
    let apps = stage.open(60).await;
    let entry = AuditEntry::about("1", AuditAction::EventSend, Auditor::command());
    apps.audit(&entry.with("event", "evil\0".into()).with("filter", json!({ "a\0": ["\0*"] }))).await;
    let entry = AuditEntry::about("1", AuditAction::AppUpdate, Auditor::command());
    apps.audit(&entry.with_changes(&json!({ "name": "a" }), &json!({ "name": "a\0" }))).await;
    let kept = apps.audit_log(&about("1"), 200).await.unwrap().entries;
    assert_eq!(kept[0].detail, json!({ "old": { "name": "a" }, "new": { "name": "a\u{2400}" } }));
    assert_eq!(kept[1].detail, json!({ "event": "evil\u{2400}", "filter": { "a\u{2400}": ["\u{2400}*"] } }));
}
