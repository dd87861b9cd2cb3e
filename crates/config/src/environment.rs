//! The environment: `FANFARE__SECTION__KEY`, and variables that other programs share.
//!
//! `PORT`, `DATABASE_URL`, `PUSHER_APP_*` and `REVERB_APP_*` count as unset if empty: `.env` files are full
//! of empty variables. `FANFARE__` overrides `PORT` and `DATABASE_URL`.

use std::collections::BTreeMap;

use fanfare_apps::nearest;
use fanfare_laravel::dotenv::{AppNames, Project};
use toml::Value;

use super::fault::{Cause, Fault, Hint, Origin};
use super::given::{Gathered, Given, GivenApp};
use super::keys::{Keys, ValueKind, kind_of, variable};
use super::laravel;
use super::{master_key, socketio, sources, tls};

const PREFIX: &str = "FANFARE__";

/// What settings do not begin with, though many programs' do.
const ONE_UNDERSCORE: &str = "FANFARE_";

/// The variables that are no settings.
const OWN: [&str; 4] =
    [master_key::VARIABLE, sources::CONFIG, sources::DEFAULTS, sources::LARAVEL_ECHO_SERVER];

/// The variables that define an app, for each of two prefixes.
const APP: [(&str, &str); 3] = [("id", "APP_ID"), ("key", "APP_KEY"), ("secret", "APP_SECRET")];

