//! Resources used by the server's process, from `/proc`.

use std::fs;

/// Nanoseconds of a tick of `/proc/PID/stat`, which Linux fixes at a hundredth of a second.
const TICK: u64 = 10_000_000;

/// The process of the server under test, if named.
#[derive(Clone, Copy)]
pub(crate) struct Process {
    pid: Option<u32>,
}

impl Process {
    pub(crate) fn new(pid: Option<u32>) -> Self {
        Self { pid }
    }

    /// CPU time of all living threads, in nanoseconds.
    pub(crate) fn cpu(self) -> Option<u64> {
        let pid = self.pid?;
        let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let of_thread = |entry: fs::DirEntry| -> Option<u64> {
            let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok()
        };
        let exact: u64 = threads.filter_map(|entry| of_thread(entry.ok()?)).sum();
        if exact > 0 { Some(exact) } else { in_ticks(pid) }
    }

    /// Resident memory, in bytes.
    pub(crate) fn rss(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    }
}

/// For kernels that count no nanoseconds.
fn in_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some((fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?) * TICK)
}

/// CPU time of the whole machine, in seconds: time of other processes is noise.
pub(crate) fn machine_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = |at: usize| stat.split_whitespace().nth(at)?.parse::<u64>().ok();
    let used: u64 = [1, 2, 3, 6, 7].into_iter().filter_map(ticks).sum();
    used as f64 * TICK as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_cpu_and_memory() {
        let own = Process::new(Some(std::process::id()));
        let before = own.cpu().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while own.cpu().unwrap() == before {
            assert!(std::time::Instant::now() < deadline, "no CPU time is counted");
        }
        assert!(own.rss().unwrap() > 500_000 && machine_cpu() > 0.0);
        assert_eq!(Process::new(None).cpu(), None);
    }
}
