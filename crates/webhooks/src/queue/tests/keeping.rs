//! What of a durable URL is to be kept, and what becomes of what cannot be.

use super::*;

fn durable(batch: bool) -> Test {
    let mut test = Test::new(batch);
    test.queue.durable = true;
    test
}

impl Test {
    fn unkept(&mut self, after: Duration) -> Vec<Prepared> {
        self.queue.take_unkept(Some(&credential()), self.start + after)
    }
}

#[test]
fn a_request_that_fails_is_to_be_kept_and_one_that_was_delivered_is_not() {
    let mut test = durable(false);
    test.put_channels(&["a", "b"]);
    let (first, second) = (test.expect(Duration::ZERO), test.expect(Duration::ZERO));
    test.queue.delivered(&first);
    assert!(test.unkept(Duration::ZERO).is_empty());
    test.queue.failed(second, test.start);
    let unkept = test.unkept(Duration::ZERO);
    assert_eq!(unkept.len(), 1);
    let kept = test.queue.to_keep(&unkept[0], test.start + SECOND);
    assert_eq!((kept.failed, kept.age, kept.due_in, &*kept.key), (1, SECOND, SECOND, "k"));
    assert!(test.next(Duration::from_secs(100)).is_none(), "it is not retried from memory meanwhile");
    assert!(!test.queue.is_empty(), "it still counts");
    test.queue.kept(&unkept);
    assert!(test.queue.is_empty() && test.queue.take_lost() == Lost::default());
}

#[test]
fn what_cannot_be_kept_is_retried_from_memory_and_to_be_kept_again_when_that_fails() {
    let mut test = durable(false);
    test.put_channels(&["a"]);
    let request = test.expect(Duration::ZERO);
    test.queue.failed(request, test.start);
    let unkept = test.unkept(Duration::ZERO);
    test.queue.not_kept(unkept, test.start);
    assert!(test.next(SECOND / 2).is_none());
    let again = test.expect(SECOND);
    assert_eq!(again.failed, 1);
    test.queue.failed(again, test.start + SECOND);
    assert_eq!(test.unkept(SECOND).len(), 1);
    test.put_channels(&["b"]);
    let late = test.expect(Duration::from_secs(400));
    test.queue.failed(late, test.start + Duration::from_secs(400));
    assert!(test.unkept(Duration::from_secs(400)).is_empty(), "one at a time");
    test.queue.kept(&[]);
    let unkept = test.unkept(Duration::from_secs(400));
    test.queue.not_kept(unkept, test.start + Duration::from_secs(400));
    assert_eq!(test.queue.take_lost().given_up, 1, "from memory it is tried for five minutes");
}

#[test]
fn behind_a_url_that_fails_events_are_kept_without_an_attempt_in_their_order() {
    let mut test = durable(true);
    test.put_channels(&["a", "b"]);
    let first = test.expect(SECOND / 2);
    test.queue.failed(first, test.start + SECOND / 2);
    test.put_channels(&["c", "d"]);
    assert_eq!(test.unkept(SECOND / 2).len(), 1, "the others have not waited long");
    test.queue.kept(&[]);
    let unkept = test.unkept(SECOND);
    assert_eq!((unkept.len(), unkept[0].events), (1, 2));
    assert_eq!(test.queue.to_keep(&unkept[0], test.start).due_in, SECOND);
    assert!(test.unkept(SECOND).is_empty());
}

#[test]
fn at_the_end_of_a_drain_all_that_waits_is_kept_and_nothing_more_is_sent() {
    let mut test = durable(false);
    test.put_channels(&["a", "b", "c"]);
    let [retried, under_way] = [test.expect(Duration::ZERO), test.expect(Duration::ZERO)];
    test.queue.failed(retried, test.start);
    let unkept = test.unkept(Duration::ZERO);
    test.queue.not_kept(unkept, test.start);
    test.queue.end();
    test.queue.park();
    assert!(test.next(SECOND).is_none());
    let older = test.unkept(Duration::ZERO);
    assert_eq!(older.len(), 1, "what is under way is older than what waits");
    test.queue.kept(&older);
    test.queue.failed(under_way, test.start);
    let kept = test.unkept(Duration::ZERO);
    let channels: Vec<_> = kept.iter().map(|request| request.channel.clone().unwrap()).collect();
    assert_eq!(channels.iter().map(ChannelName::as_str).collect::<Vec<_>>(), ["b", "c"]);
    test.queue.not_kept(kept, test.start);
    assert_eq!(test.queue.take_lost().given_up, 2, "nothing is retried any more");
    assert!(test.queue.is_empty());
}

#[test]
fn what_cannot_be_kept_while_the_server_ends_is_to_be_kept_once_more_at_the_last_moment() {
    let mut test = durable(false);
    test.put_channels(&["a", "b"]);
    let (first, second) = (test.expect(Duration::ZERO), test.expect(Duration::ZERO));
    test.queue.end();
    test.queue.failed(first, test.start);
    let unkept = test.unkept(Duration::ZERO);
    test.queue.not_kept(unkept, test.start);
    test.queue.failed(second, test.start);
    assert!(test.unkept(SECOND).is_empty(), "not again and again");
    assert!(test.next(SECOND).is_none(), "each is tried once");
    test.queue.park();
    let unkept = test.unkept(SECOND);
    let channels: Vec<_> = unkept.iter().map(|request| request.channel.clone().unwrap()).collect();
    assert_eq!(channels.iter().map(ChannelName::as_str).collect::<Vec<_>>(), ["a", "b"]);
    test.queue.kept(&unkept);
    assert!(test.queue.is_empty() && test.queue.take_lost() == Lost::default());
}

#[test]
fn a_crowd_is_kept_in_several_turns() {
    let mut test = durable(false);
    test.put_channels(&["a"; 700]);
    test.queue.park();
    for count in [500, 200, 0] {
        let unkept = test.unkept(Duration::ZERO);
        assert_eq!(unkept.len(), count);
        test.queue.kept(&unkept);
    }
    assert!(test.queue.is_empty());
}
