//! The limit of file descriptors: raised as far as it goes, and what it leaves for connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for listeners, the database, logs, HTTP requests and refusals, beside those of webhooks.
const RESERVED: u64 = 256;

/// Assumed where there is no limit.
const PLENTY: u64 = 1 << 20;

/// Raises the soft limit to the hard one; returns the limit in force.
#[must_use]
pub fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    current.unwrap_or(PLENTY)
}

/// How many WebSockets the node takes: the setting, or what the descriptors allow if it is 0; `webhooks` are the
/// requests that may be sent at once.
#[must_use]
pub fn capacity(setting: usize, limit: u64, webhooks: usize) -> usize {
    let reserved = RESERVED.saturating_add(webhooks as u64);
    let allowed = usize::try_from(limit.saturating_sub(reserved).max(limit / 2)).unwrap_or(usize::MAX);
    if setting == 0 { allowed } else { setting }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_wins_and_zero_means_what_descriptors_allow() {
        assert_eq!(capacity(500, 20_000, 1), 500);
        assert_eq!(capacity(0, 20_000, 100), 19_644);
        assert_eq!(capacity(0, 256, 100), 128, "half, where there are few");
    }

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        let raised = raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(PLENTY), raised);
    }
}
