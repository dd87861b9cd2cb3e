//! The records of the ACME client that all nodes of a database share: sealed like secrets, but for leases.
//!
//! Knows nothing of what a record means.

use std::time::Duration;

use crate::apps::{Apps, in_time};
use crate::master_keys::Owner;
use crate::operations::OperationError;

/// The owner of sealed records; no app has such an id.
const OWNER: &str = "tls.acme";

/// The owner of a record of this name: a value that is moved to another record does not open.
pub(crate) const fn owner(name: &str) -> Owner<'_> {
    Owner { app: OWNER, key: name }
}

/// What the names of leases begin with: their values are no secrets.
const LEASE: &str = "lease:";

/// Whether a record of this name is a lease, which is never sealed.
pub(crate) fn is_lease(name: &str) -> bool {
    name.starts_with(LEASE)
}

impl Apps {
    /// The value of a record; `None` if there is none, or its time is over.
    ///
    /// # Errors
    /// There is no database, the database is away, or the value is sealed with another master key.
    pub async fn acme_record(&self, name: &str) -> Result<Option<String>, OperationError> {
        let stored = self.answering()?;
        let found = in_time(async { Ok(stored.store.acme_record(name).await?) }).await?;
        let opened = found.map(|value| stored.reading.keys.open(owner(name), &value)).transpose();
        opened.map_err(|fault| OperationError::Faults(vec![format!("the record {name}: {fault}")]))
    }

    /// The records of now whose names begin with one of two prefixes, with their values: at most a thousand, and none that was sealed
    /// with another master key.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn acme_records_of(
        &self,
        prefixes: [&str; 2],
    ) -> Result<Vec<(String, String)>, OperationError> {
        let stored = self.answering()?;
        let found = in_time(async { Ok(stored.store.acme_records_of(prefixes).await?) }).await?;
        let opened = |(name, value): (String, String)| {
            let value = stored.reading.keys.open(owner(&name), &value).ok()?;
            Some((name, value))
        };
        Ok(found.into_iter().filter_map(opened).collect())
    }

    /// Stores a record for a time, or for ever if `life` is zero.
    ///
    /// # Errors
    /// There is no database, or the database is away or stores nothing.
    pub async fn put_acme_record(
        &self,
        name: &str,
        value: &str,
        life: Duration,
    ) -> Result<(), OperationError> {
        let stored = self.answering()?;
        let sealed = stored.reading.keys.seal(owner(name), value)?;
        in_time(async { stored.noting(stored.store.put_acme_record(name, &sealed, life).await) }).await
    }

    /// Takes a lease for a time, unless another holder has it; whether the lease is the holder's.
    ///
    /// # Errors
    /// There is no database, or the database is away or stores nothing.
    pub async fn take_acme_lease(
        &self,
        name: &str,
        holder: &str,
        life: Duration,
    ) -> Result<bool, OperationError> {
        let stored = self.answering()?;
        in_time(async { stored.noting(stored.store.take_acme_record(name, holder, life).await) }).await
    }

    /// Gives a lease back, unless another holder has it by now.
    ///
    /// # Errors
    /// There is no database, or the database is away or stores nothing.
    pub async fn end_acme_lease(&self, name: &str, holder: &str) -> Result<(), OperationError> {
        let stored = self.answering()?;
        in_time(async { stored.noting(stored.store.give_acme_record_back(name, holder).await) }).await
    }

    /// Removes a record, if there is one.
    ///
    /// # Errors
    /// There is no database, or the database is away or stores nothing.
    pub async fn remove_acme_record(&self, name: &str) -> Result<(), OperationError> {
        let stored = self.answering()?;
        in_time(async { stored.noting(stored.store.remove_acme_record(name).await) }).await
    }
}
