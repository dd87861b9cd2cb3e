//! Events that another node may send again: their requests are the same each time, and can be withdrawn (CL-032).

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::decided::SentAgain;

/// A group, and how often it was done.
fn group(source: u32, time_ms: u64) -> (Arc<Group>, Arc<AtomicUsize>) {
    old_group(source, time_ms, Duration::ZERO)
}

/// A group that has waited elsewhere.
fn old_group(source: u32, time_ms: u64, age: Duration) -> (Arc<Group>, Arc<AtomicUsize>) {
    let count: Arc<AtomicUsize> = Arc::default();
    let done = Arc::clone(&count);
    let done = Box::new(move || {
        done.fetch_add(1, Ordering::Relaxed);
    });
    (Arc::new(Group::new(SentAgain { time_ms, age, source, done }, Arc::default())), count)
}

fn put(test: &mut Test, channels: &[&str], group: &Arc<Group>) {
    for channel in channels {
        test.queue.push(Waiting::of_group(occupied(channel), group));
    }
}

#[test]
fn cl_032_a_group_is_one_request_with_its_own_time_and_is_done_when_it_was_delivered() {
    let mut test = Test::new(true);
    let ((one, one_done), (two, two_done)) = (group(1, 100), group(1, 200));
    put(&mut test, &["a", "b"], &one);
    put(&mut test, &["c"], &two);
    drop((one, two));
    let first = test.expect(Duration::ZERO);
    assert_eq!(first.events, 2, "no window is waited for, and no other group is added");
    assert!(first.body().starts_with(r#"{"time_ms":100,"#));
    test.queue.delivered(&first);
    assert_eq!(one_done.load(Ordering::Relaxed), 0, "the request is still held");
    drop(first);
    assert_eq!((one_done.load(Ordering::Relaxed), two_done.load(Ordering::Relaxed)), (1, 0));
    let second = test.expect(Duration::ZERO);
    assert_eq!(second.events, 1);
    test.queue.delivered(&second);
    drop(second);
    assert_eq!(two_done.load(Ordering::Relaxed), 1);
}

#[test]
fn cl_032_what_is_withdrawn_is_neither_sent_nor_done_nor_counted_as_lost() {
    let mut test = Test::new(true);
    let ((ours, ours_done), (theirs, theirs_done)) = (group(1, 100), group(2, 100));
    put(&mut test, &["a"], &theirs);
    let retried = test.expect(Duration::ZERO);
    test.queue.failed(retried, test.start);
    put(&mut test, &["b"], &theirs);
    put(&mut test, &["c"], &ours);
    drop((ours, theirs));
    test.queue.withdraw(2);
    let left = test.expect(SECOND * 10);
    assert_eq!(left.events, 1);
    assert!(left.body().contains(r#""channel":"c""#));
    test.queue.delivered(&left);
    drop(left);
    assert!(test.queue.is_empty() && test.queue.take_lost() == Lost::default());
    assert_eq!((ours_done.load(Ordering::Relaxed), theirs_done.load(Ordering::Relaxed)), (1, 0));
}

#[test]
fn cl_032_a_group_that_is_given_up_is_done() {
    let mut test = Test::new(false);
    let (group, done) = group(1, 100);
    put(&mut test, &["a", "b"], &group);
    drop(group);
    assert!(test.next(Settings::default().patience + SECOND).is_none());
    assert_eq!((done.load(Ordering::Relaxed), test.queue.take_lost().given_up), (1, 2));
}

#[test]
fn hook_022_what_has_waited_elsewhere_is_tried_for_the_rest_of_its_time_alone() {
    let mut test = Test::new(true);
    let ((old, old_done), (new, new_done)) =
        (old_group(1, 100, Duration::from_secs(301)), old_group(1, 200, Duration::from_secs(200)));
    put(&mut test, &["a"], &old);
    put(&mut test, &["b"], &new);
    drop((old, new));
    let request = test.expect(Duration::ZERO);
    assert!(request.events == 1 && request.body().contains(r#""channel":"b""#));
    assert_eq!(old_done.load(Ordering::Relaxed), 1, "and needs no more sending");
    assert_eq!(new_done.load(Ordering::Relaxed), 0);
    drop(request);
    assert_eq!(new_done.load(Ordering::Relaxed), 1);
}
