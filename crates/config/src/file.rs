//! The configuration file: from TOML to settings and apps, each with its line number.
//!
//! Checks only that sections and lists stand where they belong; values are checked in `keys`.

use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize as _;
use toml::Spanned;
use toml::Value;
use toml::de::{DeArray, DeTable, DeValue, ValueDeserializer};

use super::fault::{Cause, Fault, Origin};
use super::given::{Gathered, Given, GivenApp, GivenEntry};
use super::keys::Keys;
use super::{bounded_file, socketio, tls, webhook_list};

/// Reads a file; an unreadable part becomes a fault.
pub(super) fn read(path: &Path, keys: &Keys, gathered: &mut Gathered, faults: &mut Vec<Fault>) {
    let file = File { path, lines: Vec::new() };
    let text = match bounded_file::text(path) {
        Ok(text) => text,
        Err(error) => {
            let cause = match error.kind() {
                ErrorKind::InvalidData => Cause::NotToml("it is not UTF-8 text".to_owned()),
                _ => Cause::Unreadable(error.to_string()),
            };
            return faults.push(Fault { place: file.whole(), cause });
        }
    };
    let lines = text.match_indices('\n').map(|(at, _)| at + 1);
    let file = File { path, lines: std::iter::once(0).chain(lines).collect() };
    match DeTable::parse(&text) {
        Ok(root) => Reader { file: &file, keys, gathered, faults }.read_root(root.into_inner()),
        Err(error) => {
            let place = error.span().map_or_else(|| file.whole(), |span| file.exactly(&text, span.start));
            faults.push(Fault { place, cause: Cause::NotToml(error.message().replace('\n', ", ")) });
        }
    }
}

/// The text with its line numbers.
struct File<'a> {
    path: &'a Path,
    /// The start of each line, in bytes.
    lines: Vec<usize>,
}

impl File<'_> {
    fn whole(&self) -> Origin {
        Origin::File { path: self.path.to_owned(), line: 0, column: None }
    }

    fn at(&self, offset: usize) -> Origin {
        let line = self.lines.partition_point(|start| *start <= offset);
        Origin::File { path: self.path.to_owned(), line, column: None }
    }

    fn exactly(&self, text: &str, offset: usize) -> Origin {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Origin::File { path: self.path.to_owned(), line, column: Some(column) }
    }
}

/// Walks the sections.
struct Reader<'a> {
    file: &'a File<'a>,
    keys: &'a Keys,
    gathered: &'a mut Gathered,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    fn read_root(&mut self, root: DeTable<'_>) {
        for (name, value) in root {
            let place = self.file.at(name.span().start);
            let name = name.into_inner().into_owned();
            let cause = match value.into_inner() {
                DeValue::Table(section) if Keys::is_section(&name) => {
                    self.read_section(&name, section);
                    continue;
                }
                _ if Keys::is_section(&name) => Cause::NotASection { name },
                DeValue::Table(_) => Cause::UnknownSection { hint: Keys::nearest_section(&name), name },
                _ => Cause::UnknownKey { hint: self.keys.nearest_of_node(&name), key: name },
            };
            self.faults.push(Fault { place, cause });
        }
    }

    fn read_section(&mut self, section: &str, entries: DeTable<'_>) {
        for (name, value) in entries {
            let place = self.file.at(name.span().start);
            let key = format!("{section}.{}", name.get_ref());
            match (&*key, value.into_inner()) {
                ("apps.list", list) => self.read_list(place, list),
                (socketio::CLIENTS, list) => {
                    let clients = self.read_entries(place, socketio::CLIENTS, list, Cause::NotClients);
                    self.gathered.clients.extend(clients);
                }
                (tls::CERTIFICATES, list) => {
                    let certificates =
                        self.read_entries(place, tls::CERTIFICATES, list, Cause::NotCertificates);
                    self.gathered.certificates.extend(certificates);
                }
                (_, DeValue::Table(nested)) if Keys::is_section(&key) => self.read_section(&key, nested),
                (_, value) => {
                    let given = self.given(place, key, Spanned::new(0..0, value));
                    self.gathered.settings.extend(given);
                }
            }
        }
    }

    fn read_list(&mut self, place: Origin, list: DeValue<'_>) {
        let DeValue::Array(list) = list else {
            return self.faults.push(Fault { place, cause: Cause::NotAList });
        };
        for item in list {
            let place = self.file.at(item.span().start);
            let DeValue::Table(entries) = item.into_inner() else {
                self.faults.push(Fault { place, cause: Cause::NotAList });
                continue;
            };
            let name = format!("apps.list[{}]", self.gathered.apps.len() + 1);
            let mut app = GivenApp { place, name, webhooks: Vec::new(), settings: Vec::new() };
            self.read_app(&mut app, entries);
            self.gathered.apps.push(app);
        }
    }

    /// The entries of a list of this name; `cause` is the fault of anything else.
    fn read_entries(
        &mut self,
        list_place: Origin,
        list_name: &str,
        list: DeValue<'_>,
        cause: Cause,
    ) -> Vec<GivenEntry> {
        let mut read = Vec::new();
        let DeValue::Array(list) = list else {
            self.faults.push(Fault { place: list_place, cause });
            return read;
        };
        for item in list {
            let place = self.file.at(item.span().start);
            let DeValue::Table(entries) = item.into_inner() else {
                self.faults.push(Fault { place: list_place, cause });
                return read;
            };
            let name = format!("{list_name}[{}]", read.len() + 1);
            let mut entry = GivenEntry { place, name, settings: Vec::new() };
            for (key, value) in entries {
                let place = self.file.at(key.span().start);
                entry.settings.extend(self.given(place, key.get_ref().to_string(), value));
            }
            read.push(entry);
        }
        read
    }

    fn read_app(&mut self, app: &mut GivenApp, entries: DeTable<'_>) {
        for (name, value) in entries {
            let place = self.file.at(name.span().start);
            match (&**name.get_ref(), value.get_ref()) {
                (name, DeValue::Array(list)) if webhook_list::is_list(name) => {
                    self.read_webhooks(app, place, list.clone());
                }
                (name, _) if webhook_list::is_list(name) => self.no_webhooks(app, place),
                (section, DeValue::Table(held)) if self.keys.is_app_section(section) => {
                    for (name, value) in held.clone() {
                        let place = self.file.at(name.span().start);
                        let key = format!("{section}.{}", name.get_ref());
                        app.settings.extend(self.given(place, key, value));
                    }
                }
                (name, _) => app.settings.extend(self.given(place, name.to_owned(), value.clone())),
            }
        }
    }

    fn read_webhooks(&mut self, app: &mut GivenApp, list_place: Origin, list: DeArray<'_>) {
        for item in list {
            let place = self.file.at(item.span().start);
            let DeValue::Table(entries) = item.into_inner() else {
                return self.no_webhooks(app, list_place);
            };
            app.webhooks.push(place);
            for (name, value) in entries {
                let place = self.file.at(name.span().start);
                let key = webhook_list::key(app.webhooks.len(), name.get_ref());
                app.settings.extend(self.given(place, key, value));
            }
        }
    }

    fn no_webhooks(&mut self, app: &GivenApp, place: Origin) {
        let cause = Cause::NotWebhooks { key: format!("{}.webhooks", app.name) };
        self.faults.push(Fault { place, cause });
    }

    fn given(&mut self, place: Origin, key: String, value: Spanned<DeValue<'_>>) -> Option<Given> {
        match Value::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Some(Given { place, key, value }),
            // The parser has refused everything else.
            Err(_) => {
                self.faults.push(Fault { place, cause: Cause::TooLarge { key } });
                None
            }
        }
    }
}
