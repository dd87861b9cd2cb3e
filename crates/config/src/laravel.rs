//! The server's settings from a Laravel application's `.env`.
//!
//! One table: a key, a value, and the variable. Fanfare's own sources override these settings, because the
//! `.env` was written for another program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fanfare_laravel::dotenv::{
    AppNames, Application, Driver, Prefix, PrefixOrigin, Project, ProjectError, USUAL_REDIS, Variable,
};
use toml::Value;

use super::apps::FixedApp;
use super::effective::Effective;
use super::fault::{Cause, Fault, Origin};
use super::given::Given;
use super::taken_over::taken_over;

/// Reverb's default port.
const REVERB_PORT: &str = "8080";

/// The note on an application without a key for clients.
const NO_APP: &str =
    "it names no app (PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET, or their REVERB_ twins)";

/// The note where the application's database might have been meant for Fanfare.
const NOT_OUR_DATABASE: &str = "DATABASE_URL is taken for the application's own and is not used; a database for \
                                Fanfare's apps is named by FANFARE__APPS__DATABASE";

/// The values taken from a `.env`, in words for the operator who starts the server.
#[derive(Clone, Debug)]
pub struct Laravel {
    /// The file.
    pub file: PathBuf,
    /// Each setting from the file, as `key = value (variable)`, without secrets.
    pub taken: Vec<String>,
    /// Further notes for the operator.
    pub notes: Vec<String>,
}

/// Reads a project; an unreadable project becomes a fault.
pub(super) fn open(
    path: &Path,
    environment: &[(String, String)],
    faults: &mut Vec<Fault>,
) -> Option<Project> {
    let (path, line, cause) = match Project::open(path, environment) {
        Ok(project) => return Some(project),
        Err(ProjectError::Unreadable { file, error }) => {
            (file, 0, Cause::Unreadable(format!("{error}; name a .env or the project's directory")))
        }
        Err(ProjectError::NotADotEnv { file, fault }) => {
            (file, fault.line, Cause::NotADotEnv(fault.to_string()))
        }
    };
    faults.push(Fault { place: Origin::File { path, line, column: None }, cause });
    None
}

/// Whether the project's app of this family counts: the driver uses the family, or the app is complete.
pub(super) fn is_used(project: &Project, names: AppNames) -> bool {
    let application = &project.application;
    match application.driver() {
        Some((Driver::Pusher | Driver::Reverb, _)) => application.uses(names),
        _ => application.credentials(names).iter().all(Option::is_some),
    }
}

/// A non-empty variable, with its origin.
pub(super) fn filled(project: &Project, name: &str) -> Option<(String, Origin)> {
    project.application.filled(name).map(|said| (said.value.clone(), place(project, &said)))
}

/// The settings from a project's variables; `address` is the listener's address without these variables.
pub(super) fn settings(project: &Project, address: &str, faults: &mut Vec<Fault>) -> Vec<Given> {
    let mut table: Vec<(&str, String, Variable)> = Vec::new();
    if let Some((Driver::Redis, driver)) = project.application.driver() {
        table.extend(redis_feed(project, &driver, faults));
    }
    table.extend(listen(project, address).map(|(value, said)| ("listen.addr", value, said)));
    table.extend(path_prefix(project).map(|(value, said)| ("listen.path_prefix", value, said)));
    let given = |(key, value, said): (&str, String, Variable)| Given {
        place: place(project, &said),
        key: key.to_owned(),
        value: Value::String(value),
    };
    table.into_iter().map(given).collect()
}

/// The settings of the app that a project's variables name. Client events are on if the application's former
/// server had them on: Reverb, or laravel-echo-server for `redis`. With `redis` Fanfare asks the application
/// for authorization, because the driver signs nothing.
pub(super) fn app_settings(project: &Project) -> Vec<Given> {
    let application = &project.application;
    let given = |key: &str, value: Value, said: &Variable| Given {
        place: place(project, said),
        key: key.to_owned(),
        value,
    };
    let Some((driver @ (Driver::Redis | Driver::Reverb), said)) = application.driver() else {
        return Vec::new();
    };
    let mut all = vec![given("client_events", true.into(), &said)];
    if driver == Driver::Redis {
        all.extend(
            application.auth_url().map(|said| given("authorization.url", said.value.as_str().into(), &said)),
        );
        let origins = |said: &Variable| Value::Array(vec![said.value.as_str().into()]);
        all.extend(application.origin().map(|said| given("authorization.origins", origins(&said), &said)));
    }
    all
}

/// Reverb's listening address; else the address that PHP sends to, if on this machine and without TLS.
fn listen(project: &Project, address: &str) -> Option<(String, Variable)> {
    let application = &project.application;
    let names = application.names()?;
    if names == AppNames::Reverb {
        let (host, port) =
            (application.filled("REVERB_SERVER_HOST"), application.filled("REVERB_SERVER_PORT"));
        if let Some(said) = port.as_ref().or(host.as_ref()) {
            let host = host.as_ref().map_or_else(|| host_of(address), |said| &*said.value);
            let port = port.as_ref().map_or(REVERB_PORT, |said| &said.value);
            return Some((joined(host, port), said.clone()));
        }
    }
    let target = application.target(names.prefix())?;
    let ip = target.loopback().filter(|_| target.scheme == "http")?;
    let said = target.port.1?;
    Some((joined(&ip.to_string(), &said.value), said))
}

fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

/// A host and a port as an address.
pub(super) fn joined(host: &str, port: &str) -> String {
    match host {
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// The path prefix of Reverb.
fn path_prefix(project: &Project) -> Option<(String, Variable)> {
    let application = &project.application;
    let said = application.filled("REVERB_SERVER_PATH").filter(|_| application.uses(AppNames::Reverb))?;
    let path = said.value.trim_matches('/');
    (!path.is_empty()).then(|| (format!("/{path}"), said.clone()))
}

/// The Redis that an application with the driver `redis` publishes to, and the prefix of its channels.
fn redis_feed(
    project: &Project,
    driver: &Variable,
    faults: &mut Vec<Fault>,
) -> Vec<(&'static str, String, Variable)> {
    let application = &project.application;
    let url = application
        .redis_url()
        .unwrap_or_else(|| Variable { value: USUAL_REDIS.to_owned(), ..driver.clone() });
    let name = ["REDIS_PREFIX", "APP_NAME"].into_iter().find_map(|name| application.said(name));
    let said = name.unwrap_or_else(|| driver.clone());
    let Some(prefix) = project.redis_prefix() else {
        faults.push(Fault { place: place(project, &said), cause: Cause::PrefixUnknown });
        return Vec::new();
    };
    vec![("redis_feed.url", url.value.clone(), url), ("redis_feed.prefix", prefix.value, said)]
}

fn place(project: &Project, said: &Variable) -> Origin {
    let name = said.name.clone();
    match said.line {
        Some(line) => Origin::DotEnv { path: project.file.clone(), line, name },
        None => Origin::Variable(name),
    }
}

impl Laravel {
    /// The part of the effective settings and apps that comes from a project.
    pub(super) fn new(project: &Project, effective: &Effective, fixed: &[FixedApp]) -> Self {
        let mut taken = Vec::new();
        for FixedApp { place, app, .. } in fixed {
            if let Origin::DotEnv { name, .. } = place {
                taken.push(format!("app {} ({name})", app.id));
                let asked = app.authorization.url.iter();
                taken.extend(asked.map(|url| format!("authorization.url of the app = {url:?} (APP_URL)")));
                taken.extend(app.client_events.then(|| {
                    "client_events of the app = true, as the servers of its driver have it".to_owned()
                }));
            }
        }
        for (key, value, place) in effective.all() {
            if let Origin::DotEnv { name, .. } = place {
                taken.push(format!("{key} = {value} ({name})"));
            }
        }
        let mut notes = notes(project);
        let outside = |said: &Variable| said.line.is_none();
        if effective.text("apps.database").is_empty()
            && project.application.filled("DATABASE_URL").as_ref().is_some_and(outside)
        {
            notes.push(NOT_OUR_DATABASE.to_owned());
        }
        Self { file: project.file.clone(), taken, notes }
    }

    /// The text printed at the start.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = taken_over(&self.file, &self.taken);
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }
}

/// Likely problems that are no faults of a setting.
fn notes(project: &Project) -> Vec<String> {
    let application = &project.application;
    let mut notes = Vec::new();
    match (application.driver(), application.names()) {
        (Some((Driver::Redis, _)), names) => {
            if let Some(Prefix { value, origin: PrefixOrigin::Guess(other) }) = project.redis_prefix() {
                notes.push(format!(
                    "the prefix of the Redis channels is taken to be {value}, but newer applications have \
                     {other}: set REDIS_PREFIX to be sure; `fanfare doctor` tells which one is used"
                ));
            }
            if names.is_none() {
                notes.push(NO_APP.to_owned());
            }
        }
        (Some((Driver::Silent | Driver::Other(_), said)), _) => notes.push(format!(
            "{} is {}: Laravel sends no event here; make it pusher, reverb or redis",
            said.name, said.value
        )),
        (None, _) => {
            notes.push("no BROADCAST_CONNECTION (up to Laravel 10: BROADCAST_DRIVER) is set".to_owned())
        }
        (_, None) => notes.push(NO_APP.to_owned()),
        (_, Some(names)) => notes.extend(note_of_target(application, names)),
    }
    notes
}

/// A note if events from PHP cannot arrive.
fn note_of_target(application: &Application, names: AppNames) -> Option<String> {
    let prefix = names.prefix();
    match application.target(prefix) {
        None if names == AppNames::Pusher => Some(
            "PUSHER_HOST is not set: Laravel sends events to Pusher's own servers; `fanfare laravel env` \
             prints what to add"
                .to_owned(),
        ),
        None => Some("REVERB_HOST is not set; `fanfare laravel env` prints what to add".to_owned()),
        Some(target) if target.loopback().is_some() && target.scheme == "http" => None,
        Some(target) => Some(format!(
            "PHP sends events to {} ({prefix}_HOST): that has to lead here; `fanfare doctor` tells whether it does",
            target.url()
        )),
    }
}
