//! Locks and numbers of shuttle, in the shapes of parking_lot and std; hashers without randomness.
//!
//! Never part of a server: only tests are built with `--cfg shuttle`.

use std::hash::{BuildHasher, DefaultHasher, Hash};
use std::sync::PoisonError;

use shuttle::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// In ahash's shape, without randomness: the same order in every table, so that a failed schedule fails again.
#[derive(Debug, Default)]
pub(crate) struct RandomState;

impl BuildHasher for RandomState {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        DefaultHasher::new()
    }
}

impl RandomState {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) fn hash_one(&self, value: impl Hash) -> u64 {
        BuildHasher::hash_one(self, value)
    }
}

/// As parking_lot's: a panic does not poison the lock.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As parking_lot's: a panic does not poison the lock.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(shuttle::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(shuttle::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
