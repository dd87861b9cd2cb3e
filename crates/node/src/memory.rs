//! The memory limit of the server, from the machine or from its control group; what the server holds; and giving freed memory back
//! to the system.
//!
//! Limits are read once, at the start. An unreadable limit counts as none.

use std::fs;
use std::path::{Path, PathBuf};

/// Part of the memory, 1 in this many, that may hold bytes waiting for clients.
const SHARE: u64 = 4;

/// Assumed where no limit can be read.
const SOME: u64 = 1 << 30;

/// Larger than the objects that the allocator keeps in pages of small objects.
const LARGE: usize = 4 << 20;

/// Gives memory that was freed at least a second ago back to the system.
///
/// mimalloc looks for such memory only when a large object is freed, which may not happen for hours: after 800 readers
/// with 0.3 MB each had been closed, 319 MB stayed; with this call once a second, only the memory in use stays.
pub fn give_back() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE)));
}

/// Bytes of memory that the process holds; `None` where the system does not say.
#[must_use]
pub fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(held.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Bytes of the machine, or of the control group where that has fewer; `None` where neither can be read.
#[must_use]
pub fn of_this_machine() -> Option<u64> {
    available(Path::new("/"))
}

/// Most bytes that may wait for all clients together: the setting, or a share of the memory if the setting is 0.
#[must_use]
pub fn outboxes(setting: usize) -> usize {
    if setting > 0 { setting } else { share_of(Path::new("/")) }
}

/// The share of the memory; `root` is the root of the system's files.
fn share_of(root: &Path) -> usize {
    usize::try_from(available(root).unwrap_or(SOME) / SHARE).unwrap_or(usize::MAX)
}

fn available(root: &Path) -> Option<u64> {
    [of_machine(root), of_group(root)].into_iter().flatten().min()
}

/// The machine's memory.
fn of_machine(root: &Path) -> Option<u64> {
    let lines = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = lines.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The lowest limit of the control group and its parents.
fn of_group(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    groups.lines().filter_map(|line| Group::read(line)?.limit(root)).min()
}

/// A line of `/proc/self/cgroup` about memory.
struct Group<'a> {
    /// The mount point of the hierarchy, and the file with the limit.
    mount: &'static str,
    file: &'static str,
    /// The path within the hierarchy.
    path: &'a str,
}

impl<'a> Group<'a> {
    /// `0::/PATH` of version 2, or `NUMBER:memory:/PATH` of version 1.
    fn read(line: &'a str) -> Option<Self> {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        if number == "0" && controllers.is_empty() {
            return Some(Self { mount: "sys/fs/cgroup", file: "memory.max", path });
        }
        let is_memory = controllers.split(',').any(|controller| controller == "memory");
        is_memory.then_some(Self { mount: "sys/fs/cgroup/memory", file: "memory.limit_in_bytes", path })
    }

    /// The lowest limit from the group up to the root; a container may see its own group as the root.
    fn limit(&self, root: &Path) -> Option<u64> {
        let mount = root.join(self.mount);
        let mut folder: PathBuf = mount.join(self.path.trim_start_matches('/'));
        let mut lowest: Option<u64> = None;
        while folder.starts_with(&mount) {
            // `max` is not a number, and means no limit.
            let text = fs::read_to_string(folder.join(self.file)).unwrap_or_default();
            lowest = text.trim().parse().ok().into_iter().chain(lowest).min();
            if !folder.pop() {
                break;
            }
        }
        lowest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The system's files, as a process in a group sees them.
    fn system(groups: &str, limits: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [&[("proc/self/cgroup", groups)], limits].concat() {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_lowest_limit_on_the_way_up_holds() {
        let root = system(
            "0::/system.slice/fanfare.service\n",
            &[
                ("sys/fs/cgroup/system.slice/fanfare.service/memory.max", "max\n"),
                ("sys/fs/cgroup/system.slice/memory.max", "1073741824\n"),
                ("sys/fs/cgroup/memory.max", "8589934592\n"),
            ],
        );
        assert_eq!(of_group(root.path()), Some(1 << 30));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let root = system("0::/\n", &[("sys/fs/cgroup/memory.max", "536870912\n")]);
        assert_eq!(of_group(root.path()), Some(512 << 20));
    }

    #[test]
    fn version_1_has_a_hierarchy_for_memory_alone() {
        let root = system(
            "5:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n",
            &[("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n")],
        );
        assert_eq!(
            of_group(root.path()),
            Some(256 << 20),
            "of the root, where the group itself is not to be seen"
        );
    }

    #[test]
    fn without_a_limit_the_machine_has_what_it_has() {
        let root = system("0::/\n", &[("sys/fs/cgroup/memory.max", "max\n")]);
        assert_eq!(of_group(root.path()), None);
        assert_eq!(share_of(root.path()), 256 << 20, "nothing can be read: as if there were 1 GiB");
        assert_eq!(outboxes(12345), 12345);
        assert_eq!(outboxes(0), share_of(Path::new("/")));
    }

    #[test]
    fn a_quarter_of_the_least_may_wait() {
        let memory = ("proc/meminfo", "MemTotal:        8388608 kB\nMemFree:         1 kB\n");
        let machine = system("5:cpu:/a\n0::/\n", &[memory]);
        assert_eq!(share_of(machine.path()), 2 << 30);
        let cpu = ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096\n");
        let other = system("5:cpu:/a\n", &[memory, cpu]);
        assert_eq!(share_of(other.path()), 2 << 30, "a group for something else says nothing of memory");
        let limited = system("0::/\n", &[memory, ("sys/fs/cgroup/memory.max", "1073741824\n")]);
        assert_eq!(share_of(limited.path()), 256 << 20);
    }
}
