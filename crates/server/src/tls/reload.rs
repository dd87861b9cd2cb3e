//! Certificates that change: the files are looked at every two seconds, and read anew on SIGHUP.
//!
//! Never lets go of a certificate that can be used for files that cannot.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fanfare_config::certificate::{CertificateError, Files};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use super::{Current, ServerTls};
use crate::clock::unix_seconds;
use crate::state::State;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Looks in a row that must find the files faulty before that is said: whoever writes two files has written
/// one of them first.
const PATIENCE: u32 = 2;

/// What tells a file from what it was before, links followed, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp([FileStamp; 2]);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Of both files as they are now; `None` if one is not there.
    pub fn of(files: &Files) -> Option<Self> {
        Some(Self([FileStamp::of(&files.certificate)?, FileStamp::of(&files.key)?]))
    }
}

impl FileStamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self {
            place: (file.dev(), file.ino()),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
        })
    }
}

/// What a look at the files came to.
enum Look {
    /// They are as they were when they were read.
    Unchanged,
    /// They were read, and are in use from now on.
    New,
    /// They were read, and hold what was in use already.
    Same,
    /// They cannot be used.
    Faulty(CertificateError),
}

/// Follows the files until the process ends; `asked` has them read whether they have changed or not.
pub async fn follow(state: Arc<State>, tls: Arc<ServerTls>, asked: Arc<Notify>) {
    let mut every = tokio::time::interval(LOOK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut faulty = 0;
    loop {
        state.metrics.certificate_expires(tls.expires());
        let asked = tokio::select! {
            () = asked.notified() => true,
            _ = every.tick() => false,
        };
        let looking = Arc::clone(&tls);
        // A file may be on a disk that does not answer.
        let look = match tokio::task::spawn_blocking(move || looking.look(asked)).await {
            Ok(look) => look,
            // A look that panics once over these files panics every time.
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime ends.
            Err(_) => return,
        };
        match look {
            Look::Unchanged | Look::New => faulty = 0,
            Look::Same => {
                if asked || faulty >= PATIENCE {
                    tracing::info!(target: "fanfare::tls", "the TLS certificate was read again and is the same");
                }
                faulty = 0;
            }
            Look::Faulty(error) => {
                faulty += 1;
                if asked || faulty == PATIENCE {
                    let setting = error.setting();
                    tracing::error!(
                        target: "fanfare::tls", setting, %error,
                        "the TLS certificate cannot be replaced; the one before stays in use"
                    );
                }
                faulty = if asked { faulty.max(PATIENCE) } else { faulty };
            }
        }
    }
}

impl ServerTls {
    /// Reads the files if they have changed or if it is `asked` for; what cannot be used is read anew each time.
    fn look(&self, asked: bool) -> Look {
        let stamp = Stamp::of(&self.files);
        if !asked && stamp.is_some() && stamp == self.current.read().stamp {
            return Look::Unchanged;
        }
        let new = match Current::read(&self.files) {
            Ok(new) => new,
            Err(error) => return Look::Faulty(error),
        };
        let mut current = self.current.write();
        if new.certificate.is_same(&current.certificate) {
            current.stamp = new.stamp;
            return Look::Same;
        }
        *current = new;
        drop(current);
        self.current.read().certificate.log("new TLS certificate", unix_seconds());
        Look::New
    }
}
