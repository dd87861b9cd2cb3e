//! The usage of each app on this node, and its quotas: counters, one small struct for each app.
//!
//! Looked up once for each request and each connection, added to once for each event and channel, never for a
//! delivery. Knows no clock and no database: `usage` passes in the hours and stores the numbers.

mod authorizations;
mod counts;
mod day;
mod event_counts;
mod keys;
mod moment;
mod share;
mod tenant;
mod unwritten;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use authorizations::{AuthorizationOutcome, Busy, Most, OnNode};
pub use counts::{AppCounts, Growth};
pub use event_counts::{EventCounts, Source};
pub use keys::{KeyInUse, KeyUses};
pub use moment::Moment;
pub use share::Share;
pub use tenant::Tenant;

/// The tenants of this node.
#[derive(Debug, Default)]
pub struct Tenants {
    /// The lock guards the table only. Only existing apps are added, and idle apps are evicted.
    table: Mutex<HashMap<AppId, Arc<Tenant>>>,
    /// Tenants added since the last [`Tenants::made`]; at most as long as the table. The lock guards the list.
    newcomers: Mutex<Vec<AppId>>,
    /// Wakes when a tenant was added.
    made: Notify,
}

impl Tenants {
    /// The app's numbers, created at zero if missing.
    #[must_use]
    pub fn of(&self, app: &AppId) -> Arc<Tenant> {
        let mut table = self.table.lock();
        if let Some(tenant) = table.get(app) {
            return Arc::clone(tenant);
        }
        let tenant = Arc::new(Tenant::new(app.clone()));
        table.insert(app.clone(), Arc::clone(&tenant));
        self.newcomers.lock().push(app.clone());
        drop(table);
        self.made.notify_one();
        tenant
    }

    /// The app's numbers, if there are any.
    #[must_use]
    pub fn find(&self, app: &AppId) -> Option<Arc<Tenant>> {
        self.table.lock().get(app).map(Arc::clone)
    }

    /// All tenants.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Tenant>> {
        self.table.lock().values().map(Arc::clone).collect()
    }

    /// Waits for tenants that were added since the last call.
    pub async fn made(&self) -> Vec<Arc<Tenant>> {
        self.made.notified().await;
        let table = self.table.lock();
        let newcomers = std::mem::take(&mut *self.newcomers.lock());
        newcomers.iter().filter_map(|app| table.get(app).map(Arc::clone)).collect()
    }

    /// Records whether an app was deleted, so that its numbers are kept only until stored.
    pub fn set_gone(&self, app: &AppId, gone: bool) {
        if let Some(tenant) = self.table.lock().get(app) {
            tenant.gone.store(gone, Ordering::Relaxed);
        }
    }

    /// Drops unused tenants whose numbers are stored, if their app is deleted or has been idle for an
    /// hour. Without a database all tenants stay: all are of the configuration.
    pub fn drop_idle(&self, hour: u64) {
        // Under the lock, a tenant that only the table holds cannot be handed out.
        self.table.lock().retain(|_, tenant| Arc::strong_count(tenant) > 1 || !tenant.may_leave(hour));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_there(tenants: &Tenants, id: &str) -> bool {
        tenants.all().iter().any(|tenant| tenant.app.as_str() == id)
    }

    fn store_all(tenants: &Tenants, hour: u64) {
        for tenant in tenants.all() {
            tenant.close_books(hour, || 0);
            let _ = tenant.take_unwritten();
        }
    }

    #[test]
    fn an_idle_app_leaves_the_table_an_hour_after_its_numbers_were_stored() {
        let tenants = Tenants::default();
        let id = AppId::from("1");
        tenants.of(&id).count_event(Source::BackEnd, EventCounts { messages: 1, ..EventCounts::default() });
        tenants.drop_idle(1000);
        assert!(is_there(&tenants, "1"), "its numbers are not stored yet");
        store_all(&tenants, 10);
        for (hour, there) in [(10, true), (11, true), (12, false)] {
            tenants.drop_idle(hour);
            assert_eq!(is_there(&tenants, "1"), there, "hour {hour}");
        }
    }

    #[test]
    fn a_deleted_app_leaves_as_soon_as_nobody_holds_it_and_its_numbers_are_stored() {
        let tenants = Tenants::default();
        let id = AppId::from("1");
        let held = tenants.of(&id);
        tenants.set_gone(&id, true);
        store_all(&tenants, 10);
        tenants.drop_idle(10);
        assert!(is_there(&tenants, "1"), "a connection holds it");
        held.count_event(Source::Client, EventCounts { messages: 1, ..EventCounts::default() });
        drop(held);
        tenants.drop_idle(10);
        assert!(is_there(&tenants, "1"), "its last message is not stored");
        store_all(&tenants, 10);
        tenants.drop_idle(10);
        assert!(!is_there(&tenants, "1"));
    }

    #[test]
    fn an_app_that_was_made_anew_under_its_id_is_not_gone() {
        let tenants = Tenants::default();
        let id = AppId::from("1");
        drop(tenants.of(&id));
        tenants.set_gone(&id, true);
        tenants.set_gone(&id, false);
        store_all(&tenants, 10);
        tenants.drop_idle(10);
        assert!(is_there(&tenants, "1"));
    }

    #[tokio::test]
    async fn each_is_told_of_once_when_it_is_made() {
        let tenants = Tenants::default();
        for id in ["1", "2", "1"] {
            let _ = tenants.of(&AppId::from(id));
        }
        let made: Vec<AppId> = tenants.made().await.iter().map(|tenant| tenant.app.clone()).collect();
        assert_eq!(made, [AppId::from("1"), AppId::from("2")]);
        let _ = tenants.of(&AppId::from("3"));
        assert_eq!(tenants.made().await.len(), 1);
    }
}
