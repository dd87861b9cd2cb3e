//! One look at an app of a database that stays as it is: no file is made, and no table is brought up to date.

use arc_swap::ArcSwap;
use fanfare_protocol::app::App;

use crate::apps::Storage;
use crate::database::Database;
use crate::error::AppsError;
use crate::first::usable;
use crate::store::{Ask, Reading, Store};

/// The app with this key, or this id; the one that was made first if neither is given. `None`: there is none, or no
/// database.
///
/// # Errors
/// The database cannot be read, or the app's row is faulty.
pub async fn peek(
    database: &Database,
    kept: &Storage,
    key: Option<&str>,
    id: Option<&str>,
) -> Result<Option<App>, AppsError> {
    let Some(store) = Store::open_as_it_is(database).await? else { return Ok(None) };
    let reading = Reading { defaults: ArcSwap::from_pointee(kept.defaults.clone()), keys: kept.keys.clone() };
    let asked = key.map(|key| Ask::Key(key.into())).or_else(|| id.map(|id| Ask::Id(id.into())));
    let record = match asked {
        Some(ask) => store.find(&ask, &reading).await,
        None => store.oldest(&reading).await,
    };
    let unreadable = |error| match database {
        Database::Sqlite(file) => AppsError::Sqlite { path: file.clone(), error },
        Database::Postgres(_) => AppsError::Postgres { place: database.place(), error },
    };
    record.map_err(unreadable)?.map(usable).transpose()
}
