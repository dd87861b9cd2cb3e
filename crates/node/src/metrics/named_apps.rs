//! Which apps have series of their own: a bounded number; all others share one series, so that sums stay true.
//!
//! An app that has got a series keeps it while the app is in memory. Among apps that come at once the busiest are first. An app of
//! the others gets no series before it has left memory: its past counts stay in the shared series, which must never fall.

use std::collections::{HashMap, HashSet};

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;

use super::labels::AppLabel;

/// The label of the apps without series of their own.
const OTHER: &str = "_other";

/// The numbers of an app, in an order that is the caller's.
pub type AppRow = (AppId, Vec<u64>);

/// The numbers of a label, in the same order.
pub type LabelRow = (AppLabel, Vec<u64>);

/// The choice, and what the shared series have counted.
#[derive(Debug)]
pub struct NamedApps {
    most: usize,
    /// Guards the choice. Only scrapes take the lock.
    chosen: Mutex<Chosen>,
}

#[derive(Debug, Default)]
struct Chosen {
    /// At most as many as are allowed.
    named: HashSet<AppId>,
    /// Apps in memory that share a series.
    others: HashSet<AppId>,
    /// Whether there was ever one: then the shared series stays.
    has_others: bool,
    /// The counts of the others, by the group of counters.
    counted: HashMap<&'static str, Counted>,
}

/// The sums of one group of counters over all apps that ever shared them.
#[derive(Debug, Default)]
struct Counted {
    sums: Vec<u64>,
    /// What each of the others had when last read. Apps that are gone leave.
    last: HashMap<AppId, Vec<u64>>,
}

impl NamedApps {
    /// At most so many apps have series of their own.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, chosen: Mutex::default() }
    }

    /// Chooses among the apps in memory, each with how busy it is. Called before the rows of a scrape are made.
    pub fn choose(&self, apps: HashMap<AppId, u64>) {
        let mut chosen = self.chosen.lock();
        chosen.named.retain(|app| apps.contains_key(app));
        chosen.others.retain(|app| apps.contains_key(app));
        let is_new = |app: &AppId| !chosen.named.contains(app) && !chosen.others.contains(app);
        let mut fresh: Vec<(AppId, u64)> = apps.into_iter().filter(|(app, _)| is_new(app)).collect();
        fresh.sort_unstable_by(|(one, busy), (other, busier)| busier.cmp(busy).then_with(|| one.cmp(other)));
        for (app, _) in fresh {
            if chosen.named.len() < self.most && app.as_str() != OTHER {
                chosen.named.insert(app);
            } else {
                chosen.others.insert(app);
                chosen.has_others = true;
            }
        }
    }

    /// The rows of gauges: those of named apps, and the sum of all others.
    #[must_use]
    pub fn gauges(&self, rows: Vec<AppRow>) -> Vec<LabelRow> {
        let chosen = self.chosen.lock();
        let mut sums = Vec::new();
        let mut labelled = Vec::with_capacity(rows.len().min(self.most));
        for (app, values) in rows {
            if chosen.named.contains(&app) {
                labelled.push((AppLabel(app), values));
            } else {
                add(&mut sums, &values);
            }
        }
        chosen.with_sums(labelled, sums)
    }

    /// The rows of a group of counters, likewise; the sum of the others never falls, whoever leaves memory.
    #[must_use]
    pub fn counters(&self, group: &'static str, rows: Vec<AppRow>) -> Vec<LabelRow> {
        let mut chosen = self.chosen.lock();
        let Chosen { named, counted, .. } = &mut *chosen;
        let Counted { sums, last } = counted.entry(group).or_default();
        let mut before = std::mem::take(last);
        let mut labelled = Vec::with_capacity(rows.len().min(self.most));
        for (app, values) in rows {
            if named.contains(&app) {
                labelled.push((AppLabel(app), values));
                continue;
            }
            let known = before.remove(&app).unwrap_or_default();
            add(sums, &growth(&known, &values));
            last.insert(app, values);
        }
        let sums = sums.clone();
        chosen.with_sums(labelled, sums)
    }
}

impl Chosen {
    fn with_sums(&self, mut rows: Vec<LabelRow>, sums: Vec<u64>) -> Vec<LabelRow> {
        if self.has_others && !sums.is_empty() {
            rows.push((AppLabel(AppId::from(OTHER)), sums));
        }
        rows
    }
}

