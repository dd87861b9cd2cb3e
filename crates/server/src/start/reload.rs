//! The task that reloads: reads every source again, and takes over all that can change while the server runs.
//!
//! All or nothing: a fault in any source keeps everything as it was. Ends no connection but those of an app that is removed or
//! disabled. Never logs a value, which may be secret: names alone.

use std::panic::resume_unwind;
use std::sync::Arc;

use fanfare_apps::AppChange;
use fanfare_config::{Config, Fault, SettingChanges, Sources};
use fanfare_node::live_apps;
use tokio::sync::{mpsc, oneshot};

use crate::log::Guard;
use crate::redis_feed::RedisFeeds;
use crate::reloads::{ReloadOutcome, ReloadRequest};
use crate::setting_changes::names;
use crate::state::State;
use crate::supervision::{Notice, Notices};
use crate::tls::reload::ReadRequest;

/// What a reload works on.
pub(super) struct Reloading {
    pub state: Arc<State>,
    /// The sources of the start: the command line and the environment stay, files are read anew.
    pub sources: Arc<Sources>,
    pub log: Guard,
    pub feeds: Arc<RedisFeeds>,
    /// Asks the task that reloads the TLS certificate, if there is one.
    pub certificate: Option<mpsc::Sender<ReadRequest>>,
    pub notices: Notices,
    /// What the server does, as `systemctl status` shows it.
    pub serving: String,
}

impl Reloading {
    /// Does what is asked for, one after another, for as long as the process lives. systemd is told when a reload begins, and when
    /// it is over.
    pub async fn run(self, mut requests: mpsc::Receiver<ReloadRequest>) {
        while let Some(answer) = requests.recv().await {
            if self.state.node.drain.has_begun() {
                // systemd knows that the server stops; the dropped answer says that nothing was done.
                continue;
            }
            self.notices
                .tell(Notice::Reloading("Reloading: every source of settings is read again".to_owned()));
            let outcome = match self.read().await {
                Ok((config, changes)) => {
                    self.take_over(config, &changes).await;
                    ReloadOutcome::TakenOver(Arc::new(changes))
                }
                Err(faults) => refused(&faults),
            };
            self.state.reloads.note(&outcome);
            self.notices.tell(Notice::Ready(format!("{}{}", self.serving, after(&outcome))));
            // Who asked may be gone.
            let _ = answer.send(outcome);
        }
        // Nobody can ask any more: the runtime ends.
        std::future::pending::<()>().await;
    }

    /// Reads and checks every source. The disk of a file may not answer.
    async fn read(&self) -> Result<(Config, SettingChanges), Vec<Fault>> {
        let (running, sources) = (self.state.node.config_kept(), Arc::clone(&self.sources));
        match tokio::task::spawn_blocking(move || running.reloaded(&sources)).await {
            Ok(read) => read,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime ends.
            Err(_) => std::future::pending().await,
        }
    }

    async fn take_over(&self, config: Config, changes: &SettingChanges) {
        let has_changed =
            |section: &str| changes.taken_over.iter().any(|change| change.key().starts_with(section));
        let (apps, limits) = (config.fixed_apps(), config.default_limits().clone());
        let known = self.state.node.config().warnings.clone();
        for warning in config.warnings.iter().filter(|warning| !known.contains(warning)) {
            tracing::warn!(target: "fanfare", "{warning}");
        }
        if let Err(fault) = self.log.set_filter(&config.log.filter) {
            tracing::error!(target: "fanfare", fault, "the log goes on with the filter before");
        }
        self.state.take_over(config);
        for change in self.state.node.apps.take_over(apps, limits).await {
            self.apply(change);
        }
        if has_changed("redis_feed.") {
            for app in self.state.node.config_kept().fixed_apps() {
                if let Some(app) = self.state.node.apps.in_memory(app.id.as_str()).await {
                    self.feeds.set(&app);
                }
            }
        }
        if has_changed("redis_feed.") || has_changed("limits.") || has_changed("apps.") {
            self.state.node.apps.read_all_again().await;
        }
        self.read_certificate().await;
        log(changes);
    }

    /// Applies the change of an app of the configuration, as one of the database's.
    fn apply(&self, change: AppChange) {
        self.feeds.hear(&change);
        live_apps::apply(&self.state.node, change);
    }

    /// The certificate is read again, changed or not; the task that follows it logs the result.
    async fn read_certificate(&self) {
        let Some(certificate) = &self.certificate else { return };
        let (answer, read) = oneshot::channel();
        // Without an answer the runtime ends.
        if certificate.send(answer).await.is_ok() {
            let _ = read.await;
        }
    }
}

/// Logs what has come of a reload: names of settings, never values.
fn log(SettingChanges { taken_over, needs_restart }: &SettingChanges) {
    if taken_over.is_empty() {
        tracing::info!(target: "fanfare", "settings reloaded: none that can change while the server runs has changed");
    } else {
        tracing::info!(target: "fanfare", "settings reloaded, and taken over: {}", names(taken_over));
    }
    if !needs_restart.is_empty() {
        tracing::warn!(
            target: "fanfare",
            "changed settings that need a restart, and stay as they were: {}",
            names(needs_restart)
        );
    }
}

/// Logs the faults as the start prints them.
fn refused(faults: &[Fault]) -> ReloadOutcome {
    for fault in faults {
        tracing::error!(target: "fanfare", "fault: {fault}");
    }
    tracing::error!(
        target: "fanfare",
        faults = faults.len(),
        "the reload is refused whole: every setting stays as it was"
    );
    ReloadOutcome::Refused(faults.iter().map(ToString::to_string).collect())
}

/// What `systemctl status` shows behind the sentence of a server that runs.
fn after(outcome: &ReloadOutcome) -> String {
    match outcome {
        ReloadOutcome::Refused(faults) => {
            format!(
                "; the last reload was refused for {} faults, and every setting stayed as it was",
                faults.len()
            )
        }
        ReloadOutcome::TakenOver(changes) => match changes.needs_restart.len() {
            0 => String::new(),
            waiting => format!("; {waiting} changed settings need a restart"),
        },
    }
}
