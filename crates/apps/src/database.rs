//! The location of a database, as an operator writes it.
//!
//! Only parses; `store` opens the database. Never shows a text that may hold a password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// The file in the data directory that `sqlite` alone means.
const SQLITE_FILE: &str = "fanfare.db";

/// The storage of apps besides the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A server that several nodes may share.
    Postgres(PostgresUrl),
}

/// A Postgres URL that was parsed without an error; hidden in `Debug`, because the URL holds a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Box<str>);

/// The text names no database that Fanfare can use; never repeated, because the text may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADatabase {
    /// A database of another kind.
    #[error(
        "{scheme} is not supported; use sqlite, sqlite:///path/file.db or postgres://USER:PASSWORD@HOST/NAME"
    )]
    OtherKind {
        /// The text before `://`.
        scheme: String,
    },
    /// The text has no known form.
    #[error(
        "not the name of a database; use sqlite, sqlite:///path/file.db or postgres://USER:PASSWORD@HOST/NAME"
    )]
    Unreadable,
    /// `sqlite:` without a file on disk.
    #[error(
        "names no file; use sqlite:///path/file.db, or sqlite alone for fanfare.db in the data directory"
    )]
    NoFile,
    /// `sqlite://file?mode=…`
    #[error("options behind the SQLite file are not supported; leave out the question mark and what follows")]
    FileOptions,
    /// A Postgres URL with a fault.
    #[error(
        "not a readable Postgres URL; use postgres://USER:PASSWORD@HOST:PORT/NAME \
         and write special characters of the password as %XX"
    )]
    PostgresUrl,
}

impl Database {
    /// Parses `sqlite`, `sqlite:///path/file.db` or `postgres://…`.
    ///
    /// # Errors
    /// The fault of a text in none of these forms; the error does not repeat the text.
    pub fn parse(text: &str, data_dir: &Path) -> Result<Self, NotADatabase> {
        let text = text.trim();
        if text == "sqlite" {
            return Ok(Self::Sqlite(data_dir.join(SQLITE_FILE)));
        }
        if let Some(rest) = text.strip_prefix("sqlite:") {
            return sqlite_file(rest.strip_prefix("//").unwrap_or(rest)).map(Self::Sqlite);
        }
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => PostgresUrl::parse(text).map(Self::Postgres),
            Some((scheme, _)) if is_scheme(scheme) => {
                Err(NotADatabase::OtherKind { scheme: scheme.to_owned() })
            }
            _ => Err(NotADatabase::Unreadable),
        }
    }
}

impl Database {
    /// Where the database is, in words for an operator: the whole path of a file, or name and address of a server.
    /// Never holds user or password.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Sqlite(file) => {
                let whole = std::path::absolute(file).unwrap_or_else(|_| file.clone());
                format!("the SQLite file {}", whole.display())
            }
            Self::Postgres(url) => format!("the Postgres database {}", url.place()),
        }
    }
}

/// Printed as it may be shown: the file of SQLite, the kind alone of Postgres.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "sqlite://{}", file.display()),
            Self::Postgres(_) => f.write_str("postgres://***"),
        }
    }
}

impl PostgresUrl {
    fn parse(text: &str) -> Result<Self, NotADatabase> {
        // A slash or hash in a password that is not written as %XX ends the host: what stands in front of it would
        // count as an address, and be shown as one.
        let behind_host = text.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '#']));
        let is_cut = behind_host
            .is_some_and(|(_, path)| path.split('?').next().is_some_and(|path| path.contains(['@', '#'])));
        match PgConnectOptions::from_str(text) {
            Ok(_) if !is_cut => Ok(Self(Box::from(text))),
            _ => Err(NotADatabase::PostgresUrl),
        }
    }

    /// Name and address, such as `apps at db.example:5432`.
    fn place(&self) -> String {
        let options = self.options();
        let address = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        match options.get_database() {
            Some(name) => format!("{name} at {address}"),
            None => format!("at {address}"),
        }
    }

    /// The options of a connection.
    pub(crate) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::from_str(&self.0).expect("the URL was read once already")
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(***)")
    }
}

