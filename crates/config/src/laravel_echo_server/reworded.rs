//! Faults of options, in the words of the file that holds them: the keys of Fanfare's own settings are left out.

use crate::fault::{Cause, Fault, Origin};

/// The options that a fault of the setting is about.
const OPTIONS: [(&str, &str); 2] = [("tls.cert_file", "sslCertPath"), ("tls.key_file", "sslKeyPath")];

/// The faults in their order; those of other sources stay as they are.
pub(super) fn reworded(faults: Vec<Fault>) -> Vec<Fault> {
    faults.into_iter().flat_map(of_one).collect()
}

fn of_one(fault: Fault) -> Vec<Fault> {
    let Fault { place: Origin::Option { path, key }, cause } = fault else { return vec![fault] };
    let text = match cause {
        // One option is missing, or both; an address is never taken from the file alone.
        Cause::TlsIncomplete { ref missing, .. } if !missing.contains("tls.addr") => {
            let missing = OPTIONS.into_iter().filter(|(setting, _)| missing.contains(setting));
            return missing.map(|(_, option)| at(&path, option, NO_FILE.to_owned())).collect();
        }
        Cause::Wrong { expected, found, .. } => format!("must be {expected}; found {found}"),
        Cause::RedisUrl { fault, .. } => fault.to_string(),
        Cause::SamePort { other, .. } => format!(
            "leads to the same port as {other}: move that one, such as by --admin-listen 127.0.0.1:9601, or FANFARE__… variables"
        ),
        Cause::Certificate { fault, .. } => fault,
        Cause::Placeholder { .. } => EXAMPLE.to_owned(),
        Cause::ClientIncomplete { key, .. } => {
            format!("has no {}; every client needs appId and key", option(key))
        }
        Cause::PublicClientKey { app, .. } => format!(
            "its key is the key of {app} as well, which every page of that app shows; give the client another, such as \
             `openssl rand -hex 20` prints"
        ),
        other => other.to_string(),
    };
    vec![at(&path, &key, text)]
}

const NO_FILE: &str = "must be the path of a file, because protocol is https; found nothing";

const EXAMPLE: &str = "is the secret of an example, which everybody knows; set a random one, such as `openssl rand -hex 20` prints";

fn at(path: &std::path::Path, key: &str, text: String) -> Fault {
    let place = Origin::Option { path: path.to_owned(), key: key.to_owned() };
    Fault { place, cause: Cause::OfOption { text } }
}

/// A client's option by the key of its setting.
fn option(key: &str) -> &str {
    if key == "app_id" { "appId" } else { key }
}
