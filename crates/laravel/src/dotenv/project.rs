//! A Laravel project on disk: its `.env`, and the other files that tell the Redis prefix.
//!
//! Reads files and changes none.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::application::Application;
use super::prefix::{Evidence, Prefix, PrefixOrigin};
use super::{DotEnv, DotEnvError, MOST_BYTES};

/// Most bytes that are read of `config/database.php` and `composer.lock`.
const MOST_OF_OTHERS: u64 = 8 << 20;

/// A Laravel project.
#[derive(Clone)]
pub struct Project {
    /// The project's `.env`.
    pub file: PathBuf,
    /// The variables of the `.env`.
    pub application: Application,
}

/// Why a path holds no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The `.env` cannot be read.
    #[error("{}: cannot be read: {error}; name a .env or the project's directory", file.display())]
    Unreadable {
        /// The path of the `.env`.
        file: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file is no `.env`.
    #[error("{}:{}: {fault}", file.display(), fault.line)]
    NotADotEnv {
        /// The path of the file.
        file: PathBuf,
        /// The file's fault.
        fault: DotEnvError,
    },
}

impl Project {
    /// Reads the project in a directory, or of a `.env`; `environment` takes precedence over the file, as in Laravel.
    ///
    /// # Errors
    /// The path holds no readable `.env`.
    pub fn open(path: &Path, environment: &[(String, String)]) -> Result<Self, ProjectError> {
        let file = if path.is_dir() { path.join(".env") } else { path.to_owned() };
        let text = match read(&file, MOST_BYTES as u64 + 1) {
            Ok(text) => text,
            Err(error) => return Err(ProjectError::Unreadable { file, error }),
        };
        let outside = |name: &str| {
            let found = environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        match DotEnv::parse(&text, outside) {
            Ok(read) => Ok(Self { application: Application::new(read, environment), file }),
            Err(fault) => Err(ProjectError::NotADotEnv { file, fault }),
        }
    }

    /// The prefix of the application's Redis channels; `None` if only the application knows it.
    #[must_use]
    pub fn redis_prefix(&self) -> Option<Prefix> {
        if let Some(said) = self.application.said("REDIS_PREFIX") {
            return Some(Prefix { value: said.value, origin: PrefixOrigin::Variable });
        }
        let directory = self.file.parent().unwrap_or(Path::new(""));
        let beside = |name: &str| read(&directory.join(name), MOST_OF_OTHERS).ok();
        let (database_php, composer_lock) = (beside("config/database.php"), beside("composer.lock"));
        let name = self.application.said("APP_NAME").map_or_else(|| "laravel".to_owned(), |said| said.value);
        let evidence = Evidence {
            app_name: &name,
            database_php: database_php.as_deref(),
            composer_lock: composer_lock.as_deref(),
        };
        evidence.prefix()
    }
}

/// The beginning of a file.
fn read(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}
