//! The table `webhook_requests`: keeping, leasing, dropping. Every time is the database's.

use std::time::Duration;

use bytes::Bytes;
use fanfare_protocol::ids::AppId;
use sqlx::{FromRow, QueryBuilder};

use super::Store;
use super::write::either;
use crate::backlog::{
    BacklogBounds, BacklogRoom, BackloggedUrl, DroppedRequest, KeptOfUrl, LeaseOutcome, LeasedRequest,
    MOST_KEPT_COUNTED, RequestLease, UndeliveredRequest,
};

/// Now, in milliseconds since 1970; the same for a whole statement.
macro_rules! now {
    (sqlite) => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
    (postgres) => {
        "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS bigint)"
    };
}

macro_rules! backlog {
    ($database:ident) => {
        concat!(
            "SELECT app_id, url, CAST(MIN(CASE WHEN due_at > leased_until THEN due_at ELSE leased_until END) AS bigint) - ",
            now!($database),
            " AS due_in FROM webhook_requests GROUP BY app_id, url ORDER BY due_in LIMIT $1"
        )
    };
}

macro_rules! kept_of_url {
    ($database:ident) => {
        concat!(
            "SELECT CAST(COUNT(*) AS bigint) AS requests, CAST((SELECT ",
            now!($database),
            " - happened_at FROM webhook_requests WHERE app_id = $1 AND url = $2 ORDER BY id LIMIT 1) AS bigint) ",
            "AS oldest FROM (SELECT id FROM webhook_requests WHERE app_id = $1 AND url = $2 LIMIT $3) AS counted"
        )
    };
}

macro_rules! lease {
    ($database:ident) => {
        concat!(
            "UPDATE webhook_requests SET leased_until = ",
            now!($database),
            " + $4, lease = $5 WHERE id IN (SELECT id FROM webhook_requests WHERE app_id = $1 AND url = $2 ",
            "AND due_at <= ",
            now!($database),
            " AND NOT EXISTS (SELECT 1 FROM webhook_requests AS others WHERE others.app_id = $1 ",
            "AND others.url = $2 AND others.leased_until > ",
            now!($database),
            ") ORDER BY due_at, id LIMIT $3) RETURNING id, due_at, key, events, attempts, body"
        )
    };
}

macro_rules! failed {
    ($database:ident) => {
        concat!(
            "UPDATE webhook_requests SET attempts = attempts + 1, leased_until = 0, due_at = ",
            now!($database),
            " + $3 WHERE id = $1 AND lease = $2"
        )
    };
}

macro_rules! hasten {
    ($database:ident) => {
        concat!(
            "UPDATE webhook_requests SET hastened = 1, due_at = ",
            now!($database),
            " WHERE app_id = $1 AND url = $2 AND hastened = 0"
        )
    };
}

macro_rules! drop_old {
    ($database:ident) => {
        concat!(
            "DELETE FROM webhook_requests WHERE id IN (SELECT id FROM webhook_requests WHERE happened_at < ",
            now!($database),
            " - $1 ORDER BY id LIMIT $2) RETURNING app_id, events"
        )
    };
}

const KEEP: &str = "INSERT INTO webhook_requests \
     (app_id, url, key, bytes, events, attempts, body, happened_at, due_at) ";

/// Most rows of a statement: each has to end in time, or would be undone and tried again for ever.
const MOST_ROWS: usize = 500;

/// About what a row and its places in the indexes take beside their texts.
const ROW: usize = 200;

const HELD: &str = "SELECT CAST(COUNT(*) AS bigint) AS requests, \
         CAST(COALESCE(SUM(bytes), 0) AS bigint) AS bytes, \
         CAST(COUNT(*) FILTER (WHERE app_id = $1) AS bigint) AS requests_of_app, \
         CAST(COALESCE(SUM(bytes) FILTER (WHERE app_id = $1), 0) AS bigint) AS bytes_of_app, \
         CAST(COUNT(*) FILTER (WHERE app_id = $1 AND url = $2) AS bigint) AS requests_of_url, \
         CAST(COALESCE(SUM(bytes) FILTER (WHERE app_id = $1 AND url = $2), 0) AS bigint) AS bytes_of_url \
     FROM webhook_requests";

