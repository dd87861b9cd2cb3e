//! The apps that take broadcasts from a Redis, which are needed also without a look-up.

use super::Store;
use super::write::either;

/// Most ids that are read at once.
const MOST: i64 = 1000;

/// Shorter ids sort first, as numbers do.
macro_rules! ids {
    ($has_feed:literal) => {
        concat!(
            "SELECT id FROM apps WHERE ",
            $has_feed,
            " AND (length(id), id) > (length($1), $1) ORDER BY length(id), id LIMIT $2"
        )
    };
}

// As in the migrations' indices.
const SQLITE: &str = ids!("json_type(settings, '$.redis_feed') = 'object'");
const POSTGRES: &str = ids!("jsonb_exists(settings, 'redis_feed')");

impl Store {
    /// The ids of all apps with settings of a feed.
    pub async fn feed_ids(&self) -> Result<Vec<String>, sqlx::Error> {
        let query = match self {
            Self::Sqlite(_) => SQLITE,
            Self::Postgres(_) => POSTGRES,
        };
        let mut all: Vec<String> = Vec::new();
        loop {
            let behind = all.last().cloned().unwrap_or_default();
            let some: Vec<String> = either!(self, pool => {
                sqlx::query_scalar(query).bind(behind).bind(MOST).fetch_all(pool).await?
            });
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }
}
