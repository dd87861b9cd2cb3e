//! The records of the ACME client: one suite, run against SQLite and against Postgres.

use std::time::Duration;

use crate::support::Stage;

on_both!(
    a_lease_is_ended_by_its_holder_alone,
    what_authorities_ask_for_is_read_at_once_and_only_while_it_lasts,
);

const LONG: Duration = Duration::from_secs(3600);

async fn a_lease_is_ended_by_its_holder_alone(stage: Stage) {
    let apps = stage.open(60).await;
    let take = |holder: &'static str, life| apps.take_acme_lease("lease:x", holder, life);
    assert!(take("first", Duration::ZERO).await.unwrap());
    // The time of the first is over: it was too slow, and ends what is another's by now.
    assert!(take("second", LONG).await.unwrap());
    apps.end_acme_lease("lease:x", "first").await.unwrap();
    assert!(!take("third", LONG).await.unwrap(), "the second has it still");
    assert!(take("second", LONG).await.unwrap(), "and extends it");
    apps.end_acme_lease("lease:x", "second").await.unwrap();
    assert!(take("third", LONG).await.unwrap());
}

async fn what_authorities_ask_for_is_read_at_once_and_only_while_it_lasts(stage: Stage) {
    let apps = stage.open(60).await;
    for (name, life) in [
        ("token:b", LONG),
        ("host:a.test", LONG),
        ("token:over", Duration::from_millis(1)),
        ("account:x", Duration::ZERO),
    ] {
        apps.put_acme_record(name, &format!("of {name}"), life).await.unwrap();
    }
    let gone = async || apps.acme_record("token:over").await.unwrap().is_none();
    while !gone().await {
        tokio::task::yield_now().await;
    }
    let of = |name: &str| (name.to_owned(), format!("of {name}"));
    let mut found = apps.acme_records_of(["token:", "host:"]).await.unwrap();
    found.sort_unstable();
    assert_eq!(found, [of("host:a.test"), of("token:b")]);
}