/// Leaves the newest, of one URL, of one app or of all, once it was done often enough.
const TRIM: &str = "DELETE FROM webhook_requests WHERE id IN (SELECT id FROM (SELECT id, \
         ROW_NUMBER() OVER (ORDER BY id DESC) AS requests, SUM(bytes) OVER (ORDER BY id DESC) AS bytes \
         FROM webhook_requests WHERE ($1 = '' OR app_id = $1) AND ($2 = '' OR url = $2)) AS newest \
     WHERE requests > $3 OR bytes > $4 ORDER BY id LIMIT $5) RETURNING app_id, events";

const DELIVERED: &str = "DELETE FROM webhook_requests WHERE id = $1 AND lease = $2";
const RELEASE: &str = "UPDATE webhook_requests SET leased_until = 0 \
     WHERE app_id = $1 AND url = $2 AND lease = $3";
const DROP: &str = "DELETE FROM webhook_requests WHERE id IN (SELECT id FROM webhook_requests \
     WHERE app_id = $1 AND url = $2 ORDER BY id LIMIT $3) RETURNING app_id, events";

/// In Postgres: one transaction at a time keeps or leases, so that bounds are kept and a URL has one lease. The number
/// means nothing.
const ALONE: &str = "SELECT pg_advisory_xact_lock(5927461183920017)";

/// Runs the same code in a transaction of either database, one transaction at a time.
macro_rules! alone {
    ($store:expr, $transaction:ident => $body:expr) => {
        match $store {
            Store::Sqlite(pool) => {
                let mut $transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
                let done = $body;
                $transaction.commit().await?;
                Ok(done)
            }
            Store::Postgres(pool) => {
                let mut $transaction = pool.begin().await?;
                sqlx::query(ALONE).execute(&mut *$transaction).await?;
                let done = $body;
                $transaction.commit().await?;
                Ok(done)
            }
        }
    };
}

/// A statement in the syntax of the store's database.
macro_rules! of {
    ($store:expr, $statement:ident) => {
        match $store {
            Store::Sqlite(_) => $statement!(sqlite),
            Store::Postgres(_) => $statement!(postgres),
        }
    };
}

/// What is kept: of all apps, of an app, of a URL.
#[derive(FromRow)]
struct Held {
    requests: i64,
    bytes: i64,
    requests_of_app: i64,
    bytes_of_app: i64,
    requests_of_url: i64,
    bytes_of_url: i64,
}

#[derive(FromRow)]
struct DroppedRow {
    app_id: String,
    events: i32,
}

#[derive(FromRow)]
struct UrlRow {
    app_id: String,
    url: String,
    due_in: i64,
}

#[derive(FromRow)]
struct KeptRow {
    requests: i64,
    oldest: Option<i64>,
}

#[derive(FromRow)]
struct LeasedRow {
    id: i64,
    due_at: i64,
    key: String,
    events: i32,
    attempts: i32,
    body: Vec<u8>,
}

