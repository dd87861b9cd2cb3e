//! The configuration: the sources of settings, and their legal values.
//!
//! Defaults, a package's defaults, a Laravel application's `.env`, the file, the environment, the command
//! line: the later source wins. Reads all sources before refusing: all faults are reported at once. Shows no
//! secret.

mod acme;
mod apps;
mod authorities;
pub mod bounded_file;
mod bus;
pub mod certificate;
mod database;
mod differing;
mod effective;
mod environment;
mod fault;
mod file;
mod filter;
mod given;
mod keys;
mod laravel;
mod laravel_echo_server;
mod listen_address;
mod master_key;
mod merged;
mod print;
mod redis_feed;
mod redis_url;
mod reloading;
mod rules;
mod run_time;
mod sections;
mod server_url;
mod socketio;
mod sources;
mod taken_over;
mod telemetry;
mod timeouts;
mod tls;
pub mod validity;
mod value;
mod warnings;
mod webhook_list;
mod webhooks;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use fanfare_apps::{Database, MasterKeys};
use fanfare_protocol::app::{App, Limits as AppLimits};
use fanfare_protocol::ids::AppId;

pub use self::acme::AcmeSection;
pub use self::authorities::Authorities;
pub use self::bus::BusSection;
pub use self::differing::DifferingSetting;
pub use self::fault::{Cause, Fault, Origin};
pub use self::laravel::Laravel;
pub use self::laravel_echo_server::LaravelEchoServer;
pub use self::listen_address::ListenAddress;
pub use self::redis_feed::{NoFeed, RedisFeedSection};
pub use self::redis_url::{redis_url_faults, shown_url};
pub use self::reloading::{AppOfConfiguration, SettingChange, SettingChanges};
pub use self::run_time::TakesEffect;
pub use self::sections::{
    AppsSection, ConsoleSection, IdempotencySection, LimitsSection, ListenSection, LogFormat, LogSection,
    MetricsSection, ResumeSection, WatchdogSection,
};
pub use self::server_url::ServerUrl;
pub use self::socketio::{EchoClient, SocketIoSection};
pub use self::sources::{Flags, Sources};
pub use self::telemetry::TelemetrySection;
pub use self::timeouts::TimeoutsSection;
pub use self::tls::TlsSection;
pub use self::webhooks::WebhooksSection;

use self::apps::FixedApp;
use self::effective::Effective;
use self::keys::Keys;
use self::laravel_echo_server::Former;
use self::merged::Merged;

/// Every setting, checked.
#[derive(Debug)]
pub struct Config {
    /// `[listen]`.
    pub listen: ListenSection,
    /// `[limits]` of the node; limits of apps are in [`Config::default_limits`].
    pub limits: LimitsSection,
    /// `[timeouts]`.
    pub timeouts: TimeoutsSection,
    /// The trusted certificate authorities.
    pub authorities: Authorities,
    /// `[apps]` without the apps themselves.
    pub apps: AppsSection,
    /// `[console]`.
    pub console: ConsoleSection,
    /// `[resume]`.
    pub resume: ResumeSection,
    /// `[idempotency]`.
    pub idempotency: IdempotencySection,
    /// `[redis_feed]`.
    pub redis_feed: RedisFeedSection,
    /// `[socketio]`.
    pub socketio: SocketIoSection,
    /// `[bus]`.
    pub bus: BusSection,
    /// `[webhooks]`.
    pub webhooks: WebhooksSection,
    /// `[metrics]`.
    pub metrics: MetricsSection,
    /// `[telemetry]`.
    pub telemetry: TelemetrySection,
    /// `[watchdog]`.
    pub watchdog: WatchdogSection,
    /// `[log]`.
    pub log: LogSection,
    /// The values from a Laravel application's `.env`.
    pub laravel: Option<Laravel>,
    /// The values from a laravel-echo-server's file and variables.
    pub laravel_echo_server: Option<LaravelEchoServer>,
    /// The first app of the embedded database, for the settings that name an app and are empty; the start sets it.
    pub first_app: Option<AppId>,
    /// What is legal, and most likely not what is wanted: a sentence each.
    pub warnings: Vec<String>,
    default_limits: AppLimits,
    fixed: Vec<FixedApp>,
    database: Option<Database>,
    master_keys: MasterKeys,
    effective: Effective,
    differing: OnceLock<Vec<DifferingSetting>>,
}

/// The sections that are checked against apps or files.
struct CheckedSections {
    redis_feed: RedisFeedSection,
    socketio: SocketIoSection,
    bus: BusSection,
    authorities: Authorities,
    telemetry: TelemetrySection,
}

