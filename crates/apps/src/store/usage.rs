//! The table `app_usage`: adding and summing. Decides nothing, and deletes nothing.

use std::ops::Range;

use fanfare_protocol::ids::AppId;
use sqlx::FromRow;

use super::Store;
use super::write::either;
use crate::usage::{HourOfUsage, Usage};

const ADD: &str = "INSERT INTO app_usage AS known (app_id, hour, node, peak_connections, backend_messages, \
         client_messages, deliveries, delivered_bytes, webhook_deliveries, webhook_failures, \
         webhook_events_dropped) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
     ON CONFLICT (app_id, hour, node) DO UPDATE SET \
         peak_connections = CASE WHEN excluded.peak_connections > known.peak_connections \
             THEN excluded.peak_connections ELSE known.peak_connections END, \
         backend_messages = known.backend_messages + excluded.backend_messages, \
         client_messages = known.client_messages + excluded.client_messages, \
         deliveries = known.deliveries + excluded.deliveries, \
         delivered_bytes = known.delivered_bytes + excluded.delivered_bytes, \
         webhook_deliveries = known.webhook_deliveries + excluded.webhook_deliveries, \
         webhook_failures = known.webhook_failures + excluded.webhook_failures, \
         webhook_events_dropped = known.webhook_events_dropped + excluded.webhook_events_dropped";

const HOURS: &str = "SELECT hour, CAST(SUM(peak_connections) AS bigint) AS peak_connections, \
         CAST(SUM(backend_messages) AS bigint) AS backend_messages, \
         CAST(SUM(client_messages) AS bigint) AS client_messages, \
         CAST(SUM(deliveries) AS bigint) AS deliveries, \
         CAST(SUM(delivered_bytes) AS bigint) AS delivered_bytes, \
         CAST(SUM(webhook_deliveries) AS bigint) AS webhook_deliveries, \
         CAST(SUM(webhook_failures) AS bigint) AS webhook_failures, \
         CAST(SUM(webhook_events_dropped) AS bigint) AS webhook_events_dropped \
     FROM app_usage WHERE app_id = $1 AND hour >= $2 AND hour < $3 \
     GROUP BY hour ORDER BY hour LIMIT $4";

const KNOWN: &str = "SELECT 1 WHERE EXISTS (SELECT 1 FROM apps WHERE id = $1) \
     OR EXISTS (SELECT 1 FROM app_usage WHERE app_id = $1)";

const MESSAGES: &str = "SELECT CAST(COALESCE(SUM(backend_messages + client_messages), 0) AS bigint) \
     FROM app_usage WHERE app_id = $1 AND node = $2 AND hour >= $3";

/// The sums of one hour, as a row has them.
#[derive(FromRow)]
struct Row {
    hour: i64,
    peak_connections: i64,
    backend_messages: i64,
    client_messages: i64,
    deliveries: i64,
    delivered_bytes: i64,
    webhook_deliveries: i64,
    webhook_failures: i64,
    webhook_events_dropped: i64,
}

impl Store {
    /// Adds usage to the node's rows, in one transaction.
    pub async fn add_usage(&self, node: &str, used: &[(AppId, HourOfUsage)]) -> Result<(), sqlx::Error> {
        either!(self, pool => {
            let mut transaction = pool.begin().await?;
            for (app, HourOfUsage { hour, usage }) in used {
                sqlx::query(ADD)
                    .bind(app.as_str())
                    .bind(signed(*hour))
                    .bind(node)
                    .bind(signed(usage.peak_connections))
                    .bind(signed(usage.backend_messages))
                    .bind(signed(usage.client_messages))
                    .bind(signed(usage.deliveries))
                    .bind(signed(usage.delivered_bytes))
                    .bind(signed(usage.webhook_deliveries))
                    .bind(signed(usage.webhook_failures))
                    .bind(signed(usage.webhook_events_dropped))
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        })
    }

    /// The hours in which the app has any usage, summed over the nodes.
    pub async fn usage(
        &self,
        app: &str,
        hours: Range<u64>,
        most: u32,
    ) -> Result<Vec<HourOfUsage>, sqlx::Error> {
        let (from, to, most) = (signed(hours.start), signed(hours.end), i64::from(most));
        let rows: Vec<Row> = either!(self, pool => {
            sqlx::query_as(HOURS).bind(app).bind(from).bind(to).bind(most).fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(HourOfUsage::from).collect())
    }

    /// Whether there is such an app, or was one that has used anything.
    pub async fn knows(&self, app: &str) -> Result<bool, sqlx::Error> {
        let found: Option<i32> = either!(self, pool => {
            sqlx::query_scalar(KNOWN).bind(app).fetch_optional(pool).await?
        });
        Ok(found.is_some())
    }

    /// Messages of an app on a node since an hour.
    pub async fn messages_since(&self, app: &str, node: &str, hour: u64) -> Result<u64, sqlx::Error> {
        let messages: i64 = either!(self, pool => {
            sqlx::query_scalar(MESSAGES).bind(app).bind(node).bind(signed(hour)).fetch_one(pool).await?
        });
        Ok(unsigned(messages))
    }
}

impl From<Row> for HourOfUsage {
    fn from(row: Row) -> Self {
        let usage = Usage {
            peak_connections: unsigned(row.peak_connections),
            backend_messages: unsigned(row.backend_messages),
            client_messages: unsigned(row.client_messages),
            deliveries: unsigned(row.deliveries),
            delivered_bytes: unsigned(row.delivered_bytes),
            webhook_deliveries: unsigned(row.webhook_deliveries),
            webhook_failures: unsigned(row.webhook_failures),
            webhook_events_dropped: unsigned(row.webhook_events_dropped),
        };
        Self { hour: unsigned(row.hour), usage }
    }
}

/// Databases have no unsigned numbers; these values never exceed the signed range.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
