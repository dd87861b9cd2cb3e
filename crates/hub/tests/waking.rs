//! A connection's task asleep over its outbox: whatever the order of events, each event wakes the task.
//!
//! Only with `--cfg shuttle` (`cargo xtask interleavings`), where a scheduler tries thousands of orders, and where
//! a task that nobody wakes any more is a deadlock and fails.
#![cfg(shuttle)]

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{AppHub, Budget, Conn, Outbox, Subscriptions, Taken};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::{FRAME_COST, Frame};
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server::{QuotedEvent, signin_success};
use fanfare_protocol::user::UserData;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::{future, thread};

/// Orders tried of each test, by each scheduler.
const ORDERS: usize = 2000;

/// Frames of each publisher.
const FRAMES: u8 = 3;

/// Frames in one write, and writes before others get their turn, as in the server but smaller.
const BATCH: usize = 2;
const TURN: usize = 2;

const BYTES: usize = 5;

/// Bytes that such a frame counts in an outbox.
const COST: usize = BYTES + FRAME_COST;

const USER: &str = r#"{"id":"u"}"#;

/// Uniform chance finds likely orders; few changes of the running thread (PCT) find rare ones.
fn in_many_orders(check: fn()) {
    shuttle::check_random(check, ORDERS);
    shuttle::check_pct(check, ORDERS, 3);
}

fn frame(publisher: u8, number: u8) -> Frame {
    let frame = Frame::text(BYTES, |out| out.extend_from_slice(&[b'-', publisher, number]));
    assert_eq!(frame.bytes().len(), BYTES);
    frame
}

/// Pushes from a thread; returns the number of queued frames.
fn publish(outbox: &Arc<Outbox>, publisher: u8) -> thread::JoinHandle<u8> {
    let outbox = Arc::clone(outbox);
    thread::spawn(move || {
        let queued: Vec<bool> = (0..FRAMES).map(|number| outbox.push(&frame(publisher, number))).collect();
        assert!(queued.is_sorted_by(|earlier, later| earlier >= later), "queued after it was closed");
        queued.iter().filter(|queued| **queued).count().try_into().expect("a few")
    })
}

fn close(outbox: &Arc<Outbox>, reason: CloseReason) -> thread::JoinHandle<()> {
    let outbox = Arc::clone(outbox);
    thread::spawn(move || outbox.close(reason))
}

