//! What must not cost more than it does, by figures that do not depend on time: allocations, bytes and
//! system calls of the server itself, which runs within this process.
//!
//! The process has one allocator and one count of system calls, so one test runs at a time, and clients
//! allocate nothing while something is measured. Each ceiling is a little above what was measured when
//! it was set; every test prints its figure.
#![allow(clippy::print_stdout, reason = "the figures are worth reading even if they pass")]

mod client;
mod deliveries;
mod memory;
mod server;
mod tls;

use std::alloc::System;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

use crate::client::DEADLINE;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Held by the one test that runs.
static TURN: Mutex<()> = Mutex::new(());

fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock()
}

/// What was allocated, and not, while something happened.
fn during(happens: impl FnOnce()) -> Stats {
    let region = Region::new(ALLOCATOR);
    happens();
    region.change()
}

/// Bytes of heap of each of so many since the region began; waits until they are no more than `most`, or for the
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

/// Bytes that were allocated and are still there.
fn kept(change: &Stats) -> i64 {
    let signed = |bytes: usize| i64::try_from(bytes).expect("less than half the address space");
    signed(change.bytes_allocated) - signed(change.bytes_deallocated)
}
