//! Another configuration for a running server: what is taken over of the sources as they are now, and what needs a restart.
//!
//! Takes over all of the sources or nothing: a fault anywhere keeps everything as it was. Shows no secret.

use std::fmt;

use fanfare_apps::named_limits;
use fanfare_protocol::app::{App, Limits};

use super::differing::shown;
use super::fault::Fault;
use super::keys::Keys;
use super::run_time::TakesEffect;
use super::sources::Sources;
use super::tls::{CERTIFICATES, TlsSection};
use super::{CheckedSections, Config};
use crate::certificate::Files;

/// A setting that is not as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingChange {
    /// A setting of the node.
    Node {
        /// Its name.
        key: String,
        /// The values before and now, in the words of the file; `None` where both look alike, because what differs is secret.
        values: Option<(String, String)>,
    },
    /// An app of the configuration.
    App {
        /// Its id.
        id: String,
        /// What has become of the app.
        change: AppOfConfiguration,
    },
}

/// What has become of an app of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppOfConfiguration {
    /// The app is new there.
    Added,
    /// The app has other settings.
    Changed,
    /// The app is gone from there.
    Removed,
}

impl AppOfConfiguration {
    /// The word for the change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

impl SettingChange {
    /// The name of the setting.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Node { key, .. } => key,
            Self::App { .. } => "apps.list",
        }
    }
}

impl fmt::Display for SettingChange {
    /// The name alone; of an app, with the id and what has become of the app.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { key, .. } => f.write_str(key),
            Self::App { id, change } => write!(f, "apps.list (app {id} {})", change.as_str()),
        }
    }
}

/// What differs between a running server and its sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingChanges {
    /// What the server takes over.
    pub taken_over: Vec<SettingChange>,
    /// What keeps the value that the server was started with, until a restart.
    pub needs_restart: Vec<SettingChange>,
}

impl Config {
    /// The configuration to go on with: of what the sources say now, all that can change while the server runs.
    ///
    /// # Errors
    /// All faults of the sources, as at a start: nothing is to be taken over then.
    pub fn reloaded(&self, sources: &Sources) -> Result<(Self, SettingChanges), Vec<Fault>> {
        let wanted = Self::load(sources)?.with_random_secret_of(self);
        let changes = self.changes_to(&wanted);
        Ok((self.gone_on_with(wanted), changes))
    }

    /// Whether a reload takes over a change of this key.
    fn takes_over(&self, wanted: &Self, key: &str) -> bool {
        let (is_alone, keeps_tls) = (self.bus.is_alone(), self.certificates_of(wanted).is_some());
        TakesEffect::of(key).is_some_and(|when| when.is_at_reload(is_alone, keeps_tls))
    }

