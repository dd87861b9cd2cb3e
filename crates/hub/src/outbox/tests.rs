//! An outbox by itself: its order, its bound, its end, and the memory that remains.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use fanfare_protocol::frame::FRAME_COST;

use super::*;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn frame(length: usize) -> Frame {
    Frame::text(length, |out| out.resize(out.len() + length - 2, b'x'))
}

/// An outbox with room for so many frames of so many bytes together.
fn room_for(frames: usize, bytes: usize) -> Outbox {
    Outbox::new(Budget::of_each(frames * FRAME_COST + bytes))
}

fn take(outbox: &Outbox, wakes: &Arc<Wakes>) -> (Vec<Frame>, Poll<Taken>) {
    let waker = Waker::from(Arc::clone(wakes));
    let mut frames = Vec::new();
    let taken = outbox.poll_take(&Context::from_waker(&waker), &mut frames, 64);
    (frames, taken)
}

#[test]
fn frames_come_out_in_order_and_wake_the_reader_once() {
    let outbox = room_for(3, 1000);
    let wakes = Arc::new(Wakes::default());
    assert_eq!(take(&outbox, &wakes).1, Poll::Pending);
    for length in [10, 20, 30] {
        assert!(outbox.push(&frame(length)));
    }
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    let (frames, taken) = take(&outbox, &wakes);
    assert_eq!(taken, Poll::Ready(Taken::Frames));
    let lengths: Vec<usize> = frames.iter().map(|frame| frame.bytes().len()).collect();
    assert_eq!(lengths, [10, 20, 30]);
}

#[test]
fn a_full_outbox_is_freed_and_closed_as_a_slow_reader() {
    let outbox = room_for(2, 100);
    let wakes = Arc::new(Wakes::default());
    assert!(outbox.push(&frame(60)) && outbox.push(&frame(40)), "exactly the bound is allowed");
    assert!(!outbox.push(&frame(2)));
    assert!(!outbox.push(&frame(2)), "nothing enters a closed outbox");
    let (frames, taken) = take(&outbox, &wakes);
    assert!(frames.is_empty());
    assert_eq!(taken, Poll::Ready(Taken::Closed(CloseReason::SlowReader)));
}

#[test]
fn a_frame_without_payload_counts_with_the_place_it_takes() {
    let outbox = room_for(100, 200);
    let most = (0..).take_while(|_| outbox.push(&frame(2))).count();
    assert_eq!(most, 100);
}

#[test]
fn what_is_being_written_counts_until_the_next_take() {
    let outbox = room_for(2, 100);
    let wakes = Arc::new(Wakes::default());
    assert!(outbox.push(&frame(80)));
    assert_eq!(take(&outbox, &wakes).0.len(), 1);
    assert!(outbox.push(&frame(20)));
    assert_eq!(take(&outbox, &wakes).0.len(), 1, "the first 80 bytes are written now");
    assert!(outbox.push(&frame(80)));
    assert!(!outbox.push(&frame(2)));
}

#[test]
fn a_close_waits_for_the_queue_and_the_first_reason_stays() {
    let outbox = room_for(1, 100);
    let wakes = Arc::new(Wakes::default());
    assert!(outbox.push(&frame(10)));
    outbox.close(CloseReason::ServerRestarting);
    outbox.close(CloseReason::PongMissing);
    assert_eq!(take(&outbox, &wakes).1, Poll::Ready(Taken::Frames));
    assert_eq!(take(&outbox, &wakes).1, Poll::Ready(Taken::Closed(CloseReason::ServerRestarting)));
}

#[test]
fn a_reader_stuck_in_a_full_socket_hears_of_the_close() {
    let outbox = room_for(1, 100);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    assert_eq!(outbox.poll_closed(&Context::from_waker(&waker)), Poll::Pending);
    outbox.close(CloseReason::ServerRestarting);
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert_eq!(outbox.poll_closed(&Context::from_waker(&waker)), Poll::Ready(CloseReason::ServerRestarting));
}