fn sqlite_file(path: &str) -> Result<PathBuf, NotADatabase> {
    if path.contains('?') {
        return Err(NotADatabase::FileOptions);
    }
    if path.is_empty() || path.contains(":memory:") || path.ends_with('/') {
        return Err(NotADatabase::NoFile);
    }
    Ok(PathBuf::from(path))
}

fn is_scheme(text: &str) -> bool {
    (1..=16).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Database, NotADatabase> {
        Database::parse(text, Path::new("/data"))
    }

    #[test]
    fn sqlite_alone_is_a_file_in_the_data_directory() {
        assert_eq!(parse("sqlite"), Ok(Database::Sqlite("/data/fanfare.db".into())));
        assert_eq!(parse("sqlite:///srv/apps.db"), Ok(Database::Sqlite("/srv/apps.db".into())));
        assert_eq!(parse("sqlite://apps.db"), Ok(Database::Sqlite("apps.db".into())));
        assert_eq!(parse("sqlite:apps.db"), Ok(Database::Sqlite("apps.db".into())));
    }

    #[test]
    fn a_sqlite_database_that_is_no_file_is_refused() {
        for text in ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite://:memory:", "sqlite:///srv/"] {
            assert_eq!(parse(text), Err(NotADatabase::NoFile), "{text}");
        }
        assert_eq!(parse("sqlite:///srv/apps.db?mode=ro"), Err(NotADatabase::FileOptions));
    }

    #[test]
    fn a_postgres_url_is_read_and_never_shown() {
        for text in ["postgres://user:hush-hush@db.example/apps", "postgresql://user:hush-hush@db:5433/apps"]
        {
            let database = parse(text).unwrap();
            assert_eq!(database.to_string(), "postgres://***");
            assert_eq!(format!("{database:?}"), "Postgres(PostgresUrl(***))");
        }
    }

    #[test]
    fn a_place_has_the_address_and_neither_user_nor_password() {
        for (text, place) in [
            ("postgres://user:hush-hush@db.example/shop", "the Postgres database shop at db.example:5432"),
            ("postgres://hush@[::1]:5433/shop", "the Postgres database shop at [::1]:5433"),
            ("postgres://hush:a%2Fb%40c@db/shop", "the Postgres database shop at db:5432"),
            ("postgres://hush@db/shop?host=/run/pg", "the Postgres database shop at /run/pg"),
            ("sqlite:///srv/apps.db", "the SQLite file /srv/apps.db"),
        ] {
            assert_eq!(parse(text).unwrap().place(), place);
        }
        assert_eq!(parse("sqlite").unwrap().place(), "the SQLite file /data/fanfare.db");
    }

    #[test]
    fn what_is_no_database_is_refused_without_repeating_it() {
        for (text, start) in [
            ("mysql://user:hush-hush@db/apps", "mysql is not supported; use sqlite"),
            ("redis://:hush-hush@db", "redis is not supported; use sqlite"),
            ("postgres://user:hush-hush@db:port/apps", "not a readable Postgres URL"),
            ("postgres://user:1/hush@db/apps", "not a readable Postgres URL"),
            ("postgres://user:1#hush@db/apps", "not a readable Postgres URL"),
            ("postgres://user:hush-hush@db/apps?sslmode=hush-hush", "not a readable Postgres URL"),
            ("user:hush-hush@db/apps", "not the name of a database"),
            ("hush-hush://db", "not the name of a database"),
            ("/srv/hush-hush.db", "not the name of a database"),
            ("", "not the name of a database"),
        ] {
            let fault = parse(text).unwrap_err();
            let shown = format!("{fault} {fault:?}");
            assert!(shown.starts_with(start), "{text}: {shown}");
            assert!(!shown.contains("hush"), "{text}: {shown}");
        }
    }
}
