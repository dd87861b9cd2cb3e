//! An application's `.env`, as Laravel reads the file, and its settings for broadcasting.
//!
//! Owns the dialect of vlucas/phpdotenv, which differs from that of shells: `${NAME}` alone is replaced, and an
//! unquoted `#` ends a value. Never touches the process's own environment, and no error repeats a value: most
//! values in such a file are secret.

mod application;
mod error;
mod lines;
mod prefix;
mod project;
mod slug;
mod value;

#[cfg(test)]
mod tests;

pub use application::{AppNames, Application, Driver, Target, USUAL_REDIS, Variable};
pub use error::{DotEnvError, DotEnvFault, MOST_BYTES};
pub use prefix::{Prefix, PrefixOrigin};
pub use project::{Project, ProjectError};

use value::Piece;

/// The variables of a file, in its order.
#[derive(Clone, Default)]
pub struct DotEnv {
    entries: Vec<Entry>,
}

/// One variable. Not `Debug`: most values are secrets.
#[derive(Clone)]
pub struct Entry {
    /// The variable's name.
    pub name: String,
    /// The value after quotes, escapes and `${NAME}`; `None` for a line with a name alone.
    pub value: Option<String>,
    /// The line where the variable begins, from 1.
    pub line: usize,
}

impl DotEnv {
    /// Reads a file's text. `outside` looks up the process's environment, which takes precedence over the file, as in
    /// Laravel, for variables named by `${NAME}`.
    ///
    /// # Errors
    /// The first line that Laravel would refuse, and quotes that are never closed, which Laravel passes over.
    pub fn parse(text: &str, outside: impl Fn(&str) -> Option<String>) -> Result<Self, DotEnvError> {
        if text.len() > MOST_BYTES {
            return Err(DotEnvError { line: 0, what: DotEnvFault::TooLarge });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut read = Self::default();
        for (line, text) in lines::entries(text)? {
            let (name, value) = value::entry(&text).map_err(|what| DotEnvError { line, what })?;
            let value = value.map(|pieces| read.resolved(&pieces, &outside));
            read.entries.push(Entry { name: name.to_owned(), value, line });
        }
        Ok(read)
    }

    /// The variable with this name; the last of several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.name == name)
    }

    /// All variables, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The text of a value; a `${NAME}` of an unknown variable stays unchanged.
    fn resolved(&self, pieces: &[Piece], outside: &impl Fn(&str) -> Option<String>) -> String {
        let known = |name: &str| outside(name).or_else(|| self.get(name)?.value.clone());
        let pieces = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name(name) => known(name).unwrap_or_else(|| format!("${{{name}}}")),
        });
        // A file of doublings could expand to ever longer values.
        let mut text = String::new();
        for piece in pieces {
            if text.len() + piece.len() <= MOST_BYTES {
                text.push_str(&piece);
            }
        }
        text
    }
}
