//! Logs: destination and format.
//!
//! Written by a thread of their own from a bounded queue: a stuck terminal or pipe loses lines, but
//! never stops the server. Lines that strangers can cause are [`limited`] in rate.

pub mod limited;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use fanfare_config::{LogFormat, LogSection};
use fanfare_protocol::close::shortened;
use parking_lot::Mutex;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{EnvFilter, reload};

/// Longest logged part of a key that is no app's, in bytes.
const MOST_OF_UNKNOWN_KEY: usize = 8;

/// Libraries, and directives that leave out what they tell unasked: notices of Postgres, which are no news; and faults of
/// peers of HTTP/2, which strangers cause without a bound, and whose details hold signatures.
const UNASKED: [(&str, &str); 2] = [("sqlx", "sqlx::postgres::notice=off"), ("h2", "h2=off")];

/// Logging goes on until its end.
#[derive(Clone, Debug)]
pub struct Guard {
    worker: Arc<Mutex<Option<WorkerGuard>>>,
    filter: FilterInUse,
}

/// Puts another filter in the place of the one in use.
#[derive(Clone)]
struct FilterInUse(Arc<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>);

impl FilterInUse {
    fn of<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> Self {
        Self(Arc::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())))
    }
}

impl fmt::Debug for FilterInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilterInUse")
    }
}

impl Guard {
    /// Writes the remaining lines, for about a second at most; later lines are lost.
    pub fn end(&self) {
        limited::tell();
        let worker = self.worker.lock().take();
        drop(worker);
    }

    /// Lines are filtered so from now on.
    ///
    /// # Errors
    /// The filter is no valid list of `target=level` directives; the one before stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), String> {
        (self.filter.0)(parsed(filter)?)
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
    let filter = parsed(&settings.filter)?;
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let filter = match settings.format {
        LogFormat::Text => {
            let logs = logs.with_ansi(false).with_filter_reloading();
            let filter = FilterInUse::of(logs.reload_handle());
            logs.init();
            filter
        }
        LogFormat::Json => {
            let logs = logs.json().with_filter_reloading();
            let filter = FilterInUse::of(logs.reload_handle());
            logs.init();
            filter
        }
    };
    Ok(Guard { worker: Arc::new(Mutex::new(Some(guard))), filter })
}

/// The filter of a setting, which leaves out what libraries tell unasked.
fn parsed(setting: &str) -> Result<EnvFilter, String> {
    let filter = EnvFilter::try_new(setting)
        .map_err(|error| format!("log.filter: `{setting}` is not a filter: {error}"))?;
    let unasked = UNASKED.iter().filter(|(library, _)| !setting.contains(library));
    Ok(unasked.filter_map(|(_, directive)| directive.parse().ok()).fold(filter, EnvFilter::add_directive))
}