/// The setting that an app's variable gives, the value with its origin, and the variable's name.
type Variable = (&'static str, Option<(String, Origin)>, String);

/// Reads the variables that are settings; `address` is the listener's address without these variables.
pub(super) fn read(
    variables: &[(String, String)],
    address: String,
    keys: &Keys,
    gathered: &mut Gathered,
    faults: &mut Vec<Fault>,
) {
    let variables: BTreeMap<&str, &str> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let filled = |name: &str| variables.get(name).copied().filter(|value| !value.is_empty());
    let mut take = |name: &str, given: Result<(String, Value), Cause>| {
        let place = Origin::Variable(name.to_owned());
        match given {
            Ok((key, value)) => gathered.settings.push(Given { place, key, value }),
            Err(cause) => faults.push(Fault { place, cause }),
        }
    };
    if let Some(port) = filled("PORT").filter(|_| !variables.contains_key("FANFARE__LISTEN__ADDR")) {
        take("PORT", with_port(&address, port));
    }
    if let Some(url) = filled("DATABASE_URL").filter(|_| !variables.contains_key("FANFARE__APPS__DATABASE")) {
        take("DATABASE_URL", Ok(("apps.database".to_owned(), url.into())));
    }
    for (name, value) in &variables {
        if let Some(rest) = name.strip_prefix(PREFIX) {
            take(name, setting(rest, value, keys));
        } else if let Some(meant) = meant_by(name, keys) {
            take(name, Err(Cause::UnknownVariable(Hint::Nearest(meant))));
        }
    }
}

/// Reads the apps that variables define: those of the environment, then those of a Laravel application's
/// `.env`.
pub(super) fn read_apps(
    variables: &[(String, String)],
    project: Option<&Project>,
    gathered: &mut Gathered,
    faults: &mut Vec<Fault>,
) {
    let outside = |name: &str| {
        let (_, value) = variables.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then(|| (value.clone(), Origin::Variable(name.to_owned())))
    };
    for names in [AppNames::Pusher, AppNames::Reverb] {
        let prefix = names.prefix();
        let values = APP.map(|(key, suffix)| (key, format!("{prefix}_{suffix}")));
        // An application that uses one family may have leftover variables of the other.
        let project = project.filter(|project| laravel::is_used(project, names));
        let values = values.map(|(key, name)| match project {
            Some(project) => (key, laravel::filled(project, &name), name),
            None => (key, outside(&name), name),
        });
        read_app(prefix, values, gathered, faults);
        if let (Some(project), Some(app)) = (project, gathered.apps.last_mut())
            && app.name == format!("{prefix}_APP")
        {
            app.settings.extend(laravel::app_settings(project));
        }
    }
}

/// The address with another port.
fn with_port(address: &str, port: &str) -> Result<(String, Value), Cause> {
    let kind = ValueKind::Count { least: 0, most: usize::from(u16::MAX) };
    let number = kind.check("the port", kind.read(port))?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    Ok(("listen.addr".to_owned(), format!("{host}:{number}").into()))
}

fn read_app(prefix: &str, values: [Variable; 3], gathered: &mut Gathered, faults: &mut Vec<Fault>) {
    let given: Vec<&str> =
        values.iter().filter(|(_, value, _)| value.is_some()).map(|(_, _, name)| name.as_str()).collect();
    if given.is_empty() {
        return;
    }
    let verb = if given.len() == 1 { "is" } else { "are" };
    let given = format!("{} {verb}", given.join(" and "));
    let mut settings = Vec::new();
    for (key, value, name) in values {
        match value {
            Some((value, place)) => settings.push(Given { place, key: key.to_owned(), value: value.into() }),
            None => {
                let cause = Cause::VariableMissing { given: given.clone() };
                faults.push(Fault { place: Origin::Variable(name), cause });
            }
        }
    }
    // For an app without all three, the missing variables have been reported.
    if settings.len() == APP.len() {
        let place = settings[0].place.clone();
        gathered.apps.push(GivenApp { place, name: format!("{prefix}_APP"), webhooks: Vec::new(), settings });
    }
}

/// A sentence for each variable that begins with Fanfare's name, and that Fanfare does not know. Kubernetes sets some for
/// every service of that name; these are left out.
pub(super) fn unknown(variables: &[(String, String)], keys: &Keys) -> Vec<String> {
    let is_ignored = |name: &str, value: &str| {
        name.starts_with(ONE_UNDERSCORE)
            && !name.starts_with(PREFIX)
            && !OWN.contains(&name)
            && meant_by(name, keys).is_none()
            && !is_service_link(name, value)
    };
    let ignored = variables.iter().filter(|(name, value)| is_ignored(name, value));
    ignored
        .map(|(name, _)| {
            format!("{name} is no variable of Fanfare's, and is ignored; a setting is written FANFARE__SECTION__NAME")
        })
        .collect()
}

/// Whether Kubernetes sets such a variable: `X_SERVICE_HOST`, `X_SERVICE_PORT`, `X_PORT=tcp://…`, `X_PORT_6001_TCP`.
fn is_service_link(name: &str, value: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.split_once("_PORT_").is_some_and(|(_, rest)| {
            let protocol = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
            ["_TCP", "_UDP", "_SCTP"].iter().any(|known| protocol.starts_with(known))
        })
}

/// The variable that is meant by one with too few underscores, or by a misspelt name of a variable that is no setting.
fn meant_by(name: &str, keys: &Keys) -> Option<String> {
    let rest = name.strip_prefix(ONE_UNDERSCORE)?;
    if OWN.contains(&name) {
        return None;
    }
    let bare = |text: &str| text.replace('_', "").to_uppercase();
    let setting = keys.node.iter().find(|(key, _)| bare(&key.replace('.', "")) == bare(rest));
    let setting = setting.map(|(key, _)| variable(key.clone()));
    setting.or_else(|| {
        let own = OWN.into_iter().filter_map(|name| name.strip_prefix(ONE_UNDERSCORE));
        nearest(rest, own).map(|own| format!("{ONE_UNDERSCORE}{own}"))
    })
}

/// The setting named after `FANFARE__`.
fn setting(name: &str, value: &str, keys: &Keys) -> Result<(String, Value), Cause> {
    let key = name.replace("__", ".").to_lowercase();
    match kind_of(&keys.node, &key) {
        Some(kind) if name == name.to_uppercase() => Ok((key, kind.read(value))),
        _ if key == "apps.list" || key.starts_with("apps.list.") => Err(Cause::AppsInVariable),
        _ if key == socketio::CLIENTS || key.starts_with("socketio.clients.") => {
            Err(Cause::ClientsInVariable)
        }
        _ if key == tls::CERTIFICATES || key.starts_with("tls.certificates.") => {
            Err(Cause::CertificatesInVariable)
        }
        _ => Err(Cause::UnknownVariable(keys.nearest_variable(&key))),
    }
}
