//! The rate limit of wrong tokens by address, so that guessing never loads the database.
//!
//! Wrong tokens of one address never count for another. Forgetting an address makes no token easier to guess: a token has 256 bits.

use std::net::IpAddr;
use std::time::Duration;

use fanfare_node::addresses::network;
use tokio::time::Instant;

use super::often::Often;

/// Wrong tokens that an address may show within a minute.
const MOST_WRONG: u32 = 20;

/// How often an address was wrong within its minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongOnes {
    /// The wrong tokens, codes and sessions so far, this one included.
    pub wrong: u32,
    /// How many may be wrong; then the address waits.
    pub allowed: u32,
}

/// The wrong tokens of each address.
pub(super) struct WrongTokens(Often<IpAddr>);

impl Default for WrongTokens {
    fn default() -> Self {
        Self(Often::at_most(MOST_WRONG))
    }
}

impl WrongTokens {
    /// How long the address has to wait before its next token is checked.
    pub fn wait_of(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        self.0.wait_of(network(address), now)
    }

    /// Counts a wrong token of the address, and tells how many there are now.
    pub fn count(&self, address: IpAddr, now: Instant) -> WrongOnes {
        WrongOnes { wrong: self.0.count(network(address), now), allowed: MOST_WRONG }
    }
}

#[cfg(test)]
mod tests {
    use super::super::often::WINDOW;
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn fill(wrong: &WrongTokens, address: IpAddr, now: Instant) {
        for count in 1..=MOST_WRONG {
            assert_eq!(wrong.wait_of(address, now), None);
            assert_eq!(wrong.count(address, now), WrongOnes { wrong: count, allowed: MOST_WRONG });
        }
    }

    #[test]
    fn after_twenty_an_address_waits_until_its_minute_is_over_and_others_do_not() {
        let (wrong, start) = (WrongTokens::default(), Instant::now());
        fill(&wrong, address(1), start);
        assert_eq!(wrong.wait_of(address(1), start), Some(WINDOW));
        let later = start + Duration::from_secs(59);
        assert_eq!(wrong.wait_of(address(1), later), Some(Duration::from_secs(1)));
        assert_eq!(wrong.wait_of(address(2), later), None);
        let over = start + WINDOW;
        assert_eq!(wrong.wait_of(address(1), over), None);
        fill(&wrong, address(1), over);
        assert_eq!(wrong.wait_of(address(1), over), Some(WINDOW), "and from the start again");
    }

    #[test]
    fn an_address_has_one_place_however_it_is_written() {
        let (wrong, now) = (WrongTokens::default(), Instant::now());
        fill(&wrong, "192.0.2.1".parse().unwrap(), now);
        assert!(wrong.wait_of("::ffff:192.0.2.1".parse().unwrap(), now).is_some());
        fill(&wrong, "2001:db8::1".parse().unwrap(), now);
        assert!(wrong.wait_of("2001:db8::2:3".parse().unwrap(), now).is_some());
        assert!(wrong.wait_of("2001:db8:0:1::1".parse().unwrap(), now).is_none());
    }
}