#[test]
fn a_burst_leaves_no_memory_behind_and_is_taken_off_the_nodes_budget() {
    let budget = Budget::of_each(1_000_000);
    let outbox = Outbox::new(Arc::clone(&budget));
    let wakes = Arc::new(Wakes::default());
    for _ in 0..1000 {
        outbox.push(&frame(10));
    }
    assert!(budget.others() >= 999 * size_of::<Frame>());
    while take(&outbox, &wakes).1.is_ready() {}
    assert!(outbox.queue.lock().frames.capacity() <= frames::SLOTS_KEPT);
    assert!(budget.others() <= frames::SLOTS_KEPT * size_of::<Frame>());
    for _ in 0..1000 {
        outbox.push(&frame(10));
    }
    assert!(outbox.give_up(CloseReason::OverMemory, 0));
    assert!(!outbox.give_up(CloseReason::OverMemory, 0), "it is ending already");
    assert_eq!(budget.others(), 0);
    let other = Outbox::new(Arc::clone(&budget));
    for _ in 0..1000 {
        other.push(&frame(10));
    }
    drop(other);
    assert_eq!(budget.others(), 0);
}

/// The payloads of the Pong frames in the outbox.
fn pongs(outbox: &Outbox, wakes: &Arc<Wakes>) -> Vec<String> {
    let mut found = Vec::new();
    while let (frames, Poll::Ready(Taken::Frames)) = take(outbox, wakes) {
        found.extend(frames.iter().map(|frame| String::from_utf8_lossy(frame.payload()).into_owned()));
    }
    found
}

#[test]
fn of_many_pings_that_wait_the_newest_is_answered_behind_all_that_waits() {
    let outbox = room_for(100, 10_000);
    let wakes = Arc::new(Wakes::default());
    for number in 0..500 {
        outbox.push_pong(Frame::pong(number.to_string().as_bytes()));
    }
    outbox.push(&Frame::text(4, |out| out.extend_from_slice(b"last")));
    let answered = pongs(&outbox, &wakes);
    let (newest, first) = answered.split_last().expect("answers");
    assert_eq!(newest, "499");
    assert_eq!(first.last().expect("more"), "last");
    assert!(first.len() < 50, "{} answers wait", first.len());
    outbox.push_pong(Frame::pong(b"again"));
    assert_eq!(pongs(&outbox, &wakes), ["again"], "a client that reads is answered each time");
}

#[test]
fn a_client_that_asks_on_and_never_reads_is_a_slow_reader() {
    let outbox = room_for(100, 10_000);
    let wakes = Arc::new(Wakes::default());
    for _ in 0..2000 {
        outbox.push_pong(Frame::pong(b""));
    }
    let (frames, taken) = take(&outbox, &wakes);
    assert!(frames.is_empty());
    assert_eq!(taken, Poll::Ready(Taken::Closed(CloseReason::SlowReader)));
}

#[test]
fn a_client_that_reads_may_ask_as_often_as_it_likes() {
    let outbox = room_for(100, 10_000);
    let wakes = Arc::new(Wakes::default());
    for number in 0..10_000 {
        outbox.push_pong(Frame::pong(number.to_string().as_bytes()));
        assert_eq!(pongs(&outbox, &wakes), [number.to_string()]);
    }
}

#[test]
fn an_outbox_keeps_the_moment_of_the_first_frame_of_a_sampled_event_until_its_frames_are_taken() {
    let budget = Budget::of_each(10_000);
    let outbox = Outbox::new(Arc::clone(&budget));
    let moment = || {
        let cx = Context::from_waker(Waker::noop());
        outbox.poll_take_sampled(&cx, &mut Vec::new(), 64).1
    };
    outbox.push(&frame(10));
    assert_eq!(moment(), 0, "no event is sampled");
    for (at, told) in [(7, 7), (0, 1)] {
        let window = budget.sample(at);
        outbox.push(&frame(10));
        drop(window);
        outbox.push(&frame(10));
        let later = budget.sample(at + 5);
        outbox.push(&frame(10));
        drop(later);
        assert_eq!(moment(), told);
        assert_eq!(moment(), 0, "the frames were taken");
    }
    outbox.push(&frame(10));
    assert_eq!(moment(), 0, "the windows are closed");
}

#[test]
fn who_hears_of_written_frames_is_told_their_moment() {
    let heard = Arc::new(AtomicUsize::new(0));
    let taker = Arc::clone(&heard);
    let budget = Budget::new(1000, 1000)
        .with_moments(Box::new(move |moment| taker.store(moment as usize, Ordering::Relaxed)));
    Outbox::new(Arc::new(budget)).written(42);
    assert_eq!(heard.load(Ordering::Relaxed), 42);
}
