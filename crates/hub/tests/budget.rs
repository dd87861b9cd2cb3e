//! The budget of all connections of a node: who is woken when it is exceeded, and which connections are closed.
//!
//! Frames are counted for the whole process, so one test runs at a time.

mod support;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{Budget, Conn, Hubs, Subscriptions, Taken};
use fanfare_protocol::app::App;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use parking_lot::{Mutex, MutexGuard};

use support::Wakes;

const KIB: usize = 1024;

/// The node's budget in these tests.
const ALL: usize = 1024 * KIB;

static TURN: Mutex<()> = Mutex::new(());

fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock()
}

fn hubs() -> Hubs {
    Hubs::new(Budget::new(ALL, ALL))
}

fn connect(hubs: &Hubs, id: u64) -> Subscriptions {
    let hub = hubs.open(&Arc::new(App::new("1".into(), Vec::new())));
    let conn = Conn::new(SocketId::from_bits(id), Arc::clone(hubs.budget()));
    Subscriptions::new(hub, Arc::new(conn))
}

fn crowd(hubs: &Hubs, size: u64) -> Vec<Subscriptions> {
    (0..size).map(|id| connect(hubs, id)).collect()
}

fn frame(bytes: usize) -> Frame {
    Frame::text(bytes, |out| out.resize(out.len() + bytes, b'x'))
}

fn push(subscriptions: &Subscriptions, bytes: usize) {
    assert!(subscriptions.conn().outbox.push(&frame(bytes)), "one outbox may hold so much");
}

/// Takes frames to write; returns the reason if the connection is to end instead.
fn take(subscriptions: &Subscriptions, frames: &mut Vec<Frame>) -> Option<CloseReason> {
    let cx = Context::from_waker(Waker::noop());
    match subscriptions.conn().outbox.poll_take(&cx, frames, 64) {
        Poll::Ready(Taken::Closed(reason)) => Some(reason),
        Poll::Ready(Taken::Frames) | Poll::Pending => None,
    }
}

fn is_closed(subscriptions: &Subscriptions) -> bool {
    take(subscriptions, &mut Vec::new()) == Some(CloseReason::OverMemory)
}

#[test]
fn the_largest_are_closed_until_a_quarter_is_free_and_their_memory_is_back_at_once() {
    let _turn = my_turn();
    let hubs = hubs();
    let conns = crowd(&hubs, 10);
    // 1,100 KiB: the connections with 200 and 180 have to go, so that 720 are left.
    for (number, conn) in conns.iter().enumerate() {
        push(conn, (number + 1) * 20 * KIB);
    }
    assert_eq!(hubs.relieve(), 2);
    let closed: Vec<bool> = conns.iter().map(is_closed).collect();
    assert_eq!(closed, [false, false, false, false, false, false, false, false, true, true]);
    assert!(hubs.budget().held() <= ALL / 4 * 3);
    assert_eq!(hubs.relieve(), 0, "there is room");
    drop(conns);
    assert_eq!(hubs.budget().held(), 0);
}

#[test]
fn what_is_shared_counts_once() {
    let _turn = my_turn();
    let hubs = hubs();
    let conns = crowd(&hubs, 100);
    let shared = frame(100 * KIB);
    for conn in &conns {
        assert!(conn.conn().outbox.push(&shared));
    }
    assert!(hubs.budget().held() < 110 * KIB, "{}", hubs.budget().held());
    assert_eq!(hubs.relieve(), 0);
}

#[test]
fn messages_that_are_not_complete_count_and_what_their_tasks_are_about_to_free_does_not() {
    let _turn = my_turn();
    let hubs = hubs();
    let conns = crowd(&hubs, 40);
    for conn in &conns {
        conn.conn().holds(32 * KIB);
    }
    // 1,280 KiB: 16 of 40 have to go.
    assert_eq!(hubs.relieve(), 16);
    assert!(hubs.budget().held() > ALL, "their tasks have yet to run");
    assert_eq!(hubs.relieve(), 0, "others are not closed for it");
    for conn in conns.iter().filter(|conn| is_closed(conn)) {
        conn.conn().freed();
    }
    assert_eq!(hubs.budget().held(), 24 * 32 * KIB);
    assert_eq!(hubs.relieve(), 0);
    drop(conns);
    assert_eq!(hubs.budget().held(), 0, "also of connections whose tasks have broken off");
}

#[test]
fn what_is_being_written_is_left_to_the_task_and_nobody_else_is_closed_for_it() {
    let _turn = my_turn();
    let hubs = hubs();
    let conns = crowd(&hubs, 20);
    let mut writing: Vec<Vec<Frame>> = Vec::new();
    for conn in &conns {
        push(conn, 60 * KIB);
        let mut frames = Vec::new();
        take(conn, &mut frames);
        writing.push(frames);
    }
    assert_eq!(hubs.relieve(), 8, "1,200 KiB, of which 720 may stay");
    assert_eq!(hubs.relieve(), 0);
    drop(writing);
}

#[test]
fn the_task_that_waits_for_too_much_is_woken_by_a_queue_and_by_a_message() {
    let _turn = my_turn();
    for by_queue in [true, false] {
        let hubs = hubs();
        let conns = crowd(&hubs, 2);
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        assert!(hubs.budget().poll_over(&Context::from_waker(&waker)).is_pending());
        push(&conns[0], ALL - 10 * KIB);
        assert_eq!(wakes.count(), 0);
        if by_queue {
            push(&conns[1], 20 * KIB);
        } else {
            conns[1].conn().holds(20 * KIB);
        }
        assert_eq!(wakes.count(), 1, "by a queue: {by_queue}");
        assert!(hubs.budget().poll_over(&Context::from_waker(&waker)).is_ready());
    }
}
