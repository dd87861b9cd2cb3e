//! Installing into a folder once for each content of the file that pins the versions.

use std::fs;
use std::path::{Path, PathBuf};

use crate::log::Log;

/// Runs `install` unless it ran well for these very `pins` before, and `place` is still there.
///
/// # Errors
/// In words: what `install` says, or which file cannot be read or written.
pub fn once_for(
    log: &Log,
    pins: &Path,
    place: &Path,
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let wanted = fs::read(pins).map_err(|error| format!("{}: {error}", pins.display()))?;
    let done: PathBuf = place.join(".installed-for");
    if fs::read(&done).is_ok_and(|found| found == wanted) {
        log.say(format_args!("as {} wants it already", pins.display()));
        return Ok(());
    }
    install()?;
    fs::write(&done, wanted).map_err(|error| format!("{}: {error}", done.display()))
}
