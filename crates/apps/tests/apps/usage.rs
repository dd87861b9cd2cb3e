//! The usage of apps: one suite, run against SQLite and against Postgres.

use fanfare_apps::{Apps, HourOfUsage, NewApp, OperationError, Usage};
use fanfare_protocol::app::Limits;
use fanfare_protocol::ids::AppId;

use crate::support::Stage;

on_both!(
    what_is_added_adds_up_and_the_peak_is_the_highest,
    nodes_are_summed_with_their_peaks,
    hours_are_told_apart_and_asked_for_from_one_until_before_another,
    the_messages_of_a_day_are_those_of_one_node,
    usage_outlives_the_app,
    what_cannot_be_added_whole_is_not_added_at_all,
);

const HOUR: u64 = 490_000;

fn used(app: &str, hour: u64, factor: u64) -> (AppId, HourOfUsage) {
    let usage = Usage {
        peak_connections: 10 * factor,
        backend_messages: factor,
        client_messages: 2 * factor,
        deliveries: 3 * factor,
        delivered_bytes: 4_000_000_000 * factor,
        webhook_deliveries: 5 * factor,
        webhook_failures: 6 * factor,
        webhook_events_dropped: 7 * factor,
    };
    (AppId::from(app), HourOfUsage { hour, usage })
}

async fn usage(apps: &Apps, app: &str) -> Vec<HourOfUsage> {
    apps.usage(app, 0, u64::MAX).await.unwrap()
}

async fn what_is_added_adds_up_and_the_peak_is_the_highest(stage: Stage) {
    let apps = stage.open(60).await;
    for factor in [2, 5, 1] {
        apps.add_usage("node-1", &[used("7", HOUR, factor), used("8", HOUR, 1)]).await.unwrap();
    }
    let sum = Usage {
        peak_connections: 50,
        backend_messages: 8,
        client_messages: 16,
        deliveries: 24,
        delivered_bytes: 32_000_000_000,
        webhook_deliveries: 40,
        webhook_failures: 48,
        webhook_events_dropped: 56,
    };
    assert_eq!(usage(&apps, "7").await, [HourOfUsage { hour: HOUR, usage: sum }]);
    assert_eq!(usage(&apps, "8").await[0].usage.backend_messages, 3);
    for unknown in ["9", "7' OR '1'='1"] {
        let refused = apps.usage(unknown, 0, u64::MAX).await;
        assert!(matches!(refused, Err(OperationError::NoSuchApp(_))), "{unknown}");
    }
    assert_eq!(apps.usage("7", 0, HOUR).await.unwrap(), [], "nothing in these hours, but the app is known");
}

async fn nodes_are_summed_with_their_peaks(stage: Stage) {
    let apps = stage.open(60).await;
    for (node, factor) in [("node-1", 1), ("node-1", 4), ("node-2", 2)] {
        apps.add_usage(node, &[used("7", HOUR, factor)]).await.unwrap();
    }
    let sum = usage(&apps, "7").await[0].usage;
    assert_eq!((sum.peak_connections, sum.backend_messages), (40 + 20, 7));
}

async fn hours_are_told_apart_and_asked_for_from_one_until_before_another(stage: Stage) {
    let apps = stage.open(60).await;
    let rows: Vec<_> = (0..4).map(|hour| used("7", HOUR + hour, hour + 1)).collect();
    apps.add_usage("node-1", &rows).await.unwrap();
    let found = apps.usage("7", HOUR + 1, HOUR + 3).await.unwrap();
    assert_eq!(found, [rows[1].1, rows[2].1]);
}

async fn the_messages_of_a_day_are_those_of_one_node(stage: Stage) {
    let apps = stage.open(60).await;
    assert_eq!(apps.messages_since("7", "node-1", HOUR).await.unwrap(), 0);
    let rows: Vec<_> = (0..3).map(|hour| used("7", HOUR + hour, 100)).collect();
    apps.add_usage("node-1", &rows).await.unwrap();
    apps.add_usage("node-2", &[used("7", HOUR + 1, 1000)]).await.unwrap();
    assert_eq!(apps.messages_since("7", "node-1", HOUR + 1).await.unwrap(), 600);
}

async fn usage_outlives_the_app(stage: Stage) {
    let apps = stage.open(60).await;
    apps.create(NewApp { id: Some("7".to_owned()), ..NewApp::default() }).await.unwrap();
    apps.add_usage("node-1", &[used("7", HOUR, 1)]).await.unwrap();
    apps.delete("7").await.unwrap();
    apps.add_usage("node-1", &[used("7", HOUR, 1)]).await.unwrap();
    assert_eq!(usage(&stage.open(60).await, "7").await[0].usage.backend_messages, 2);
}

async fn what_cannot_be_added_whole_is_not_added_at_all(stage: Stage) {
    let apps = stage.open(60).await;
    let rows = [used("7", HOUR, 1), used("not an id", HOUR, 1)];
    assert!(matches!(apps.add_usage("node-1", &rows).await, Err(OperationError::Database(_))));
    assert!(matches!(apps.usage("7", 0, u64::MAX).await, Err(OperationError::NoSuchApp(_))), "nothing of it");
}

#[tokio::test]
async fn without_a_database_there_is_nothing_to_add_to() {
    let apps = Apps::open(Vec::new(), None, crate::support::kept(Limits::default(), 60)).await.unwrap();
    assert!(!apps.has_database());
    let refused = apps.add_usage("node-1", &[used("7", HOUR, 1)]).await;
    assert!(matches!(refused, Err(OperationError::NoDatabase)));
    assert!(matches!(apps.usage("7", 0, HOUR).await, Err(OperationError::NoDatabase)));
}
