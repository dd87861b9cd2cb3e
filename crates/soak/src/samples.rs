//! What is sampled while a run lasts, and whether memory was flat.
//!
//! Only looks; `picture` draws it.

use std::sync::Arc;
use std::time::Duration;

use fanfare_testing::postgres::Postgres;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::database;
use crate::process::{descriptors, resident};
use crate::store::Store;
use crate::world::Shared;

/// Runs shorter than this say nothing of memory: what fills up to a bound is not full yet.
const LONG_ENOUGH: Duration = Duration::from_secs(8 * 60);

/// Most samples of a run; a longer one samples less often.
const MOST: f64 = 360.0;

const MEBIBYTE: f64 = 1_048_576.0;

/// A curve: its name, and a value for each sample; `None` where there was nothing to measure.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) values: Vec<Option<f64>>,
}

/// A fault, in seconds since the start.
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) begin: f64,
    pub(crate) end: f64,
}

/// All that was sampled, memory in MiB.
#[derive(Default)]
pub(crate) struct Samples {
    /// Seconds since the start.
    pub(crate) times: Vec<f64>,
    pub(crate) nodes: Vec<Curve>,
    pub(crate) descriptors: Vec<Curve>,
    /// Redis and Postgres.
    pub(crate) stores: Vec<Curve>,
    /// Open connections of clients, and the stores' connections.
    pub(crate) connections: Vec<Curve>,
    pub(crate) marks: Vec<Mark>,
}

/// What the stores said; `None` while a fault is made in them.
#[derive(Default)]
struct Said {
    redis: Option<(u64, u64)>,
    postgres: Option<(u64, u64)>,
}

/// What is asked.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) store: Arc<Mutex<Store>>,
    pub(crate) database: Option<Arc<Mutex<Postgres>>>,
}

/// Samples as long as the run lasts.
pub(crate) async fn live(world: Shared, asked: Asked, minutes: f64) {
    let pause = Duration::from_secs_f64((minutes * 60.0 / MOST).clamp(1.0, 30.0));
    loop {
        let Asked { store, database } = asked.clone();
        let said = spawn_blocking(move || ask(&store, database.as_deref())).await.unwrap_or_default();
        take(&world, &said);
        sleep(pause).await;
    }
}

/// A store that somebody else holds has a fault made in it.
fn ask(store: &Mutex<Store>, database: Option<&Mutex<Postgres>>) -> Said {
    let redis = store.try_lock().and_then(|mut store| store.sample());
    let postgres = database.and_then(|database| Some(database::sample(&*database.try_lock()?)));
    Said { redis, postgres }
}

fn take(world: &Shared, said: &Said) {
    let mut world = world.borrow_mut();
    let ids: Vec<Option<u32>> = world.nodes.iter().map(|node| node.process).collect();
    let open = world.open_connections() as f64;
    let now = world.elapsed().as_secs_f64();
    let samples = &mut world.samples;
    samples.times.push(now);
    let mebibytes = |bytes: u64| bytes as f64 / MEBIBYTE;
    for (number, id) in ids.iter().enumerate() {
        let name = format!("node {number}");
        add(&mut samples.nodes, &name, id.and_then(resident).map(mebibytes));
        add(&mut samples.descriptors, &name, id.and_then(descriptors).map(|count| count as f64));
    }
    for (name, said) in [("Redis", said.redis), ("Postgres", said.postgres)] {
        let (memory, clients) = said.unzip();
        add(&mut samples.stores, name, memory.map(mebibytes));
        add(&mut samples.connections, &format!("to {name}"), clients.map(|count| count as f64));
    }
    add(&mut samples.connections, "of clients", Some(open));
}

fn add(curves: &mut Vec<Curve>, name: &str, value: Option<f64>) {
    match curves.iter_mut().find(|curve| curve.name == name) {
        Some(curve) => curve.values.push(value),
        None => curves.push(Curve { name: name.to_owned(), values: vec![value] }),
    }
}

