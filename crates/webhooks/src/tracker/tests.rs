//! Joins and leaves, sent and not sent, without a running clock.

use super::*;

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, 164).unwrap()
}

fn occupied(name: &str) -> Transition {
    Transition::Occupied(channel(name))
}

fn vacated(name: &str) -> Transition {
    Transition::Vacated(channel(name))
}

fn joined() -> Transition {
    Transition::Joined(channel("presence-a"), "u".into())
}

fn left() -> Transition {
    Transition::Left(channel("presence-a"), "u".into())
}

fn both() -> Kinds {
    Kinds::from_iter([Kind::ChannelExistence, Kind::Presence])
}

fn due(tracker: &mut Tracker, now: u64) -> Vec<Transition> {
    std::iter::from_fn(|| tracker.next_due(now)).collect()
}

#[test]
fn hook_020_and_hook_021_a_coming_is_told_at_once_and_a_going_after_the_delay() {
    let mut tracker = Tracker::new(3000);
    assert_eq!(tracker.hear(occupied("a"), 10), Some(occupied("a")));
    assert_eq!(tracker.hear(joined(), 10), Some(joined()));
    assert_eq!(tracker.hear(left(), 20), None);
    assert_eq!(tracker.hear(vacated("a"), 20), None);
    assert_eq!((tracker.next_moment(), due(&mut tracker, 3019)), (Some(3020), vec![]));
    assert_eq!(due(&mut tracker, 3020), [left(), vacated("a")]);
    assert!(tracker.is_empty() && tracker.next_moment().is_none());
}

#[test]
fn hook_021_who_comes_back_in_time_was_never_away_for_webhooks() {
    let mut tracker = Tracker::new(3000);
    for transition in [occupied("a"), joined()] {
        assert!(tracker.hear(transition, 0).is_some());
    }
    for round in 0..100 {
        for transition in [left(), vacated("a"), occupied("a"), joined()] {
            assert_eq!(tracker.hear(transition, 10 * round), None);
        }
    }
    assert_eq!((due(&mut tracker, u64::MAX), tracker.waiting.len()), (vec![], 0));
    assert_eq!(tracker.hear(vacated("a"), 2000), None);
    assert_eq!(due(&mut tracker, 5000), [vacated("a")], "the delay begins with the last going");
    assert_eq!(tracker.hear(occupied("a"), 5001), Some(occupied("a")));
}

#[test]
fn without_a_delay_everything_is_told_at_once() {
    let mut tracker = Tracker::new(0);
    for transition in [occupied("a"), vacated("a"), occupied("a"), vacated("a")] {
        assert_eq!(tracker.hear(transition.clone(), 0), Some(transition));
    }
    assert!(tracker.is_empty());
}

#[test]
fn hook_012_what_is_heard_twice_is_told_once() {
    let mut tracker = Tracker::new(3000);
    assert_eq!(tracker.hear(vacated("a"), 0), None, "nobody was told that it was occupied");
    assert!(tracker.hear(occupied("a"), 0).is_some());
    assert_eq!(tracker.hear(occupied("a"), 0), None);
    assert_eq!(tracker.hear(vacated("a"), 0), None);
    assert_eq!(tracker.hear(vacated("a"), 0), None);
    assert_eq!(due(&mut tracker, 3000), [vacated("a")]);
}

#[test]
fn after_a_gap_only_differences_are_told_and_older_news_do_no_harm() {
    let mut tracker = Tracker::new(3000);
    for transition in [occupied("stays"), occupied("goes"), occupied("back"), joined()] {
        assert!(tracker.hear(transition, 0).is_some());
    }
    assert!(tracker.hear(vacated("back"), 0).is_none());
    let present = ["stays", "back", "new"].map(|name| Present { channel: channel(name), users: Vec::new() });
    assert_eq!(tracker.catch_up(&present, both(), 100), [occupied("new")]);
    // Older transitions, which were on their way when the snapshot was taken.
    for transition in [occupied("new"), vacated("goes"), left(), vacated("back"), occupied("back")] {
        assert_eq!(tracker.hear(transition, 100), None);
    }
    let gone = due(&mut tracker, 3100);
    assert!(gone.len() == 2 && gone.contains(&vacated("goes")) && gone.contains(&left()), "{gone:?}");
    assert_eq!(tracker.known.len(), 3);
}

#[test]
fn whoever_was_there_before_webhooks_is_told_of_when_they_go() {
    let mut tracker = Tracker::new(3000);
    tracker.adopt(
        &[Present { channel: channel("presence-a"), users: vec!["u".into()] }],
        Kinds::from_iter([Kind::Presence]),
    );
    assert_eq!(tracker.hear(joined(), 0), None);
    assert_eq!(tracker.hear(left(), 0), None);
    assert_eq!(tracker.hear(vacated("presence-a"), 0), None);
    assert_eq!(due(&mut tracker, 3000), [left()]);
}

#[test]
fn a_kind_that_is_switched_off_is_forgotten() {
    let mut tracker = Tracker::new(3000);
    for transition in [occupied("a"), joined(), occupied("b")] {
        assert!(tracker.hear(transition, 0).is_some());
    }
    assert!(tracker.hear(vacated("b"), 0).is_none() && tracker.hear(left(), 0).is_none());
    tracker.forget(Kinds::from_iter([Kind::ChannelExistence]));
    assert_eq!(due(&mut tracker, 3000), [left()]);
    assert!(tracker.is_empty());
}

#[test]
fn hook_021_of_too_many_goings_the_one_that_has_waited_longest_is_told_early() {
    let mut tracker = Tracker { most_waiting: 2, ..Tracker::new(3000) };
    for name in ["a", "b", "c"] {
        assert!(tracker.hear(occupied(name), 0).is_some());
    }
    let told: Vec<_> = ["a", "b", "c"].iter().map(|name| tracker.hear(vacated(name), 0)).collect();
    assert_eq!(told, [None, None, Some(vacated("a"))]);
    assert_eq!(due(&mut tracker, 3000), [vacated("b"), vacated("c")]);
}