impl Config {
    /// Reads and checks all settings.
    ///
    /// # Errors
    /// All faults, in the order of the sources.
    pub fn load(sources: &Sources) -> Result<Self, Vec<Fault>> {
        let keys = Keys::all();
        let mut faults = Vec::new();
        let Merged { effective, apps, clients, certificates, project, former } =
            Merged::of(sources, &keys, &mut faults);
        let default_limits = effective.app_limits();
        webhook_list::check_durable(&apps, &effective, &mut faults);
        let fixed = apps::resolve(apps, &default_limits, &keys, &mut faults);
        rules::check(&effective, &default_limits, &fixed, &mut faults);
        let checked = CheckedSections {
            redis_feed: redis_feed::read(&effective, &fixed, &mut faults),
            socketio: socketio::read(&effective, clients, (&fixed, &keys), &mut faults),
            bus: bus::read(&effective, &fixed, &mut faults),
            telemetry: telemetry::read(&effective, &mut faults),
            authorities: Authorities::read(&effective, &mut faults),
        };
        let variable = sources.environment.iter().find(|(name, _)| name == master_key::VARIABLE);
        let variable = variable.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty());
        let master_keys = master_key::read(variable, &effective, &mut faults);
        let mut warnings = warnings::of(&effective, &checked.redis_feed, &checked.socketio, &fixed);
        warnings.extend(former.iter().flat_map(Former::warnings));
        warnings.extend(environment::unknown(&sources.environment, &keys));
        let tls = tls::read(&effective, certificates, &keys, sources.certificate, &mut faults);
        faults.sort_by_key(|fault| fault.place.order());
        if !faults.is_empty() {
            return Err(Former::reworded(faults));
        }
        let config = Self::from_effective(effective, fixed, checked);
        // The shown settings are masked by now.
        let laravel = project.as_ref().map(|project| Laravel::new(project, &config.effective, &config.fixed));
        let laravel_echo_server = former.map(|former| former.told(&config.effective));
        let listen = ListenSection { tls, ..config.listen };
        Ok(Self { master_keys, laravel, laravel_echo_server, warnings, listen, ..config })
    }

    fn from_effective(mut effective: Effective, fixed: Vec<FixedApp>, checked: CheckedSections) -> Self {
        let CheckedSections { redis_feed, socketio, bus, authorities, telemetry } = checked;
        let apps: AppsSection = effective.section("apps");
        let database = match (&*effective.text("apps.database"), fixed.is_empty()) {
            ("", false) => None,
            ("", true) => Some("sqlite".to_owned()),
            (named, _) => Some(named.to_owned()),
        };
        let database = database.map(|text| {
            Database::parse(&text, &apps.data_dir).expect("the name of the database was checked")
        });
        if !effective.text("apps.database").is_empty() {
            effective.mask("apps.database", database.as_ref().map_or_else(String::new, ToString::to_string));
        }
        if let Some(address) = &redis_feed.address {
            effective.mask("redis_feed.url", address.to_string());
        }
        let shown: Vec<String> = bus.urls.iter().map(ToString::to_string).collect();
        effective.mask("bus.urls", shown);
        let checked = CheckedSections { redis_feed, socketio, bus, authorities, telemetry };
        Self::of_sections(effective, fixed, checked, database)
    }

    /// The configuration of settings whose secrets are masked.
    fn of_sections(
        effective: Effective,
        fixed: Vec<FixedApp>,
        checked: CheckedSections,
        database: Option<Database>,
    ) -> Self {
        let CheckedSections { redis_feed, socketio, bus, authorities, telemetry } = checked;
        Self {
            redis_feed,
            socketio,
            bus,
            authorities,
            telemetry,
            listen: effective.section("listen"),
            limits: effective.section("limits"),
            timeouts: effective.section("timeouts"),
            console: effective.section("console"),
            resume: effective.section("resume"),
            idempotency: effective.section("idempotency"),
            webhooks: effective.section("webhooks"),
            metrics: effective.section("metrics"),
            watchdog: effective.section("watchdog"),
            log: effective.section("log"),
            apps: effective.section("apps"),
            default_limits: effective.app_limits(),
            fixed,
            database,
            master_keys: MasterKeys::default(),
            laravel: None,
            laravel_echo_server: None,
            first_app: None,
            warnings: Vec::new(),
            effective,
            differing: OnceLock::new(),
        }
    }

    /// The apps of the file and the environment, every setting resolved.
    #[must_use]
    pub fn fixed_apps(&self) -> Vec<App> {
        self.fixed.iter().map(|fixed| fixed.app.clone()).collect()
    }

    /// The limits of an app that sets none.
    #[must_use]
    pub const fn default_limits(&self) -> &AppLimits {
        &self.default_limits
    }

    /// Where the configuration names an app; `None` for an app that the configuration does not name.
    #[must_use]
    pub fn place_of_app(&self, id: &str) -> Option<&Origin> {
        self.fixed.iter().find(|fixed| fixed.app.id.as_str() == id).map(|fixed| &fixed.place)
    }

    /// Every effective setting, in TOML, with its origin, and with secrets masked.
    #[must_use]
    pub fn effective(&self) -> String {
        let embedded = self.is_embedded().then_some(&*self.apps.data_dir);
        let certificates = self.listen.tls.as_ref().map_or(&[][..], |tls| tls.listed());
        print::effective(&self.effective, (&self.fixed, &self.socketio.clients, certificates), embedded)
    }
}

impl Default for Config {
    /// The built-in defaults: `config/default.toml`.
    fn default() -> Self {
        Self::load(&Sources::default()).expect("a test loads the defaults")
    }
}
