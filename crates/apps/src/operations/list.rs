//! The list of apps in pages: the configuration's apps first, in its order, then the database's in the order of their ids.
//!
//! Bounded in rows, never in time: a page of some apps among many reads the table once. Shows no secret.

use std::collections::BTreeSet;

use crate::apps::Apps;

use super::error::OperationError;
use super::record::AppRecord;

/// Most apps that are listed at once.
pub const MOST_LISTED: usize = 1000;

/// A page of the list of apps that somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct AppsWanted<'a> {
    /// Only apps whose id or name begins so, in whatever case; all if this is empty.
    pub prefix: &'a str,
    /// Only apps behind the one with this id.
    pub after: Option<&'a str>,
    /// At most so many.
    pub most: usize,
}

/// A part of the list of apps.
#[derive(Debug)]
pub struct Page {
    /// The apps.
    pub apps: Vec<AppRecord>,
    /// The id behind which the next page begins; `None` on the last.
    pub next: Option<String>,
}

impl Page {
    /// The first `most` of these, of which one more shows that another page follows.
    fn of(mut apps: Vec<AppRecord>, most: usize) -> Self {
        let is_more = apps.len() > most;
        apps.truncate(most);
        let next = apps.last().filter(|_| is_more).map(|app| app.id.clone());
        Self { apps, next }
    }
}

impl Apps {
    /// A page of those of these apps that there are, in the order of their ids.
    ///
    /// # Errors
    /// The database is away.
    pub async fn list_among(
        &self,
        ids: &BTreeSet<String>,
        AppsWanted { prefix, after, most }: AppsWanted<'_>,
    ) -> Result<Page, OperationError> {
        let mut apps: Vec<AppRecord> = Vec::new();
        for id in ids.iter().filter(|id| after.is_none_or(|after| id.as_str() > after)) {
            let record = match self.show(id).await {
                Err(OperationError::NoSuchApp(_)) => continue,
                record => record?,
            };
            if begins_with(id, prefix) || begins_with(&record.name, prefix) {
                apps.push(record);
            }
            if apps.len() > most {
                break;
            }
        }
        Ok(Page::of(apps, most))
    }

    /// A page of all apps.
    ///
    /// # Errors
    /// The database is away.
    pub async fn list(
        &self,
        AppsWanted { prefix, after, most }: AppsWanted<'_>,
    ) -> Result<Page, OperationError> {
        let most = most.clamp(1, MOST_LISTED);
        let known = self.fixed.kept();
        let place = after.and_then(|id| known.list.iter().position(|app| app.id.as_str() == id));
        let first = match (after, place) {
            (None, _) => 0,
            (Some(_), Some(at)) => at + 1,
            (Some(_), None) => known.list.len(),
        };
        let fixed = known.list.iter().skip(first).filter(|app| begins_with(app.id.as_str(), prefix));
        // One more than requested shows whether another page follows.
        let mut apps: Vec<AppRecord> = fixed.take(most + 1).map(|app| AppRecord::fixed(app)).collect();
        if let Some(stored) = &self.stored {
            let mut behind = after.filter(|_| place.is_none()).unwrap_or_default().to_owned();
            while apps.len() <= most {
                let wanted = most + 1 - apps.len();
                let rows = stored.store.list((prefix, &behind), wanted).await?;
                let is_last = rows.len() < wanted;
                for row in rows {
                    behind.clone_from(&row.id);
                    if !known.by_id.contains_key(row.id.as_str()) {
                        apps.push(stored.record(row).await?);
                    }
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(Page::of(apps, most))
    }
}

/// Whether a name begins with the text, in whatever case. An app of the configuration has no name.
pub(super) fn begins_with(name: &str, text: &str) -> bool {
    name.to_lowercase().starts_with(&text.to_lowercase())
}
