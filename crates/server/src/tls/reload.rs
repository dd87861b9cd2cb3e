//! Reload of certificates: the files are checked every two seconds, and read again on SIGHUP; a reload of the settings may name others.
//!
//! Never replaces a working certificate by unusable files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fanfare_config::certificate::{CertificateError, Files};
use fanfare_node::clock::unix_seconds;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::{Current, FromFiles, ServerTls};
use crate::state::State;

/// Interval of checks.
const LOOK: Duration = Duration::from_secs(2);

/// Consecutive checks that must find the files faulty before the fault is logged: an update of two files writes
/// one first.
const PATIENCE: u32 = 2;

/// The identity of a file's version, links followed, without reading the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp([FileStamp; 2]);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// The stamp of both files now; `None` if one is missing.
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

/// The result of a check.
enum Look {
    /// The files have not changed since they were read.
    Unchanged,
    /// The files were read, and are in use from now on.
    New,
    /// The files were read, and hold the certificate in use.
    Same,
    /// The files cannot be used.
    Faulty(CertificateError),
}

/// The certificate of which a check tells, by the path of its file.
struct Looked {
    file: PathBuf,
    setting: Option<String>,
    look: Look,
}

/// Asks to read the files, changed or not; the answer is whether they can be used.
pub type ReadRequest = oneshot::Sender<bool>;

/// Starts the task that follows the files until the process ends.
pub fn begin(state: &Arc<State>, tls: Arc<ServerTls>) -> mpsc::Sender<ReadRequest> {
    let (ask, requests) = mpsc::channel(1);
    state.node.tasks.spawn("TLS certificate", follow(Arc::clone(state), tls, requests));
    ask
}

async fn follow(state: Arc<State>, tls: Arc<ServerTls>, mut requests: mpsc::Receiver<ReadRequest>) {
    let mut every = tokio::time::interval(LOOK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut faulty = Vec::new();
    loop {
        state.metrics.set_certificates(tls.in_use());
        let request = tokio::select! {
            Some(request) = requests.recv() => Some(request),
            _ = every.tick() => None,
        };
        let asked = request.is_some();
        let (looking, config) = (Arc::clone(&tls), state.node.config_kept());
        let look = move || {
            let named = config.listen.tls.as_ref().map_or(&[][..], |tls| &tls.files);
            looking.look(asked, named)
        };
        // The disk of a file may not answer.
        let looked = match tokio::task::spawn_blocking(look).await {
            Ok(looked) => looked,
            // A check that panics once over these files panics every time.
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime ends.
            Err(_) => return,
        };
        let are_usable = !looked.iter().any(|looked| matches!(looked.look, Look::Faulty(_)));
        faulty.resize(looked.len(), 0);
        for (looked, faulty) in looked.into_iter().zip(&mut faulty) {
            looked.log(asked, faulty);
        }
        if let Some(request) = request {
            let _ = request.send(are_usable);
        }
    }
}

impl Looked {
    /// Logs what was found; `faulty` counts the consecutive checks that have found a fault.
    fn log(self, asked: bool, faulty: &mut u32) {
        let file = self.file.display();
        match self.look {
            Look::Unchanged | Look::New => *faulty = 0,
            Look::Same => {
                if asked || *faulty >= PATIENCE {
                    tracing::info!(
                        target: "fanfare::tls", %file, "the TLS certificate was read again and is the same"
                    );
                }
                *faulty = 0;
            }
            Look::Faulty(error) => {
                *faulty += 1;
                if asked || *faulty == PATIENCE {
                    tracing::error!(
                        target: "fanfare::tls", setting = self.setting, %error,
                        "the TLS certificate cannot be replaced; the one before stays in use"
                    );
                }
                *faulty = if asked { (*faulty).max(PATIENCE) } else { *faulty };
            }
        }
    }
}

impl ServerTls {
    /// Reads the files that have changed, or all if `asked`; unusable files are read again each time. The files are those that the
    /// settings name, as soon as all of these can be used.
    fn look(&self, asked: bool, named: &[Files]) -> Vec<Looked> {
        if asked && let Some(acme) = self.acme.get() {
            acme.hurry();
        }
        let mut from_files = self.current.read().from_files.clone();
        if !from_files.iter().map(|used| &used.files).eq(named) {
            return self.take_over(named);
        }
        let mut looked = Vec::with_capacity(from_files.len());
        for used in &mut from_files {
            let (look, read) = used.look(asked);
            let setting = match &look {
                Look::Faulty(error) => Some(error.setting(&used.files)),
                _ => None,
            };
            looked.push(Looked { file: used.files.certificate.clone(), setting, look });
            if let Some(read) = read {
                *used = Arc::new(read);
            }
        }
        if looked.iter().any(|looked| matches!(looked.look, Look::New)) {
            let mut current = self.current.write();
            *current = Current::of(from_files, current.issued.clone());
        } else {
            self.current.write().from_files = from_files;
        }
        looked
    }
}

impl ServerTls {
    /// Takes the certificates of other files into use, all or none.
    fn take_over(&self, named: &[Files]) -> Vec<Looked> {
        let mut from_files = Vec::with_capacity(named.len());
        for files in named {
            match FromFiles::read(files) {
                Ok(read) => from_files.push(Arc::new(read)),
                Err(error) => {
                    let (file, setting) = (files.certificate.clone(), Some(error.setting(files)));
                    return vec![Looked { file, setting, look: Look::Faulty(error) }];
                }
            }
        }
        let look = |read: &Arc<FromFiles>| {
            read.certificate.log("TLS certificate", unix_seconds());
            Looked { file: read.files.certificate.clone(), setting: None, look: Look::New }
        };
        let looked = from_files.iter().map(look).collect();
        let mut current = self.current.write();
        *current = Current::of(from_files, current.issued.clone());
        looked
    }
}

impl FromFiles {
    /// What a check of the files finds, and the certificate with the new state of its files, if that has changed.
    fn look(&self, asked: bool) -> (Look, Option<Self>) {
        let stamp = Stamp::of(&self.files);
        if !asked && stamp.is_some() && stamp == self.stamp {
            return (Look::Unchanged, None);
        }
        match Self::read(&self.files) {
            Ok(new) if new.certificate.is_same(&self.certificate) => (Look::Same, Some(new)),
            Ok(new) => {
                new.certificate.log("new TLS certificate", unix_seconds());
                (Look::New, Some(new))
            }
            Err(error) => (Look::Faulty(error), None),
        }
    }
}
