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

use parking_lot::{Mutex, MutexGuard};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

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

/// Bytes that were allocated and are still there.
fn kept(change: &Stats) -> i64 {
    let signed = |bytes: usize| i64::try_from(bytes).expect("less than half the address space");
    signed(change.bytes_allocated) - signed(change.bytes_deallocated)
}
