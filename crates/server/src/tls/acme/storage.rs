//! Where the ACME client keeps its records: in the apps' database, where all nodes find them, else in the data directory.
//!
//! Files are readable by the owner alone, and replaced as a whole. Never shows a value.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fanfare_apps::OperationError;
use fanfare_node::Node;
use parking_lot::Mutex;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The records of the ACME client.
pub enum AcmeRecords {
    /// In the apps' database.
    Database(Arc<Node>),
    /// In a folder of the data directory.
    Folder(Folder),
}

/// A folder with a file for each record.
pub struct Folder {
    path: PathBuf,
    /// Locked while this process has the lease.
    lease: Mutex<Option<File>>,
}

/// Why a record could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The apps' database.
    #[error(transparent)]
    Database(#[from] OperationError),
    /// A file.
    #[error("{}: {error}", path.display())]
    File {
        /// The file, or its folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl AcmeRecords {
    /// The storage of a node.
    pub fn of(node: &Arc<Node>) -> Self {
        if node.apps.has_database() {
            return Self::Database(Arc::clone(node));
        }
        let path = node.config().apps.data_dir.join("acme");
        Self::Folder(Folder { path, lease: Mutex::new(None) })
    }

    /// The value of a record, if there is one.
    pub async fn get(&self, name: &str) -> Result<Option<String>, StorageError> {
        match self {
            Self::Database(node) => Ok(node.apps.acme_record(name).await?),
            Self::Folder(folder) => folder.read(name).await,
        }
    }

    /// The records whose names begin with one of two prefixes, with their values. A file of such a name that is older than `life` is
    /// removed: a process that was killed has left it.
    pub async fn of_prefixes(
        &self,
        prefixes: [&'static str; 2],
        life: Duration,
    ) -> Result<Vec<(String, String)>, StorageError> {
        match self {
            Self::Database(node) => Ok(node.apps.acme_records_of(prefixes).await?),
            Self::Folder(folder) => folder.of_prefixes(prefixes, life).await,
        }
    }

    /// Stores a record for a time, or for ever if `life` is zero; a file stays until it is removed.
    pub async fn put(&self, name: &str, value: &str, life: Duration) -> Result<(), StorageError> {
        match self {
            Self::Database(node) => Ok(node.apps.put_acme_record(name, value, life).await?),
            Self::Folder(folder) => folder.write(name, value).await,
        }
    }

    /// Removes a record, if there is one.
    pub async fn remove(&self, name: &str) -> Result<(), StorageError> {
        match self {
            Self::Database(node) => Ok(node.apps.remove_acme_record(name).await?),
            Self::Folder(folder) => folder.remove(name).await,
        }
    }

    /// Takes the lease, unless another node or process has it; whether the lease is the holder's.
    pub async fn take_lease(&self, name: &str, holder: &str, life: Duration) -> Result<bool, StorageError> {
        match self {
            Self::Database(node) => Ok(node.apps.take_acme_lease(name, holder, life).await?),
            Self::Folder(folder) => folder.lock().await,
        }
    }

    /// Gives the lease back, unless another holder has it by now.
    pub async fn end_lease(&self, name: &str, holder: &str) -> Result<(), StorageError> {
        match self {
            Self::Database(node) => Ok(node.apps.end_acme_lease(name, holder).await?),
            Self::Folder(folder) => {
                *folder.lease.lock() = None;
                Ok(())
            }
        }
    }
}

impl Folder {
    fn file(&self, name: &str) -> PathBuf {
        self.path.join(utf8_percent_encode(name, NON_ALPHANUMERIC).to_string())
    }

    async fn read(&self, name: &str) -> Result<Option<String>, StorageError> {
        let path = self.file(name);
        on_disk(move || match fs::read_to_string(&path) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::File { path, error }),
        })
        .await
    }

    async fn of_prefixes(
        &self,
        prefixes: [&'static str; 2],
        life: Duration,
    ) -> Result<Vec<(String, String)>, StorageError> {
        let folder = self.path.clone();
        on_disk(move || {
            let failed = |error| StorageError::File { path: folder.clone(), error };
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries.map_err(failed)?,
            };
            // Files come and go meanwhile.
            let found = entries.filter_map(|entry| {
                let entry = entry.ok()?;
                let name = percent_decode_str(entry.file_name().to_str()?).decode_utf8().ok()?.into_owned();
                if !prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                    return None;
                }
                if entry.metadata().ok()?.modified().ok()?.elapsed().is_ok_and(|age| age > life) {
                    let _ = fs::remove_file(entry.path());
                    return None;
                }
                Some((name, fs::read_to_string(entry.path()).ok()?))
            });
            Ok(found.collect())
        })
        .await
    }

    async fn write(&self, name: &str, value: &str) -> Result<(), StorageError> {
        let (folder, path, value) = (self.path.clone(), self.file(name), value.to_owned());
        on_disk(move || {
            let new = path.with_extension("new");
            let written = || {
                let mut file = private_file(&folder, &new)?;
                file.set_len(0)?;
                file.write_all(value.as_bytes())?;
                file.sync_all()?;
                fs::rename(&new, &path)
            };
            written().map_err(|error| StorageError::File { path: path.clone(), error })
        })
        .await
    }

    async fn remove(&self, name: &str) -> Result<(), StorageError> {
        let path = self.file(name);
        on_disk(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::File { path, error }),
            _ => Ok(()),
        })
        .await
    }

    async fn lock(&self) -> Result<bool, StorageError> {
        let (folder, path) = (self.path.clone(), self.path.join("lock"));
        let locked = on_disk(move || {
            let failed = |error| StorageError::File { path: path.clone(), error };
            let file = private_file(&folder, &path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => Ok(Some(file)),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(failed(error)),
            }
        });
        let Some(file) = locked.await? else { return Ok(false) };
        *self.lease.lock() = Some(file);
        Ok(true)
    }
}

/// Opens a file that only the owner reads, in a folder that only the owner enters; makes what is missing.
fn private_file(folder: &Path, path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Runs what may wait for a disk.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(StorageError::File { path: PathBuf::new(), error: io::Error::other(error) }),
    }
}
