//! How many channels are occupied and how many users are online, which takes a walk through the table of each partition.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;

use super::links::{BusAway, Links};
use super::scanning::{in_each_partition, scan, scan_while};

/// Channels without a wanted user that are walked through at most to count users.
const MOST_OTHERS: usize = 100_000;

/// How many channels have subscriptions, and how many users are online. Each online user has a hidden channel, and so have the app's connections.
pub(super) async fn occupied(links: &Links, app: &AppId) -> Result<(usize, usize), BusAway> {
    let found = in_each_partition(links, app, |links, topic| async move {
        let found = scan(&links, &topic, &links.shared.layout.app_key(&topic, "totals")).await?;
        // A scan may give an element twice.
        let names: HashSet<String> = found.into_iter().map(|(name, _)| name).collect();
        let names = names.iter().map(|name| ChannelName::trusted(name));
        let (users, channels): (Vec<ChannelName>, Vec<ChannelName>) =
            names.filter(|name| !name.is_connections()).partition(|name| name.online_user().is_some());
        Ok((channels.len(), users.len()))
    });
    let sum = |sum: (usize, usize), one: (usize, usize)| (sum.0 + one.0, sum.1 + one.1);
    Ok(found.await?.into_iter().fold((0, 0), sum))
}

/// How many users were met on the walk, and how many other channels.
struct OnlineTally {
    users: AtomicUsize,
    others: AtomicUsize,
    /// The walk ends above these.
    most_users: usize,
    most_others: usize,
}

impl OnlineTally {
    fn new(most_users: usize, most_others: usize) -> Self {
        Self { users: AtomicUsize::new(0), others: AtomicUsize::new(0), most_users, most_others }
    }

    /// Counts one; returns whether the walk goes on.
    fn note(&self, is_wanted: bool) -> bool {
        let met = if is_wanted { &self.users } else { &self.others };
        met.fetch_add(1, Ordering::Relaxed);
        self.goes_on()
    }

    fn goes_on(&self) -> bool {
        self.users.load(Ordering::Relaxed) <= self.most_users
            && self.others.load(Ordering::Relaxed) <= self.most_others
    }

    /// The users, if the walk did not end because of the others.
    fn count(&self) -> Option<usize> {
        let users = self.users.load(Ordering::Relaxed);
        (users > self.most_users || self.goes_on()).then_some(users)
    }
}

/// Walks through the channels of all partitions until the count is known to be above `most`, or too many were other channels: then
/// there is none.
pub(super) async fn online_count(
    links: &Links,
    app: &AppId,
    prefix: &str,
    most: usize,
) -> Result<Option<usize>, BusAway> {
    let tally = Arc::new(OnlineTally::new(most, MOST_OTHERS));
    let begins: Arc<str> = prefix.into();
    let found = in_each_partition(links, app, |links, topic| {
        let (tally, begins) = (Arc::clone(&tally), Arc::clone(&begins));
        async move {
            let key = links.shared.layout.app_key(&topic, "totals");
            // A scan may give an element twice.
            let mut seen = HashSet::new();
            let note = |name: String, _| {
                let name = ChannelName::trusted(&name);
                let is_wanted = name.online_user().is_some_and(|user| user.starts_with(&*begins));
                if is_wanted && !seen.insert(name) {
                    return tally.goes_on();
                }
                tally.note(is_wanted)
            };
            scan_while(&links, &topic, &key, note).await
        }
    });
    found.await?;
    Ok(tally.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count of so many users and others, and how many were looked at.
    fn walked(users: usize, others: usize) -> (Option<usize>, usize) {
        let tally = OnlineTally::new(3, 5);
        let all = (0..others).map(|_| false).chain((0..users).map(|_| true));
        let looked_at = all.map_while(|is_wanted| tally.note(is_wanted).then_some(())).count();
        (tally.count(), looked_at)
    }

    #[test]
    fn con_022_users_are_counted_as_far_as_is_wanted_and_not_among_too_many_other_channels() {
        assert_eq!(walked(3, 5), (Some(3), 8));
        assert_eq!(walked(100, 0), (Some(4), 3), "more than three");
        assert_eq!(walked(3, 100), (None, 5));
    }
}
