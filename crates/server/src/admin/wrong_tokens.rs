//! The rate limit of wrong tokens by address, so that guessing never loads the database.
//!
//! Wrong tokens of one address never count for another. Forgetting an address makes no token easier to guess: a token has 256 bits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fanfare_node::addresses::network;
use parking_lot::Mutex;
use tokio::sync::Notify;
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
pub(super) struct WrongTokens {
    counts: Often<IpAddr>,
    /// What is being looked up, of as many addresses as have requests under way.
    under_way: Mutex<HashMap<IpAddr, UnderWay>>,
}

/// What is being looked up for one address: with what was wrong at most [`MOST_WRONG`], so that many at once are no more guesses than one
/// after the other.
#[derive(Default)]
struct UnderWay {
    count: u32,
    /// Told when there is one less.
    fewer: Arc<Notify>,
}

/// The place of a token, code or session that is being looked up; free again when dropped.
pub(super) struct Place<'a> {
    of: &'a WrongTokens,
    address: IpAddr,
}

impl Default for WrongTokens {
    fn default() -> Self {
        Self { counts: Often::at_most(MOST_WRONG), under_way: Mutex::default() }
    }
}

impl WrongTokens {
    /// A place for a look-up; waits while as many are looked up for the address as may still be wrong.
    ///
    /// # Errors
    /// So many were wrong that the address has to wait this long.
    pub async fn place(&self, address: IpAddr, now: Instant) -> Result<Place<'_>, Duration> {
        let address = network(address);
        loop {
            if let Some(wait) = self.counts.wait_of(address, now) {
                return Err(wait);
            }
            let fewer;
            let told = {
                let mut table = self.under_way.lock();
                let own = table.entry(address).or_default();
                if own.count + self.counts.so_far(address, now) < MOST_WRONG {
                    own.count += 1;
                    return Ok(Place { of: self, address });
                }
                if own.count == 0 {
                    // The last ones were wrong just now.
                    table.remove(&address);
                    continue;
                }
                fewer = Arc::clone(&own.fewer);
                // Made under the lock, so that it hears of every place that is freed from now on.
                fewer.notified()
            };
            told.await;
        }
    }
}

impl Place<'_> {
    /// What was looked up is wrong; tells how many there are now.
    pub fn was_wrong(self, now: Instant) -> WrongOnes {
        WrongOnes { wrong: self.of.counts.count(self.address, now), allowed: MOST_WRONG }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut table = self.of.under_way.lock();
        if let Some(own) = table.get_mut(&self.address) {
            own.count -= 1;
            own.fewer.notify_waiters();
            if own.count == 0 {
                table.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::super::often::WINDOW;
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    /// A place that is free at once.
    fn place_of(wrong: &WrongTokens, address: IpAddr, now: Instant) -> Result<Place<'_>, Duration> {
        wrong.place(address, now).now_or_never().expect("nothing is looked up meanwhile")
    }

    fn count(wrong: &WrongTokens, address: IpAddr, now: Instant) -> Result<WrongOnes, Duration> {
        place_of(wrong, address, now).map(|place| place.was_wrong(now))
    }

    fn fill(wrong: &WrongTokens, address: IpAddr, now: Instant) {
        for so_far in 1..=MOST_WRONG {
            assert_eq!(wrong.counts.wait_of(address, now), None);
            let ones = WrongOnes { wrong: so_far, allowed: MOST_WRONG };
            assert_eq!(count(wrong, address, now), Ok(ones));
        }
    }

    #[test]
    fn after_twenty_an_address_waits_until_its_minute_is_over_and_others_do_not() {
        let (wrong, start) = (WrongTokens::default(), Instant::now());
        fill(&wrong, address(1), start);
        assert_eq!(count(&wrong, address(1), start), Err(WINDOW));
        let later = start + Duration::from_secs(59);
        assert_eq!(count(&wrong, address(1), later), Err(Duration::from_secs(1)));
        assert_eq!(wrong.counts.wait_of(address(2), later), None);
        let over = start + WINDOW;
        fill(&wrong, address(1), over);
        assert_eq!(wrong.counts.wait_of(address(1), over), Some(WINDOW), "and from the start again");
    }

    #[test]
    fn many_at_once_are_no_more_guesses_than_one_after_the_other() {
        let (wrong, now) = (WrongTokens::default(), Instant::now());
        let mut places: Vec<_> =
            (0..MOST_WRONG).map(|_| place_of(&wrong, address(1), now).expect("a place")).collect();
        let mut next = Box::pin(wrong.place(address(1), now));
        assert!((&mut next).now_or_never().is_none(), "all places are taken");
        drop(places.pop());
        let next = next.now_or_never().expect("who was right makes room").expect("a place");
        let mut late = Box::pin(wrong.place(address(1), now));
        assert!((&mut late).now_or_never().is_none());
        for place in places.into_iter().chain([next]) {
            place.was_wrong(now);
        }
        let late = late.now_or_never().expect("nobody waits for what cannot come");
        assert_eq!(late.err(), Some(WINDOW));
    }

    #[test]
    fn who_was_right_takes_no_room() {
        let (wrong, now) = (WrongTokens::default(), Instant::now());
        let places = [1, 1, 2].map(|number| place_of(&wrong, address(number), now).expect("a place"));
        assert_eq!(wrong.under_way.lock().len(), 2);
        drop(places);
        assert!(wrong.under_way.lock().is_empty());
    }

    #[test]
    fn what_was_looked_up_over_the_end_of_a_window_counts_in_the_next() {
        let (wrong, start) = (WrongTokens::default(), Instant::now());
        let late = place_of(&wrong, address(1), start).expect("a place");
        count(&wrong, address(1), start).expect("a place");
        let over = start + WINDOW;
        assert_eq!(late.was_wrong(over).wrong, 1);
        assert_eq!(count(&wrong, address(1), over).map(|ones| ones.wrong), Ok(2));
    }

    #[test]
    fn an_address_has_one_place_however_it_is_written() {
        let (wrong, now) = (WrongTokens::default(), Instant::now());
        fill(&wrong, "192.0.2.1".parse().unwrap(), now);
        let waits = |text: &str| place_of(&wrong, text.parse().unwrap(), now).is_err();
        assert!(waits("::ffff:192.0.2.1"));
        fill(&wrong, "2001:db8::1".parse().unwrap(), now);
        assert!(waits("2001:db8::2:3"));
        assert!(!waits("2001:db8:0:1::1"));
    }
}
