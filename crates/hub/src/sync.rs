//! Everything that decides the order of threads: locks, atomic numbers, and the hashers that order tables.
//!
//! Only names these types, and adds nothing. With `--cfg shuttle`, which only tests are built with, the names stand
//! for types of a test scheduler, which tries many orders and can repeat each order.

#[cfg(shuttle)]
mod scheduled;

#[cfg(not(shuttle))]
pub(crate) use ahash::RandomState;
#[cfg(not(shuttle))]
pub(crate) use parking_lot::{Mutex, RwLock};
#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

#[cfg(shuttle)]
pub(crate) use scheduled::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Mutex, Ordering, RandomState, RwLock,
};