fn add(sums: &mut Vec<u64>, values: &[u64]) {
    sums.resize(sums.len().max(values.len()), 0);
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

/// What was counted since; of an app that began anew, all.
fn growth(before: &[u64], now: &[u64]) -> Vec<u64> {
    let known = |at: usize| before.get(at).copied().unwrap_or(0);
    now.iter().enumerate().map(|(at, count)| count.checked_sub(known(at)).unwrap_or(*count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(apps: &[(&str, u64)]) -> Vec<AppRow> {
        apps.iter().map(|(app, count)| (AppId::from(*app), vec![*count])).collect()
    }

    /// One scrape of a counter.
    fn scrape(named: &NamedApps, apps: &[(&str, u64)]) -> Vec<(String, u64)> {
        named.choose(apps.iter().map(|(app, count)| (AppId::from(*app), *count)).collect());
        let labelled = named.counters("a", rows(apps));
        let mut shown: Vec<(String, u64)> = labelled
            .into_iter()
            .map(|(AppLabel(app), counts)| (app.as_str().to_owned(), counts[0]))
            .collect();
        shown.sort();
        shown
    }

    fn shown(of: &[(&str, u64)]) -> Vec<(String, u64)> {
        of.iter().map(|(app, count)| ((*app).to_owned(), *count)).collect()
    }

    #[test]
    fn below_the_bound_every_app_has_a_series_and_nobody_shares_one() {
        let named = NamedApps::new(2);
        assert_eq!(scrape(&named, &[("1", 5), ("2", 7)]), shown(&[("1", 5), ("2", 7)]));
    }

    #[test]
    fn the_busiest_are_named_and_keep_their_series_when_others_become_busier() {
        let named = NamedApps::new(1);
        assert_eq!(scrape(&named, &[("1", 5), ("2", 7), ("3", 1)]), shown(&[("2", 7), ("_other", 6)]));
        assert_eq!(scrape(&named, &[("1", 50), ("2", 7), ("3", 1)]), shown(&[("2", 7), ("_other", 51)]));
    }

    #[test]
    fn the_shared_counter_never_falls_though_apps_leave_and_come_back_at_zero() {
        let named = NamedApps::new(1);
        assert_eq!(scrape(&named, &[("1", 9), ("2", 4), ("3", 3)]), shown(&[("1", 9), ("_other", 7)]));
        assert_eq!(scrape(&named, &[("1", 9), ("3", 3)]), shown(&[("1", 9), ("_other", 7)]));
        assert_eq!(scrape(&named, &[("1", 9), ("2", 1), ("3", 3)]), shown(&[("1", 9), ("_other", 8)]));
        assert_eq!(scrape(&named, &[("1", 9)]), shown(&[("1", 9), ("_other", 8)]));
    }

    #[test]
    fn the_series_of_an_app_that_has_left_goes_to_a_newcomer_and_not_to_one_of_the_others() {
        let named = NamedApps::new(1);
        assert_eq!(scrape(&named, &[("1", 9), ("2", 4)]), shown(&[("1", 9), ("_other", 4)]));
        assert_eq!(scrape(&named, &[("2", 5)]), shown(&[("_other", 5)]));
        assert_eq!(scrape(&named, &[("2", 5), ("3", 1)]), shown(&[("3", 1), ("_other", 5)]));
    }

    #[test]
    fn an_app_of_that_name_shares_the_series_of_its_name() {
        let named = NamedApps::new(2);
        assert_eq!(scrape(&named, &[("_other", 9), ("2", 4)]), shown(&[("2", 4), ("_other", 9)]));
    }

    #[test]
    fn gauges_of_the_others_are_the_sum_of_now() {
        let named = NamedApps::new(1);
        for (now, sum) in [(&[("1", 3), ("2", 4), ("3", 5)][..], 9), (&[("1", 3), ("3", 5)], 5)] {
            named.choose(now.iter().map(|(app, _)| (AppId::from(*app), u64::from(*app == "1"))).collect());
            let other = named.gauges(rows(now)).pop().expect("a shared series");
            assert_eq!((other.0.0.as_str(), other.1[0]), ("_other", sum));
        }
    }
}
