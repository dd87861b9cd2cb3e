//! What the machine has that connections take: descriptors and memory.

use fanfare_config::{Config, Sources};
use fanfare_node::memory;

use crate::descriptors::{self, Division};

/// Bytes that the kernel takes for a connection; docs/sizing.md says from where.
pub(super) const OF_THE_KERNEL: f64 = 5.0 * 1024.0;

/// The part of the memory that connections may take: the rest is for queues of slow consumers, and for the system.
const FOR_CONNECTIONS: f64 = 0.5;

/// The machine, or what this process may have of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// Cores that a process may use.
    pub cores: usize,
    /// Bytes of the machine, or of the control group; `None` where neither can be read.
    pub memory: Option<u64>,
    /// Connections that a server has descriptors for.
    pub by_descriptors: usize,
}

impl Machine {
    /// Looks at the machine.
    pub(super) fn look(cores: usize) -> Self {
        let defaults = Config::load(&Sources::default()).ok();
        let division = defaults.map(|config| Division::new(&config, descriptors::raise_limit()));
        let by_descriptors = division.map_or(0, |division| division.websockets);
        Self { cores, memory: memory::of_this_machine(), by_descriptors }
    }

    /// Connections that half of the memory holds, if each takes so many bytes of the server.
    pub(super) fn by_memory(&self, bytes: f64) -> Option<usize> {
        let each = bytes.max(0.0) + OF_THE_KERNEL;
        self.memory.map(|memory| (memory as f64 * FOR_CONNECTIONS / each) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_memory_is_for_connections_with_what_the_kernel_takes() {
        let machine = Machine { cores: 2, memory: Some(1 << 30), by_descriptors: 16_000 };
        assert_eq!(machine.by_memory(3072.0), Some((1 << 30) / 2 / 8192));
        // Memory that was free before may make a connection look as if it took none.
        assert_eq!(machine.by_memory(-500.0), Some((1 << 30) / 2 / 5120));
    }

    #[test]
    fn a_machine_has_cores_memory_and_descriptors() {
        let here = Machine::look(2);
        assert!(here.memory > Some(1 << 26) && here.by_descriptors > 0);
    }
}