impl Store {
    /// Adds requests of a URL, and drops the oldest over the bounds.
    pub async fn keep_requests(
        &self,
        (app, url): (&AppId, &str),
        requests: &[UndeliveredRequest],
        bounds: &BacklogBounds,
    ) -> Result<Vec<DroppedRequest>, sqlx::Error> {
        let (app, now) = (app.as_str(), of!(self, now));
        let dropped: Result<Vec<DroppedRow>, sqlx::Error> = alone!(self, transaction => {
            // Each statement is a way to the database and back.
            for some in requests.chunks(MOST_ROWS) {
                let mut keep = QueryBuilder::new(KEEP);
                keep.push_values(some, |mut row, request| {
                    row.push_bind(app).push_bind(url).push_bind(&request.key);
                    row.push_bind(small(cost(app, url, request)));
                    row.push_bind(small(request.events)).push_bind(small(request.attempts as usize));
                    row.push_bind(&*request.body);
                    row.push(now).push_unseparated(" - ").push_bind_unseparated(milliseconds(request.age));
                    row.push(now).push_unseparated(" + ").push_bind_unseparated(milliseconds(request.due_in));
                });
                keep.build().persistent(false).execute(&mut *transaction).await?;
            }
            let held: Held = sqlx::query_as(HELD).bind(app).bind(url).fetch_one(&mut *transaction).await?;
            let mut dropped: Vec<DroppedRow> = Vec::new();
            for (app, url, room) in held.trims(app, url, bounds) {
                let trim = sqlx::query_as(TRIM).bind(app).bind(url).bind(large(room.requests)).bind(large(room.bytes));
                let trim = trim.bind(large(2 * MOST_ROWS));
                dropped.extend(trim.fetch_all(&mut *transaction).await?);
            }
            dropped
        });
        Ok(of_rows(dropped?))
    }

    /// The URLs with requests, those first that are due first.
    pub async fn backlog(&self, most: u32) -> Result<Vec<BackloggedUrl>, sqlx::Error> {
        let backlog = of!(self, backlog);
        let rows: Vec<UrlRow> =
            either!(self, pool => sqlx::query_as(backlog).bind(i64::from(most)).fetch_all(pool).await?);
        let url = |UrlRow { app_id, url, due_in }| BackloggedUrl {
            app: AppId::from(&*app_id),
            url,
            due_in: Duration::from_millis(u64::try_from(due_in).unwrap_or(0)),
        };
        Ok(rows.into_iter().map(url).collect())
    }

    /// Counts the requests of each of these URLs, by the index.
    pub async fn kept_of_urls(&self, app: &AppId, urls: &[&str]) -> Result<Vec<KeptOfUrl>, sqlx::Error> {
        let statement = of!(self, kept_of_url);
        let mut kept = Vec::with_capacity(urls.len());
        for url in urls {
            let row: KeptRow = either!(self, pool => {
                let count = sqlx::query_as(statement).bind(app.as_str()).bind(*url);
                count.bind(large(MOST_KEPT_COUNTED + 1)).fetch_one(pool).await?
            });
            let age = |age: i64| Duration::from_millis(u64::try_from(age).unwrap_or(0));
            let requests = usize::try_from(row.requests).unwrap_or(0);
            kept.push(KeptOfUrl { requests, oldest: row.oldest.map(age) });
        }
        Ok(kept)
    }

    /// Leases due requests of a URL, unless some are leased.
    pub async fn lease_requests(
        &self,
        (app, url): (&AppId, &str),
        most: u32,
        lease: Duration,
        number: i64,
    ) -> Result<RequestLease, sqlx::Error> {
        let statement = of!(self, lease);
        let rows: Result<Vec<LeasedRow>, sqlx::Error> = alone!(self, transaction => {
            sqlx::query_as(statement)
                .bind(app.as_str())
                .bind(url)
                .bind(i64::from(most))
                .bind(milliseconds(lease))
                .bind(number)
                .fetch_all(&mut *transaction)
                .await?
        });
        let mut rows = rows?;
        rows.sort_by_key(|row| (row.due_at, row.id));
        let requests = rows.into_iter().map(LeasedRequest::from).collect();
        Ok(RequestLease { number, app: app.clone(), url: url.to_owned(), requests })
    }

