//! The limit of file descriptors: raised as far as possible, and divided among their users.

use fanfare_config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for listeners, the database, Redis, and logs.
const RESERVED: u64 = 192;

/// Descriptors kept for connections of operators and monitors.
const OPERATORS: u64 = 128;

/// Share of the remaining descriptors, 1 in this many, for HTTP connections; WebSockets get the others.
const HTTP_SHARE: usize = 8;

/// Least and most HTTP connections, if the setting names no number. An active connection takes 40 KiB for buffers.
const HTTP_LEAST: usize = 64;
const HTTP_MOST: usize = 8192;

/// Default share of all descriptors, 1 in this many, for requests to the applications of all apps, waiting ones
/// included; and the least and the most of them.
const AUTHORIZATIONS_SHARE: u64 = 16;
const AUTHORIZATIONS: std::ops::RangeInclusive<usize> = 64..=1024;

/// Default share of the HTTP connections, 1 in this many, for one address.
const ADDRESS_SHARE: usize = 4;

/// Assumed without a limit.
const PLENTY: u64 = 1 << 20;

/// Raises the soft limit to the hard one; returns the limit in force.
#[must_use]
pub fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    current.unwrap_or(PLENTY)
}

/// The limit in force.
#[must_use]
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(PLENTY)
}

/// The number of file descriptors for each use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Division {
    /// The limit of the process.
    pub limit: u64,
    /// Clients, over any transport (`limits.connections`).
    pub websockets: usize,
    /// HTTP connections of the public listeners (`limits.http_connections`).
    pub http: usize,
    /// HTTP connections of one client address (`limits.http_connections_per_address`).
    pub http_per_address: usize,
    /// Connections of the operators' listener.
    pub operators: usize,
    /// Requests to applications of all apps together (`limits.authorizations_node`).
    pub authorizations: usize,
}

impl Division {
    /// Divides `limit` descriptors: first those for the server itself, for webhooks and for requests to applications,
    /// at most half of all; then a share for HTTP; WebSockets get the rest. Numbers in the settings are used as given.
    #[must_use]
    pub fn new(config: &Config, limit: u64) -> Self {
        let given = Given {
            websockets: config.limits.connections,
            http: config.limits.http_connections,
            http_per_address: config.limits.http_connections_per_address,
            webhooks: config.webhooks.requests,
            authorizations: config.limits.authorizations_node,
        };
        given.divide(limit)
    }

    /// Most descriptors in use at once.
    #[must_use]
    pub fn needed(&self) -> u64 {
        (self.websockets as u64).saturating_add(self.http as u64).saturating_add(self.operators as u64)
    }
}

/// Numbers from the settings; 0 means derived.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    websockets: usize,
    http: usize,
    http_per_address: usize,
    webhooks: usize,
    authorizations: usize,
}

impl Given {
    fn divide(self, limit: u64) -> Division {
        let or = |setting: usize, derived: usize| if setting == 0 { derived } else { setting };
        let (least, most) = AUTHORIZATIONS.into_inner();
        let share = usize::try_from(limit / AUTHORIZATIONS_SHARE).unwrap_or(usize::MAX).clamp(least, most);
        let authorizations = or(self.authorizations, share);
        let asking = (self.webhooks as u64).saturating_add(authorizations as u64);
        let reserved = RESERVED.saturating_add(OPERATORS).saturating_add(asking).min(limit / 2);
        let left = usize::try_from(limit - reserved).unwrap_or(usize::MAX);
        let share = (left / HTTP_SHARE).clamp(HTTP_LEAST, HTTP_MOST).min(left / 2).max(1);
        let http = or(self.http, share);
        let websockets = or(self.websockets, left.saturating_sub(http).max(1));
        let http_per_address = or(self.http_per_address, (http / ADDRESS_SHARE).max(1));
        let operators = usize::try_from(OPERATORS.min(reserved / 2)).unwrap_or(1).max(1);
        Division { limit, websockets, http, http_per_address, operators, authorizations }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_wins_and_zero_means_what_descriptors_allow() {
        let derived = Given { webhooks: 100, ..Given::default() }.divide(20_000);
        assert_eq!((derived.http, derived.http_per_address, derived.operators), (2319, 579, 128));
        assert_eq!(derived.authorizations, 1024);
        assert_eq!(derived.websockets, 20_000 - 420 - 1024 - 2319);
        let given =
            Given { websockets: 500, http: 60, http_per_address: 7, webhooks: 100, authorizations: 9 };
        let given = given.divide(20_000);
        assert_eq!((given.websockets, given.http, given.http_per_address), (500, 60, 7));
        assert_eq!(given.authorizations, 9);
        let wide = Given { http: 5000, webhooks: 100, ..Given::default() }.divide(20_000);
        assert_eq!(wide.websockets, 20_000 - 420 - 1024 - 5000, "WebSockets get what is left");
    }

    #[test]
    fn where_there_are_few_half_are_kept_and_nobody_gets_none() {
        let few = Given { webhooks: 256, ..Given::default() }.divide(256);
        assert_eq!((few.http, few.websockets, few.operators, few.authorizations), (64, 64, 64, 64));
        let none = Given::default().divide(3);
        assert!(none.http > 0 && none.websockets > 0 && none.http_per_address > 0 && none.operators > 0);
    }

    #[test]
    fn all_together_never_need_more_than_there_are() {
        for limit in [256, 1000, 1024, 4096, 20_000, 524_288, 1 << 20] {
            let given = Given { webhooks: 256, ..Given::default() };
            let division = given.divide(limit);
            let others = (RESERVED + 256 + division.authorizations as u64).min(limit / 4);
            assert!(division.needed() + others <= limit, "{division:?}");
            assert!(division.http <= HTTP_MOST);
        }
    }

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        let raised = raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(PLENTY), raised);
    }
}
