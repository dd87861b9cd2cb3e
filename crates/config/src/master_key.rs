//! The keys that seal apps' secrets: from a variable, or from a file.
//!
//! Never shows a key. The variable overrides the file.

use std::path::Path;

use fanfare_apps::MasterKeys;

use super::bounded_file;
use super::effective::Effective;
use super::fault::{Cause, Fault, Origin};

/// The variable with the keys themselves, one a line.
pub(super) const VARIABLE: &str = "FANFARE_MASTER_KEY";

/// The setting that names the file of keys.
const SETTING: &str = "apps.master_key_file";

/// The keys; none if neither source is set.
pub(super) fn read(variable: Option<&str>, effective: &Effective, faults: &mut Vec<Fault>) -> MasterKeys {
    let file = effective.text(SETTING);
    let (text, place, what) = match (variable, &*file) {
        (None, "") => return MasterKeys::default(),
        (Some(text), _) => (Ok(text.to_owned()), Origin::Variable(VARIABLE.to_owned()), String::new()),
        (None, path) => {
            let text = bounded_file::text(Path::new(path)).map_err(|error| error.to_string());
            (text, effective.get(SETTING).1.clone(), format!("{SETTING}, {path}: "))
        }
    };
    let keys = match text {
        Ok(text) => {
            MasterKeys::parse(&text).map_err(|fault| Cause::MasterKey { what, fault: fault.to_string() })
        }
        Err(error) => Err(Cause::MasterKey { what, fault: format!("cannot be read: {error}") }),
    };
    keys.unwrap_or_else(|cause| {
        faults.push(Fault { place, cause });
        MasterKeys::default()
    })
}