    /// Ends a request's lease.
    pub async fn settle_request(
        &self,
        lease: i64,
        id: i64,
        outcome: LeaseOutcome,
    ) -> Result<(), sqlx::Error> {
        let failed = of!(self, failed);
        either!(self, pool => match outcome {
            LeaseOutcome::Delivered => sqlx::query(DELIVERED).bind(id).bind(lease).execute(pool).await.map(drop),
            LeaseOutcome::Failed(due_in) => {
                let statement = sqlx::query(failed).bind(id).bind(lease).bind(milliseconds(due_in));
                statement.execute(pool).await.map(drop)
            }
        })
    }

    /// Makes the requests of a URL due that never were before.
    pub async fn hasten_requests(&self, app: &AppId, url: &str) -> Result<(), sqlx::Error> {
        let hasten = of!(self, hasten);
        either!(self, pool => sqlx::query(hasten).bind(app.as_str()).bind(url).execute(pool).await.map(drop))
    }

    /// Ends a lease.
    pub async fn release_requests(&self, lease: &RequestLease) -> Result<(), sqlx::Error> {
        either!(self, pool => {
            let release = sqlx::query(RELEASE).bind(lease.app.as_str()).bind(&lease.url).bind(lease.number);
            release.execute(pool).await.map(drop)
        })
    }

    /// Drops a URL's requests, the oldest first; as many as a statement may.
    pub async fn drop_requests(&self, app: &AppId, url: &str) -> Result<Vec<DroppedRequest>, sqlx::Error> {
        let rows: Vec<DroppedRow> = either!(self, pool => {
            sqlx::query_as(DROP).bind(app.as_str()).bind(url).bind(large(MOST_ROWS)).fetch_all(pool).await?
        });
        Ok(of_rows(rows))
    }

    /// Drops old requests; as many as a statement may.
    pub async fn drop_old_requests(&self, age: Duration) -> Result<Vec<DroppedRequest>, sqlx::Error> {
        let statement = of!(self, drop_old);
        let rows: Vec<DroppedRow> = either!(self, pool => {
            sqlx::query_as(statement).bind(milliseconds(age)).bind(large(MOST_ROWS)).fetch_all(pool).await?
        });
        Ok(of_rows(rows))
    }
}

impl Held {
    /// What has to be trimmed, the narrowest first: app and URL, empty for every one.
    fn trims<'a>(
        &self,
        app: &'a str,
        url: &'a str,
        bounds: &BacklogBounds,
    ) -> Vec<(&'a str, &'a str, BacklogRoom)> {
        let all = [
            (app, url, self.requests_of_url, self.bytes_of_url, bounds.of_url),
            (app, "", self.requests_of_app, self.bytes_of_app, bounds.of_app),
            ("", "", self.requests, self.bytes, bounds.in_all),
        ];
        let is_over =
            |requests, bytes, room: BacklogRoom| requests > large(room.requests) || bytes > large(room.bytes);
        let over = all.into_iter().filter(|(.., requests, bytes, room)| is_over(*requests, *bytes, *room));
        over.map(|(app, url, _, _, room)| (app, url, room)).collect()
    }
}

impl From<LeasedRow> for LeasedRequest {
    fn from(row: LeasedRow) -> Self {
        Self {
            id: row.id,
            key: row.key,
            body: Bytes::from(row.body),
            events: usize::try_from(row.events).unwrap_or(0),
            attempts: u32::try_from(row.attempts).unwrap_or(0),
        }
    }
}

fn of_rows(rows: Vec<DroppedRow>) -> Vec<DroppedRequest> {
    let dropped = |row: DroppedRow| DroppedRequest {
        app: AppId::from(&*row.app_id),
        events: u64::try_from(row.events).unwrap_or(0),
    };
    rows.into_iter().map(dropped).collect()
}

/// About what a request takes in the database; the URL and the app stand in the index, too.
fn cost(app: &str, url: &str, request: &UndeliveredRequest) -> usize {
    ROW + request.body.len() + request.key.len() + 2 * (app.len() + url.len())
}

/// Bodies have bounds far below.
fn small(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn large(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
