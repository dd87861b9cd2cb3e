//! Logs: destination and format.
//!
//! Written by a thread of their own from a bounded queue: a stuck terminal or pipe loses lines, but
//! never stops the server. Lines that strangers can cause are [`limited`] in rate.

pub mod limited;

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_config::{LogFormat, LogSection};
use fanfare_protocol::close::shortened;
use parking_lot::Mutex;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

/// Longest logged part of a key that is no app's, in bytes.
const MOST_OF_UNKNOWN_KEY: usize = 8;

/// Libraries, and directives that leave out what they tell unasked: notices of Postgres, which are no news; and faults of
/// peers of HTTP/2, which strangers cause without a bound, and whose details hold signatures.
const UNASKED: [(&str, &str); 2] = [("sqlx", "sqlx::postgres::notice=off"), ("h2", "h2=off")];

/// Logging goes on until its end.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Mutex<Option<WorkerGuard>>>);

impl Guard {
    /// Writes the remaining lines, for about a second at most; later lines are lost.
    pub fn end(&self) {
        limited::tell();
        let worker = self.0.lock().take();
        drop(worker);
    }
}

/// A key that is no app's, as logs show it: people put the secret in the key's place.
pub(crate) fn unknown_key(key: &str) -> Cow<'_, str> {
    shortened(key, MOST_OF_UNKNOWN_KEY)
}

/// Starts logging to standard error, until [`Guard::end`] or the end of the process.
///
/// # Errors
/// The filter is no valid list of `target=level` directives.
pub fn begin(settings: &LogSection) -> Result<Guard, String> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| format!("log.filter: `{}` is not a filter: {error}", settings.filter))?;
    let unasked = UNASKED.iter().filter(|(library, _)| !settings.filter.contains(library));
    let filter =
        unasked.filter_map(|(_, directive)| directive.parse().ok()).fold(filter, EnvFilter::add_directive);
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match settings.format {
        LogFormat::Text => logs.with_ansi(false).init(),
        LogFormat::Json => logs.json().init(),
    }
    Ok(Guard(Arc::new(Mutex::new(Some(guard)))))
}
