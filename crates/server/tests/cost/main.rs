//! Ceilings of the server's costs, in figures that do not depend on time: allocations, bytes and
//! system calls of the server itself, which runs within this process.
//!
//! The process has one allocator and one count of system calls, so one test runs at a time, and clients
//! allocate nothing during a measurement. Each ceiling is a little above the figure measured when the ceiling
//! was set; every test prints its figure.
#![allow(clippy::print_stdout, reason = "the figures are worth reading even if they pass")]

mod client;
mod cluster;
mod deliveries;
mod http2;
mod live;
mod looking;
mod memory;
mod once;
mod resume;
mod server;
mod tls;
mod traces;
mod users;

use std::alloc::System;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

use crate::client::DEADLINE;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Held by the running test.
static TURN: Mutex<()> = Mutex::new(());

fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock()
}

/// The allocations and deallocations of an action.
fn during(happens: impl FnOnce()) -> Stats {
    let region = Region::new(ALLOCATOR);
    happens();
    region.change()
}

/// Bytes of heap of each of `count` since the region began; waits until the bytes are at most `most`, or for the
/// deadline.
fn settled(region: &Region<'_, System>, count: usize, most: i64) -> i64 {
    let began = Instant::now();
    loop {
        let each = kept(&region.change()) / i64::try_from(count).expect("a crowd is small");
        if each <= most || began.elapsed() >= DEADLINE {
            return each;
        }
        std::thread::yield_now();
    }
}

/// Bytes that were allocated and not freed.
fn kept(change: &Stats) -> i64 {
    let signed = |bytes: usize| i64::try_from(bytes).expect("less than half the address space");
    signed(change.bytes_allocated) - signed(change.bytes_deallocated)
}
