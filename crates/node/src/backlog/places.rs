//! Which URLs this node sends kept requests to next: those that answer before those that do not, and of each kind the one
//! that has waited longest, so that URLs that fail hold up no others, however much is kept for them (HOOK-023).
//!
//! Knows no database and no clock. Bounded by what a look lists.

use std::collections::BTreeMap;

use fanfare_apps::BackloggedUrl;
use fanfare_protocol::ids::AppId;
use tokio::time::Instant;

/// An app and a URL of its webhooks.
pub(super) type Place = (AppId, String);

/// How a worker has left a URL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// Nothing is sent before that moment.
    pub not_before: Instant,
    /// Whether the last request failed.
    pub fails: bool,
}

/// The URLs of the last look.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<Place, Known>);

#[derive(Debug)]
enum Known {
    Busy,
    /// How the URL was left, and when.
    Idle(Left, Instant),
}

impl Places {
    /// The URLs to send to now, at most `most`, which are busy from now on; and the moment when the first of the others is
    /// due, if there is one.
    pub fn take_due(
        &mut self,
        listed: Vec<BackloggedUrl>,
        most: usize,
        now: Instant,
    ) -> (Vec<Place>, Option<Instant>) {
        let mut before = std::mem::take(&mut self.0);
        let (mut due, mut next) = (Vec::new(), None);
        let mut wait_until =
            |moment: Instant| next = Some(next.map_or(moment, |next: Instant| next.min(moment)));
        for BackloggedUrl { app, url, due_in } in listed {
            let place = (app, url);
            let known = before.remove(&place);
            match &known {
                Some(Known::Busy) => {}
                Some(Known::Idle(left, _)) if left.not_before > now => wait_until(left.not_before),
                _ if !due_in.is_zero() => wait_until(now + due_in),
                Some(Known::Idle(left, at)) => due.push((left.fails, Some(*at), place.clone())),
                None => due.push((false, None, place.clone())),
            }
            if let Some(known) = known {
                self.0.insert(place, known);
            }
        }
        // A URL that is being sent to stays busy, also when nothing is kept for it any more.
        self.0.extend(before.into_iter().filter(|(_, known)| matches!(known, Known::Busy)));
        due.sort();
        let taken: Vec<Place> = due.into_iter().take(most).map(|(.., place)| place).collect();
        self.0.extend(taken.iter().map(|place| (place.clone(), Known::Busy)));
        (taken, next)
    }

    /// Nothing is sent to the URL any more.
    pub fn leave(&mut self, place: Place, left: Left, now: Instant) {
        self.0.insert(place, Known::Idle(left, now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn kept(url: &str, due_in: Duration) -> BackloggedUrl {
        BackloggedUrl { app: AppId::from("1"), url: url.to_owned(), due_in }
    }

    fn due(urls: &[&str]) -> Vec<BackloggedUrl> {
        urls.iter().map(|url| kept(url, Duration::ZERO)).collect()
    }

    fn urls(places: &[Place]) -> Vec<&str> {
        places.iter().map(|(_, url)| &**url).collect()
    }

    fn place(url: &str) -> Place {
        (AppId::from("1"), url.to_owned())
    }

    #[test]
    fn hook_023_urls_that_fail_take_turns_and_go_behind_those_that_answer() {
        let (mut places, now) = (Places::default(), Instant::now());
        let failing = Left { not_before: now, fails: true };
        // Always the same order: what is kept for the first is the oldest.
        let listed = || due(&["dead-1", "dead-2", "dead-3", "well"]);
        let (taken, _) = places.take_due(listed(), 2, now);
        assert_eq!(urls(&taken), ["dead-1", "dead-2"]);
        assert!(places.take_due(listed(), 0, now).0.is_empty());
        places.leave(place("dead-1"), failing, now + SECOND);
        places.leave(place("dead-2"), failing, now + 2 * SECOND);
        let (taken, _) = places.take_due(listed(), 2, now + 3 * SECOND);
        assert_eq!(urls(&taken), ["dead-3", "well"]);
        places.leave(place("well"), Left { fails: false, ..failing }, now + 4 * SECOND);
        places.leave(place("dead-3"), failing, now + 3 * SECOND);
        let (taken, _) = places.take_due(listed(), 4, now + 5 * SECOND);
        assert_eq!(urls(&taken), ["well", "dead-1", "dead-2", "dead-3"]);
    }

    #[test]
    fn a_url_is_sent_to_by_one_worker_and_left_alone_until_its_moment() {
        let (mut places, now) = (Places::default(), Instant::now());
        let listed = || vec![kept("a", Duration::ZERO), kept("b", 5 * SECOND)];
        assert_eq!(places.take_due(listed(), 9, now), (vec![place("a")], Some(now + 5 * SECOND)));
        assert_eq!(places.take_due(listed(), 9, now), (vec![], Some(now + 5 * SECOND)));
        // All that was kept is being sent; then more is kept.
        assert_eq!(places.take_due(Vec::new(), 9, now), (vec![], None));
        assert_eq!(places.take_due(due(&["a"]), 9, now), (vec![], None));
        places.leave(place("a"), Left { not_before: now + SECOND, fails: true }, now);
        assert_eq!(places.take_due(due(&["a"]), 9, now), (vec![], Some(now + SECOND)));
        assert_eq!(places.take_due(due(&["a"]), 9, now + SECOND), (vec![place("a")], None));
    }

    #[test]
    fn what_nothing_is_kept_for_is_forgotten() {
        let (mut places, now) = (Places::default(), Instant::now());
        places.take_due(due(&["a"]), 9, now);
        places.leave(place("a"), Left { not_before: now + SECOND, fails: true }, now);
        places.take_due(Vec::new(), 9, now);
        assert!(places.0.is_empty());
    }
}
