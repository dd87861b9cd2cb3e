//! What the system says of this process's threads: their names, their states, and their time on a CPU.
//!
//! What the system does not say is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Most threads that are read: workers are the oldest, and blocking calls have up to 512 more.
const MOST: usize = 64;

/// A tick of `/proc`, which Linux fixes at a hundredth of a second.
const TICK: Duration = Duration::from_millis(10);

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ThreadTime {
    pub name: String,
    /// The letter of the state in proc(5), such as `R` for running and `S` for sleeping.
    pub state: char,
    /// Time on a CPU since the thread began.
    pub on_cpu: Duration,
    /// The function of the kernel in which the thread waits; empty if it does not, or the system does not say.
    pub waits_in: String,
}

/// The threads of this process by their numbers, the oldest first.
pub(super) fn read() -> BTreeMap<u32, ThreadTime> {
    let entries = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let mut numbers: Vec<(u32, _)> = numbers.collect();
    numbers.sort_unstable();
    numbers.truncate(MOST);
    numbers.into_iter().filter_map(|(number, folder)| Some((number, read_one(&folder)?))).collect()
}

fn read_one(folder: &Path) -> Option<ThreadTime> {
    let waits_in = fs::read_to_string(folder.join("wchan")).unwrap_or_default();
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    parsed(&stat, if waits_in == "0" { "" } else { &waits_in })
}

/// The fields of `stat` (proc(5)): the name is in parentheses and may hold any character.
fn parsed(stat: &str, waits_in: &str) -> Option<ThreadTime> {
    let (before, fields) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<u32>().ok();
    Some(ThreadTime {
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        on_cpu: TICK * ticks(11)?.saturating_add(ticks(12)?),
        waits_in: waits_in.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_its_name_its_state_and_both_times() {
        let stat = "4711 (odd) name) S 1 2 3 0 -1 4194304 99 0 0 0 250 50 0 0 20 0 1 0 46 31 38\n";
        let thread = ThreadTime {
            name: "odd) name".to_owned(),
            state: 'S',
            on_cpu: Duration::from_secs(3),
            waits_in: "ep_poll".to_owned(),
        };
        assert_eq!(parsed(stat, "ep_poll"), Some(thread));
        assert_eq!(parsed("no thread", ""), None);
    }

    #[test]
    fn this_process_has_threads() {
        assert!(!read().is_empty());
    }
}
