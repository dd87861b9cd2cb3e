//! Finding apps by the beginning of an id or of a name (CON-046), and by a key that is no longer good (CON-045).
//!
//! Bounded in what is found. Shows no settings and no keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::ids::is_key_or_secret;

use crate::apps::{Apps, in_time};

use super::error::OperationError;
use super::list::{AppsWanted, begins_with};

/// An app that was searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundApp {
    /// The app's id.
    pub id: String,
    /// Its name for people, or empty.
    pub name: String,
}

impl Apps {
    /// The app that had a key which was revoked since; none while the database is away.
    pub async fn had_key(&self, key: &str) -> Option<Arc<App>> {
        let stored = self.stored.as_ref().filter(|_| is_key_or_secret(key))?;
        let owner = in_time(async { Ok(stored.store.owner_of(key).await?) }).await.ok()??;
        self.by_id(&owner).await.ok()?
    }

    /// At most `most` apps whose id or name begins with `text`, in whatever case: the one with exactly this id first. With
    /// `among`, only of these.
    ///
    /// # Errors
    /// The database is away.
    pub async fn search(
        &self,
        text: &str,
        among: Option<&BTreeSet<String>>,
        most: usize,
    ) -> Result<Vec<FoundApp>, OperationError> {
        let mut found: Vec<FoundApp> = match among {
            Some(ids) => {
                let wanted = AppsWanted { prefix: text, after: None, most: ids.len() };
                let own = self.list_among(ids, wanted).await?.apps.into_iter();
                own.map(|app| FoundApp { id: app.id, name: app.name }).collect()
            }
            None => {
                let known = self.fixed.kept();
                let fixed = known.list.iter().map(|app| app.id.as_str());
                let fixed = fixed.filter(|id| begins_with(id, text));
                let mut all: Vec<FoundApp> =
                    fixed.map(|id| FoundApp { id: id.to_owned(), name: String::new() }).collect();
                if let Some(stored) = &self.stored {
                    // An app of the configuration hides one of the database with its id.
                    let rows = stored.store.beginning_with(text, most + known.list.len()).await?;
                    let rows = rows.into_iter().filter(|(id, _)| !known.by_id.contains_key(id.as_str()));
                    all.extend(rows.map(|(id, name)| FoundApp { id, name }));
                }
                all
            }
        };
        found.sort_by_key(|app| app.id != text);
        found.truncate(most);
        Ok(found)
    }
}