impl Curve {
    /// The median of a quarter, 0 to 3.
    fn quarter(&self, quarter: usize) -> Option<f64> {
        let length = self.values.len();
        let part = self.values.get(length * quarter / 4..length * (quarter + 1) / 4)?;
        let mut known: Vec<f64> = part.iter().copied().flatten().collect();
        known.sort_by(f64::total_cmp);
        known.get(known.len() / 2).copied()
    }

    pub(crate) fn highest(&self) -> f64 {
        self.values.iter().copied().flatten().fold(0.0, f64::max)
    }

    fn last(&self) -> Option<f64> {
        self.values.iter().rev().copied().flatten().next()
    }
}

impl Samples {
    /// A line for each curve: medians of the quarters, the highest value and the last.
    pub(crate) fn table(&self) -> Vec<String> {
        let heading = format!(
            "{:<24}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
            "", "quarter 1", "2", "3", "4", "highest", "last"
        );
        let groups = [
            ("memory", &self.nodes),
            ("memory", &self.stores),
            ("descriptors", &self.descriptors),
            ("connections", &self.connections),
        ];
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        let mut lines = vec![heading];
        for (group, curves) in groups {
            for curve in curves.iter().filter(|curve| curve.highest() > 0.0) {
                let mut line = format!("{:<24}", format!("{group} {}", curve.name));
                for quarter in 0..4 {
                    line += &format!("{:>9}", number(curve.quarter(quarter)));
                }
                line += &format!("{:>9}{:>9}", number(Some(curve.highest())), number(curve.last()));
                lines.push(line);
            }
        }
        lines
    }

    /// Checks that memory does not grow: the last quarter's median is within a bound of the second one's. The first quarter
    /// is left out, because caches, rings and histories fill up to their bounds.
    ///
    /// A node may have a tenth more and 2 MiB: its history of the last hour still grows (12 KB for each app), and the
    /// allocator keeps the pages of the highest load. All nodes do the same work, and one that was restarted begins small: each
    /// is compared with the largest of the second quarter. Redis and Postgres may have a quarter more and 4 MiB, for buffers
    /// of the moment and processes that come and go.
    ///
    /// # Errors
    /// In words: what grew.
    pub(crate) fn is_flat(&self) -> Result<(), String> {
        let length = Duration::from_secs_f64(self.times.last().copied().unwrap_or_default());
        if length < LONG_ENOUGH {
            return Ok(());
        }
        let largest = self.nodes.iter().filter_map(|curve| curve.quarter(1)).reduce(f64::max);
        let nodes = self.nodes.iter().map(|curve| (curve, largest, 1.10, 2.0));
        let stores = self.stores.iter().map(|curve| (curve, curve.quarter(1), 1.25, 4.0));
        for (curve, second, factor, more) in nodes.chain(stores) {
            let Some((second, last)) = second.zip(curve.quarter(3)) else { continue };
            let bound = second * factor + more;
            if last > bound {
                let name = &curve.name;
                return Err(format!(
                    "memory of {name} was {second:.1} MiB in the second quarter and {last:.1} in the last; the bound is {bound:.1}"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: impl Fn(usize) -> f64) -> Samples {
        let mut samples = Samples::default();
        for at in 0..120 {
            samples.times.push(at as f64 * 5.0);
            add(&mut samples.nodes, "node 0", Some(values(at)));
        }
        samples
    }

    #[test]
    fn memory_that_grows_behind_the_first_quarter_is_found() {
        samples(|at| 20.0 + (at.min(30) as f64)).is_flat().unwrap();
        let grown = samples(|at| 20.0 + at as f64 / 10.0).is_flat().unwrap_err();
        assert!(grown.contains("memory of node 0 was 24.5 MiB in the second quarter and 30.5"), "{grown}");
    }

    #[test]
    fn a_sample_that_could_not_be_taken_is_left_out() {
        let mut samples = samples(|_| 20.0);
        samples.nodes[0].values[100] = None;
        samples.is_flat().unwrap();
        assert_eq!(samples.nodes[0].last(), Some(20.0));
        assert!(samples.table()[1].starts_with("memory node 0"));
    }
}
