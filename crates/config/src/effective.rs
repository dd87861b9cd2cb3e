//! The settings of the node, merged from all sources, and the origin of each.
//!
//! Holds only legal values: an illegal value becomes a fault and leaves the earlier value.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use fanfare_apps::LimitOverrides;
use fanfare_protocol::app::Limits as AppLimits;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::fault::{Cause, Fault, Origin};
use super::given::Given;
use super::keys::{Keys, kind_of};

/// Every setting with its default.
pub(super) const DEFAULTS: &str = include_str!("../../../config/default.toml");

/// The effective settings.
#[derive(Debug)]
pub(super) struct Effective {
    settings: BTreeMap<String, (Value, Origin)>,
    /// Keys with a faulty value in some source.
    faulty: BTreeSet<String>,
    /// The values behind masked ones.
    masked: Masked,
}

/// Values with secrets. `Debug` shows none.
#[derive(Default)]
struct Masked(BTreeMap<String, Value>);

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Effective {
    pub fn of_defaults() -> Self {
        let defaults: Table = DEFAULTS.parse().expect("a test reads the defaults");
        let mut settings = BTreeMap::new();
        for (section, values) in defaults {
            let Value::Table(values) = values else { continue };
            put_defaults(&mut settings, &section, values);
        }
        Self { settings, faulty: BTreeSet::new(), masked: Masked::default() }
    }

    /// Merges settings over the earlier ones, in order.
    pub fn put_all(&mut self, all: Vec<Given>, keys: &Keys, faults: &mut Vec<Fault>) {
        for Given { place, key, value } in all {
            let checked = match kind_of(&keys.node, &key) {
                Some(kind) => kind.check(&key, value),
                None => Err(Cause::UnknownKey { hint: keys.nearest_of_node(&key), key: key.clone() }),
            };
            match checked {
                Ok(value) => {
                    self.settings.insert(key, (value, place));
                }
                Err(cause) => {
                    self.faulty.insert(key);
                    faults.push(Fault { cause: cause.of(&place), place });
                }
            }
        }
    }

    /// Gives a key that is empty the value of another.
    pub fn fill(&mut self, key: &str, other: &str) {
        if self.text(key).is_empty()
            && let Some(found) = self.settings.get(other).cloned()
        {
            self.settings.insert(key.to_owned(), found);
        }
    }

    pub fn get(&self, key: &str) -> (&Value, &Origin) {
        let (value, place) = self.settings.get(key).expect("every key has a default");
        (value, place)
    }

    /// Whether a variable has set a key.
    pub fn is_by_variable(&self, key: &str, variable: &str) -> bool {
        matches!(self.get(key).1, Origin::Variable(name) if name == variable)
    }

    /// Every key with its value and origin.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Value, &Origin)> {
        self.settings.iter().map(|(key, (value, place))| (&**key, value, place))
    }

    /// The text of a key of a text kind.
    pub fn text(&self, key: &str) -> String {
        self.get(key).0.as_str().unwrap_or_default().to_owned()
    }

    /// The number of a numeric key; `None` if a source gave a faulty value.
    pub fn count(&self, key: &str) -> Option<usize> {
        let number = self.get(key).0.as_integer().and_then(|number| usize::try_from(number).ok());
        number.filter(|_| !self.is_faulty(key))
    }

    pub fn is_faulty(&self, key: &str) -> bool {
        self.faulty.contains(key)
    }

    /// The first place that set one of the keys.
    pub fn set_place(&self, keys: &[&str]) -> Origin {
        let places = keys.iter().map(|key| self.get(key).1);
        places.into_iter().find(|place| **place != Origin::Default).unwrap_or(&Origin::Default).clone()
    }

    /// Replaces a value by its masked form.
    pub fn mask(&mut self, key: &str, shown: impl Into<Value>) {
        if let Some((value, _)) = self.settings.get_mut(key) {
            self.masked.0.insert(key.to_owned(), std::mem::replace(value, shown.into()));
        }
    }

    /// The value as it was before it was masked, for comparing alone.
    pub fn unmasked(&self, key: &str) -> &Value {
        self.masked.0.get(key).unwrap_or_else(|| self.get(key).0)
    }

    /// Gives a key the value and the origin that others have.
    pub fn keep(&mut self, key: &str, others: &Self) {
        if let Some(kept) = others.settings.get(key).cloned() {
            self.settings.insert(key.to_owned(), kept);
        }
        match others.masked.0.get(key).cloned() {
            Some(value) => self.masked.0.insert(key.to_owned(), value),
            None => self.masked.0.remove(key),
        };
    }

    /// One section as its type; fields unknown to the type are left out.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> T {
        self.table(name).try_into().expect("every value was checked against the list of keys")
    }

    /// The limits of apps that set none.
    pub fn app_limits(&self) -> AppLimits {
        let mut table = self.table("limits");
        table.retain(|name, _| fanfare_apps::LIMIT_RANGES.iter().any(|(limit, _)| *limit == name));
        let limits: LimitOverrides = table.try_into().expect("every value was checked");
        limits.resolve(&AppLimits::default())
    }

    fn table(&self, section: &str) -> Table {
        let within = |key: &str| Some(key.strip_prefix(section)?.strip_prefix('.')?.to_owned());
        let settings = self.settings.iter();
        settings.filter_map(|(key, (value, _))| Some((within(key)?, value.clone()))).collect()
    }
}

/// Puts the values of a section and of the sections in it.
fn put_defaults(settings: &mut BTreeMap<String, (Value, Origin)>, section: &str, values: Table) {
    for (name, value) in values {
        let key = format!("{section}.{name}");
        match value {
            Value::Table(nested) if Keys::is_section(&key) => put_defaults(settings, &key, nested),
            value => drop(settings.insert(key, (value, Origin::Default))),
        }
    }
}

impl Cause {
    /// The cause, worded for the origin.
    fn of(self, place: &Origin) -> Self {
        match (self, place) {
            (Self::Database { fault, .. }, Origin::Variable(name)) if name == "DATABASE_URL" => {
                Self::DatabaseUrl { fault }
            }
            (cause, _) => cause,
        }
    }
}
