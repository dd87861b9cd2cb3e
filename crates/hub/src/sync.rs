//! What decides who goes first: locks, atomic numbers, and the hashers by which tables are in order.
//!
//! Only names what is used, and never adds to it. With `--cfg shuttle`, which nothing but tests is built with,
//! the names stand for what a scheduler of tests holds in its hand: it tries many orders, and can repeat one.

#[cfg(shuttle)]
mod scheduled;

#[cfg(not(shuttle))]
pub(crate) use ahash::RandomState;
#[cfg(not(shuttle))]
pub(crate) use parking_lot::{Mutex, RwLock};
#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

#[cfg(shuttle)]
pub(crate) use scheduled::{AtomicBool, AtomicU32, AtomicUsize, Mutex, Ordering, RandomState, RwLock};