/// Reads as the server writes: in batches, some a turn, until the outbox is closed.
fn poll_reading(
    cx: &Context<'_>,
    outbox: &Outbox,
    read: &mut Vec<Frame>,
    mut taking: impl FnMut(usize),
) -> Poll<CloseReason> {
    for _ in 0..TURN {
        taking(read.len());
        match outbox.poll_take(cx, read, BATCH) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Taken::Closed(reason)) => return Poll::Ready(reason),
            Poll::Ready(Taken::Frames) => {}
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

fn reading(outbox: &Arc<Outbox>) -> future::JoinHandle<(CloseReason, Vec<Frame>)> {
    let outbox = Arc::clone(outbox);
    future::spawn(async move {
        let mut read = Vec::new();
        let reason = poll_fn(|cx| poll_reading(cx, &outbox, &mut read, |_| {})).await;
        (reason, read)
    })
}

/// The numbers of one publisher's frames, in the order in which they were read.
fn numbers(read: &[Frame], publisher: u8) -> Vec<u8> {
    let payloads = read.iter().map(Frame::payload).filter(|payload| payload[1] == publisher);
    payloads.map(|payload| payload[2]).collect()
}

#[test]
fn ws_106_every_frame_arrives_in_its_publishers_order_without_a_close_to_wake_for() {
    in_many_orders(|| {
        let outbox = Arc::new(Outbox::new(Budget::of_each(100 * COST)));
        let reader = {
            let outbox = Arc::clone(&outbox);
            let mut read = Vec::new();
            future::spawn(poll_fn(move |cx| {
                let polled = poll_reading(cx, &outbox, &mut read, |_| {});
                assert_eq!(polled, Poll::Pending, "nobody closes it");
                let all = read.len() == usize::from(2 * FRAMES);
                if all { Poll::Ready(std::mem::take(&mut read)) } else { Poll::Pending }
            }))
        };
        for publisher in [publish(&outbox, 0), publish(&outbox, 1)] {
            assert_eq!(publisher.join().expect("no panic"), FRAMES);
        }
        let read = future::block_on(reader).expect("it ends");
        for publisher in 0..2 {
            assert_eq!(numbers(&read, publisher), (0..FRAMES).collect::<Vec<_>>());
        }
    });
}

#[test]
fn ws_106_what_was_queued_before_a_close_in_the_midst_arrives_and_nothing_else() {
    in_many_orders(|| {
        let outbox = Arc::new(Outbox::new(Budget::of_each(100 * COST)));
        let reader = reading(&outbox);
        let publishers = [publish(&outbox, 0), publish(&outbox, 1)];
        let closers =
            [close(&outbox, CloseReason::ServerRestarting), close(&outbox, CloseReason::PongMissing)];
        let (reason, read) = future::block_on(reader).expect("it ends");
        for (name, publisher) in (0..).zip(publishers) {
            let queued = publisher.join().expect("no panic");
            assert_eq!(numbers(&read, name), (0..queued).collect::<Vec<_>>());
        }
        for closer in closers {
            closer.join().expect("no panic");
        }
        outbox.close(CloseReason::ShuttingDown);
        let again = future::block_on(poll_fn(|cx| outbox.poll_closed(cx)));
        assert_eq!(reason, again, "the first reason stays");
    });
}

#[test]
fn another_task_that_reads_on_is_woken_in_place_of_the_first() {
    in_many_orders(|| {
        let outbox = Arc::new(Outbox::new(Budget::of_each(100 * COST)));
        let first = Arc::clone(&outbox);
        let mut read = future::block_on(future::spawn(poll_fn(move |cx| {
            let mut read = Vec::new();
            let _ = poll_reading(cx, &first, &mut read, |_| {});
            Poll::Ready(read)
        })))
        .expect("it ends");
        let reader = reading(&outbox);
        assert_eq!(publish(&outbox, 0).join().expect("no panic"), FRAMES);
        outbox.close(CloseReason::ServerRestarting);
        read.extend(future::block_on(reader).expect("it ends").1);
        assert_eq!(numbers(&read, 0), (0..FRAMES).collect::<Vec<_>>());
    });
}

#[test]
fn a_reader_stuck_in_a_full_socket_hears_of_every_close() {
    in_many_orders(|| {
        for reason in [CloseReason::SlowReader, CloseReason::ServerRestarting] {
            let outbox = Arc::new(Outbox::new(Budget::of_each(2 * COST)));
            let stuck = Arc::clone(&outbox);
            let reader = future::spawn(async move { poll_fn(|cx| stuck.poll_closed(cx)).await });
            if reason == CloseReason::SlowReader {
                assert_eq!(
                    publish(&outbox, 0).join().expect("no panic"),
                    2,
                    "the bound, and nothing over it"
                );
            } else {
                close(&outbox, reason.clone()).join().expect("no panic");
            }
            assert_eq!(future::block_on(reader).expect("it ends"), reason);
        }
    });
}

#[test]
fn a_reader_is_slow_only_when_more_than_the_bound_was_on_its_way() {
    in_many_orders(|| {
        let outbox = Arc::new(Outbox::new(Budget::of_each(MOST * COST)));
        let counts = Arc::new(Counts::default());
        let reader = future::spawn(reading_in_bounds(Arc::clone(&outbox), Arc::clone(&counts)));
        let publishers = [0, 1].map(|publisher| {
            let (outbox, counts) = (Arc::clone(&outbox), Arc::clone(&counts));
            thread::spawn(move || publish_counted(&outbox, &counts, publisher))
        });
        let refused = publishers.map(|publisher| publisher.join().expect("no panic"));
        outbox.close(CloseReason::ServerRestarting);
        let (reason, read) = future::block_on(reader).expect("it ends");
        let queued = counts.queued.load(Ordering::SeqCst);
        match refused.into_iter().flatten().min() {
            Some(written) => {
                assert!(queued >= written + MOST, "refused with {queued} queued and {written} written");
                assert_eq!(reason, CloseReason::SlowReader);
            }
            None => assert_eq!((reason, queued, read), (CloseReason::ServerRestarting, 6, 6)),
        }
    });
}

/// Frames that fit.
const MOST: usize = 3;

/// Counts of frames; each grows late, after the counted event.
#[derive(Default)]
struct Counts {
    queued: AtomicUsize,
    written: AtomicUsize,
}

/// Reads until the close; returns the number of frames.
async fn reading_in_bounds(outbox: Arc<Outbox>, counts: Arc<Counts>) -> (CloseReason, usize) {
    let (mut read, mut before) = (Vec::new(), 0);
    let reason = poll_fn(|cx| {
        let taking = |read: usize| {
            // Frames of the last take are written by now, but the outbox learns that with the next take only.
            let queued = counts.queued.load(Ordering::SeqCst);
            assert!(queued <= before + MOST, "more on its way than the bound");
            counts.written.store(before, Ordering::SeqCst);
            before = read;
        };
        poll_reading(cx, &outbox, &mut read, taking)
    });
    (reason.await, read.len())
}

/// Publishes until a frame is refused; returns how many frames had been written before.
fn publish_counted(outbox: &Outbox, counts: &Counts, publisher: u8) -> Option<usize> {
    for number in 0..FRAMES {
        let written = counts.written.load(Ordering::SeqCst);
        if !outbox.push(&frame(publisher, number)) {
            return Some(written);
        }
        counts.queued.fetch_add(1, Ordering::SeqCst);
    }
    None
}

/// The task of a connection that signs in, subscribes, and reads until it is closed, as the server's does.
async fn connection(hub: Arc<AppHub>, conn: Arc<Conn>) -> (CloseReason, Vec<Frame>) {
    let mut subscriptions = Subscriptions::new(hub, Arc::clone(&conn));
    let user = UserData::parse(USER, &Limits::default()).expect("user data");
    assert!(subscriptions.sign_in(user, &signin_success(USER), 0));
    subscriptions.subscribe(news(), None, 0).expect("a first subscription");
    let mut read = Vec::new();
    let reason = poll_fn(|cx| poll_reading(cx, &conn.outbox, &mut read, |_| {})).await;
    (reason, read)
}

fn news() -> ChannelName {
    ChannelName::parse("news", 164).expect("a legal name")
}

#[test]
fn ws_125_and_ws_058_a_connection_closed_from_outside_ends_and_leaves_nothing_behind() {
    in_many_orders(|| {
        let hub = Arc::new(AppHub::new(Arc::new(App::new("1".into(), Vec::new()))));
        let conns: Vec<_> = (0..2)
            .map(|id| Arc::new(Conn::new(SocketId::from_bits(id), Budget::of_each(100 * COST))))
            .collect();
        let tasks: Vec<_> =
            conns.iter().map(|conn| future::spawn(connection(Arc::clone(&hub), Arc::clone(conn)))).collect();
        let publisher = {
            let hub = Arc::clone(&hub);
            thread::spawn(move || {
                let took = ["0", "1", "2"]
                    .map(|data| hub.deliver(&news(), &QuotedEvent::new("e", data).on(&news()), None));
                took.iter().sum::<usize>()
            })
        };
        let closed = hub.close_user("u", &CloseReason::Terminated);
        assert!(closed <= conns.len());
        for conn in &conns {
            conn.outbox.close(CloseReason::ServerRestarting);
        }
        let mut received = 0;
        for task in tasks {
            let (reason, read) = future::block_on(task).expect("it ends");
            assert!([CloseReason::Terminated, CloseReason::ServerRestarting].contains(&reason));
            let texts: Vec<_> = read.iter().map(|frame| String::from_utf8_lossy(frame.payload())).collect();
            let events = texts.iter().skip_while(|text| !text.contains("signin_success")).skip(1);
            let (acknowledgements, events): (Vec<_>, Vec<_>) =
                events.enumerate().partition(|(_, text)| text.contains("subscription_succeeded"));
            assert!(acknowledgements.iter().all(|(place, _)| *place == 0), "{texts:?}");
            assert!(events.iter().all(|(place, _)| *place > 0), "{texts:?}");
            received += events.len();
        }
        assert_eq!(publisher.join().expect("no panic"), received);
        assert_eq!((hub.totals(), hub.connections(), hub.users_online()), ((0, 0), 0, 0));
    });
}

#[test]
fn whatever_stirs_a_connection_beside_its_outbox_is_looked_at() {
    in_many_orders(|| {
        let conn = Arc::new(Conn::new(SocketId::from_bits(1), Budget::of_each(100 * COST)));
        let heard = Arc::new(AtomicUsize::new(0));
        let task = {
            let (conn, heard) = (Arc::clone(&conn), Arc::clone(&heard));
            let mut read = Vec::new();
            let mut looked = 0;
            // As the server's task: everything beside the outbox is polled only after a stir.
            future::spawn(poll_fn(move |cx| {
                if conn.take_stir() {
                    looked = heard.load(Ordering::SeqCst);
                }
                let polled = poll_reading(cx, &conn.outbox, &mut read, |_| {});
                assert_eq!(polled, Poll::Pending, "nobody closes it");
                if conn.is_stirred() {
                    cx.waker().wake_by_ref();
                }
                let all = looked == 2 && read.len() == usize::from(FRAMES);
                if all { Poll::Ready(()) } else { Poll::Pending }
            }))
        };
        let stirrers: Vec<_> = (0..2)
            .map(|_| {
                let (conn, heard) = (Arc::clone(&conn), Arc::clone(&heard));
                thread::spawn(move || {
                    heard.fetch_add(1, Ordering::SeqCst);
                    Waker::from(conn).wake();
                })
            })
            .collect();
        for number in 0..FRAMES {
            assert!(conn.outbox.push(&frame(0, number)));
        }
        for stirrer in stirrers {
            stirrer.join().expect("no panic");
        }
        future::block_on(task).expect("it ends");
    });
}
