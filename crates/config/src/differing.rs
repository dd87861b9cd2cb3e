//! The settings that differ from the defaults, each with where its value came from (CON-058). Shows no secret.

use toml::Value;

use super::effective::Effective;
use super::fault::Origin;
use super::keys::{Keys, ValueKind};
use super::print::with_unit;
use crate::Config;

/// A setting that is not the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingSetting {
    /// The setting's name.
    pub key: String,
    /// The effective value; a secret in it is masked.
    pub value: String,
    /// Where the value came from: file and line, variable, or option of the command line.
    pub from: String,
}

impl Config {
    /// The settings of the node that differ from the defaults, and each app of the configuration by its id.
    #[must_use]
    pub fn differing(&self) -> &[DifferingSetting] {
        // Parses the defaults: some hundred microseconds, too long for each look at the node.
        self.differing.get_or_init(|| self.find_differing())
    }

    fn find_differing(&self) -> Vec<DifferingSetting> {
        let defaults = Effective::of_defaults();
        let keys = Keys::all().node.into_iter();
        let differing = keys.filter_map(|(key, kind)| {
            let (value, place) = self.effective.get(&key);
            let is_set = *place != Origin::Default && value != defaults.get(&key).0;
            is_set.then(|| DifferingSetting { key, value: shown(kind, value), from: place.to_string() })
        });
        let apps = self.fixed.iter().map(|fixed| DifferingSetting {
            key: "apps.list".to_owned(),
            value: format!("app {}", fixed.app.id),
            from: fixed.place.to_string(),
        });
        differing.chain(apps).collect()
    }
}

/// A value in the words of the file.
pub(super) fn shown(kind: ValueKind, value: &Value) -> String {
    match with_unit(kind, value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
