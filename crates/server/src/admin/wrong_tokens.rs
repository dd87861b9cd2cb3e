//! The rate limit of wrong tokens by address, so that guessing never loads the database.
//!
//! Holds a bounded number of addresses; when full, the address with the oldest window is evicted.
//! Wrong tokens of one address never count for another.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use fanfare_node::addresses::network;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Wrong tokens that an address may show within a [`WINDOW`].
const MOST_WRONG: u32 = 20;

/// How long wrong tokens count, from the first wrong token.
const WINDOW: Duration = Duration::from_secs(60);

/// Most addresses remembered. Eviction makes no token easier to guess: a token has 256 bits.
const MOST_ADDRESSES: usize = 1024;

/// How often an address was wrong within its [`WINDOW`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongOnes {
    /// The wrong tokens, codes and sessions so far, this one included.
    pub wrong: u32,
    /// How many may be wrong; then the address waits.
    pub allowed: u32,
}

/// The wrong tokens of each address.
#[derive(Default)]
pub(super) struct WrongTokens(Mutex<HashMap<IpAddr, Wrong>>);

/// The wrong tokens of one address.
struct Wrong {
    since: Instant,
    count: u32,
}

impl WrongTokens {
    /// How long the address has to wait before its next token is checked.
    pub fn wait_of(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let table = self.0.lock();
        let wrong = table.get(&network(address)).filter(|wrong| wrong.count >= MOST_WRONG)?;
        (wrong.since + WINDOW).checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// Counts a wrong token of the address, and tells how many there are now.
    pub fn count(&self, address: IpAddr, now: Instant) -> WrongOnes {
        let mut table = self.0.lock();
        let address = network(address);
        if !table.contains_key(&address) && table.len() >= MOST_ADDRESSES {
            make_room(&mut table, now);
        }
        let wrong = table.entry(address).or_insert(Wrong { since: now, count: 0 });
        if is_over(wrong, now) {
            *wrong = Wrong { since: now, count: 0 };
        }
        wrong.count += 1;
        WrongOnes { wrong: wrong.count, allowed: MOST_WRONG }
    }
}

fn is_over(wrong: &Wrong, now: Instant) -> bool {
    now.duration_since(wrong.since) >= WINDOW
}

fn make_room(table: &mut HashMap<IpAddr, Wrong>, now: Instant) {
    table.retain(|_, wrong| !is_over(wrong, now));
    if table.len() < MOST_ADDRESSES {
        return;
    }
    let oldest = table.iter().min_by_key(|(_, wrong)| wrong.since).map(|(address, _)| *address);
    if let Some(oldest) = oldest {
        table.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
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
    fn a_full_table_forgets_those_that_are_over_and_then_the_oldest() {
        let (wrong, start) = (WrongTokens::default(), Instant::now());
        let at = |number: u32| start + Duration::from_millis(number.into());
        fill(&wrong, address(0), at(0));
        for number in 1..=MOST_ADDRESSES as u32 {
            wrong.count(address(number), at(number));
            assert!(wrong.0.lock().len() <= MOST_ADDRESSES);
        }
        assert_eq!(wrong.0.lock().len(), MOST_ADDRESSES);
        assert_eq!(wrong.wait_of(address(0), at(2000)), None, "the oldest is forgotten");
        assert!(wrong.0.lock().contains_key(&address(1)));
        wrong.count(address(9999), start + 2 * WINDOW);
        assert_eq!(wrong.0.lock().len(), 1);
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