    /// The certificates to go on with on the TLS listener; `None` if the listener comes or goes, or would be left without any.
    fn certificates_of<'a>(&self, wanted: &'a Self) -> Option<&'a [Files]> {
        let (Some(own), Some(wanted)) = (&self.listen.tls, &wanted.listen.tls) else { return None };
        (!wanted.files.is_empty() || own.acme.is_some()).then_some(&*wanted.files)
    }

    fn changes_to(&self, wanted: &Self) -> SettingChanges {
        let mut changes = SettingChanges::default();
        for (key, kind) in Keys::all().node {
            if self.has_other(&key, wanted) {
                let [before, now] = [self, wanted].map(|config| shown(kind, config.effective.get(&key).0));
                let is_taken_over = self.takes_over(wanted, &key);
                let change = SettingChange::Node { key, values: (before != now).then_some((before, now)) };
                let list = if is_taken_over { &mut changes.taken_over } else { &mut changes.needs_restart };
                list.push(change);
            }
        }
        let clients =
            [self, wanted].map(|config| config.socketio.clients.iter().map(|client| client.content()));
        let [before, now] = clients;
        if !before.eq(now) {
            changes.taken_over.push(SettingChange::Node { key: "socketio.clients".to_owned(), values: None });
        }
        let [before, now] =
            [self, wanted].map(|config| config.listen.tls.as_ref().map_or(&[][..], TlsSection::listed));
        if before != now {
            let key = CERTIFICATES.to_owned();
            let is_taken_over = self.certificates_of(wanted).is_some();
            let list = if is_taken_over { &mut changes.taken_over } else { &mut changes.needs_restart };
            list.push(SettingChange::Node { key, values: None });
        }
        changes.taken_over.extend(self.changed_apps(wanted));
        changes
    }

    /// Whether the other configuration has another value of a key. Whether there is a database depends on whether there are apps.
    fn has_other(&self, key: &str, wanted: &Self) -> bool {
        let is_other = self.effective.unmasked(key) != wanted.effective.unmasked(key);
        is_other
            || match key {
                "apps.database" => self.database.is_some() != wanted.database.is_some(),
                "apps.master_key_file" => !self.master_keys.are(&wanted.master_keys),
                _ => false,
            }
    }

    fn changed_apps(&self, wanted: &Self) -> Vec<SettingChange> {
        let of = |config: &Self, id: &str| -> Option<App> {
            let fixed = config.fixed.iter().find(|fixed| fixed.app.id.as_str() == id)?;
            Some(fixed.app.clone())
        };
        let gone = self.fixed.iter().filter(|fixed| of(wanted, fixed.app.id.as_str()).is_none());
        let gone = gone.map(|fixed| (&fixed.app, AppOfConfiguration::Removed));
        let there = wanted.fixed.iter().filter_map(|fixed| match of(self, fixed.app.id.as_str()) {
            None => Some((&fixed.app, AppOfConfiguration::Added)),
            Some(before) => {
                let is_same =
                    is_same([&before, &fixed.app], [self, wanted].map(|config| &config.default_limits));
                (!is_same).then_some((&fixed.app, AppOfConfiguration::Changed))
            }
        });
        let all = there.chain(gone);
        all.map(|(app, change)| SettingChange::App { id: app.id.to_string(), change }).collect()
    }

    /// The other configuration, with the settings of this one that need a restart.
    fn gone_on_with(&self, wanted: Self) -> Self {
        let certificates = self.certificates_of(&wanted).map(<[Files]>::to_vec);
        let mut kept: Vec<String> = Keys::all().node.into_iter().map(|(key, _)| key).collect();
        kept.retain(|key| !self.takes_over(&wanted, key));
        let Self {
            mut effective, fixed, mut redis_feed, mut socketio, warnings, laravel_echo_server, ..
        } = wanted;
        for key in &kept {
            effective.keep(key, &self.effective);
        }
        redis_feed.trust = self.redis_feed.trust.clone();
        redis_feed.reach = self.redis_feed.reach;
        if let Some(id) = &self.first_app {
            redis_feed.app.get_or_insert_with(|| id.clone());
            socketio.app.get_or_insert_with(|| id.clone());
        }
        let (bus, authorities, telemetry) =
            (self.bus.clone(), self.authorities.clone(), self.telemetry.clone());
        let checked = CheckedSections { redis_feed, socketio, bus, authorities, telemetry };
        let mut config = Self::of_sections(effective, fixed, checked, self.database.clone());
        config.listen.tls.clone_from(&self.listen.tls);
        if let (Some(tls), Some(certificates)) = (&mut config.listen.tls, certificates) {
            tls.files = certificates;
        }
        config.laravel.clone_from(&self.laravel);
        config.first_app.clone_from(&self.first_app);
        Self { master_keys: self.master_keys.clone(), laravel_echo_server, warnings, ..config }
    }

    /// The same, where an app whose secret is random at each start has the secret of this start.
    fn with_random_secret_of(mut self, running: &Self) -> Self {
        let is_random = |config: &Self| {
            config.laravel_echo_server.as_ref().is_some_and(|former| former.has_random_secret)
        };
        if is_random(&self)
            && is_random(running)
            && let ([own], [theirs]) = (&mut self.fixed[..], &running.fixed[..])
        {
            own.app.credentials.clone_from(&theirs.app.credentials);
        }
        self
    }
}

/// Whether an app has the same settings before and now. A limit that follows its default is no setting of the app.
fn is_same([before, now]: [&App; 2], defaults: [&Limits; 2]) -> bool {
    let [limits, new_limits, defaults, new_defaults] =
        [&before.limits, &now.limits, defaults[0], defaults[1]].map(named_limits);
    let is_same_limit = |at: usize| {
        let follows = limits[at] == defaults[at] && new_limits[at] == new_defaults[at];
        follows || limits[at] == new_limits[at]
    };
    let others = App { limits: before.limits.clone(), ..now.clone() };
    others == *before && (0..limits.len()).all(is_same_limit)
}
