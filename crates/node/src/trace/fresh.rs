//! The apps with traces whose hints have not been looked for. Bounded; of other apps the hints are looked for when somebody asks.

use std::collections::HashSet;

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;

/// Most apps.
const MOST_APPS: usize = 1000;

/// The apps with fresh traces.
#[derive(Debug, Default)]
pub(crate) struct FreshTraces(Mutex<HashSet<AppId>>);

impl FreshTraces {
    /// An app has a fresh trace; false if there is no room for the app.
    pub fn add(&self, app: &AppId) -> bool {
        let mut apps = self.0.lock();
        if apps.len() >= MOST_APPS {
            return apps.contains(app);
        }
        apps.insert(app.clone());
        true
    }

    /// The apps since the last call.
    pub fn take(&self) -> HashSet<AppId> {
        std::mem::take(&mut self.0.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_apps_are_remembered_each_once_until_they_are_taken() {
        let fresh = FreshTraces::default();
        for number in 0..2 * MOST_APPS {
            assert_eq!(fresh.add(&AppId::from(&*number.to_string())), number < MOST_APPS);
            assert!(fresh.add(&AppId::from("0")));
        }
        assert_eq!(fresh.take().len(), MOST_APPS);
        assert_eq!(fresh.take().len(), 0);
    }
}
