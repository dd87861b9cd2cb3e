//! The portable binary: built, looked into, and started.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::platform::Platform;
use super::stage;
use crate::checks::cargo_command;
use crate::log::Log;
use crate::python::Environment;
use crate::step::{output_of, prefer};

/// The most bytes that a binary may have.
const MOST_BYTES: u64 = 20_000_000;

/// Seconds after which a server that does not begin is ended.
const PATIENCE: &str = "120";

/// What the server uses of SQLite: no table is one for full text or for areas, and none tells of pages.
const SQLITE: &str = "-USQLITE_ENABLE_FTS3 -USQLITE_ENABLE_FTS3_PARENTHESIS -USQLITE_ENABLE_FTS5 -USQLITE_ENABLE_RTREE \
                      -USQLITE_ENABLE_DBSTAT_VTAB";

/// Builds the binary for a platform.
///
/// # Errors
/// In words: how the compiler ended.
pub fn build(log: &Log, platform: &Platform, zig: &Environment) -> Result<(), String> {
    let arguments =
        ["zigbuild", "--locked", "--profile", "dist", "--package", "fanfare-server", "--bin", "fanfare"];
    let mut build = cargo_command(&arguments);
    prefer(&mut build, &zig.programs());
    build.env("LIBSQLITE3_FLAGS", SQLITE);
    log.execute(build.args(["--target", &platform.of_zig()]))
}

/// Looks at size, sections and the C library; says what was found.
///
/// # Errors
/// In words: the first fault.
pub fn inspect(binary: &Path, platform: &Platform) -> Result<String, String> {
    let path = binary.to_string_lossy();
    let bytes = fs::metadata(binary).map_err(|error| format!("{path}: {error}"))?.len();
    if bytes >= MOST_BYTES {
        return Err(format!("{bytes} bytes, at most {MOST_BYTES} are allowed"));
    }
    if stage::has_symbols(binary) {
        return Err("the binary is not stripped".to_owned());
    }
    let symbols = output_of("readelf", &["--wide", "--dyn-syms", &path]).ok_or("readelf cannot read it")?;
    let needs = newest_glibc(&symbols);
    let found = match (&needs, platform.glibc) {
        (None, None) => "no symbol of a GNU C library".to_owned(),
        (Some(needed), Some(allowed)) if version_of(needed) <= version_of(allowed) => {
            format!("the newest symbol is of glibc {needed}, at most {allowed} is allowed")
        }
        (needed, allowed) => {
            return Err(format!("needs glibc {needed:?}, allowed is {allowed:?}"));
        }
    };
    Ok(format!("{bytes} bytes, stripped; {found}"))
}

/// The newest version of the GNU C library that any symbol names, such as `2.28`.
fn newest_glibc(symbols: &str) -> Option<String> {
    let versions = symbols.split("@GLIBC_").skip(1);
    let versions = versions.map(|rest| rest.split(|c: char| c != '.' && !c.is_ascii_digit()).next());
    versions.flatten().max_by_key(|version| version_of(version)).map(str::to_owned)
}

fn version_of(text: &str) -> Vec<u32> {
    text.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// Starts a server of the binary, waits until the server is ready, and stops the server again.
///
/// # Errors
/// In words: what did not happen.
pub fn start(log: &Log, binary: &Path, runner: Option<&str>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("a folder: {error}"))?;
    let mut server = Command::new("timeout");
    server.arg(PATIENCE).args(runner).arg(binary);
    server.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", "data"]);
    server.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = server.spawn().map_err(|error| format!("{}: {error}", binary.display()))?;
    let lines = server.stdout.take().map(|out| BufReader::new(out).lines());
    let mut lines = lines.into_iter().flatten().map_while(Result::ok);
    let ready = lines.find(|line| line.contains("Fanfare is ready"));
    // `timeout` passes the signal on.
    let stopped = log.execute(Command::new("kill").args(["-TERM", &server.id().to_string()]));
    lines.for_each(drop);
    let status = server.wait().map_err(|error| format!("the server: {error}"))?;
    let ready = ready.ok_or_else(|| format!("the server was never ready, and ended with {status}"))?;
    log.say(ready);
    stopped?;
    if status.success() { Ok(()) } else { Err(format!("after SIGTERM the server ended with {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "
     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND memcpy@GLIBC_2.14 (2)
     2: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND close@GLIBC_2.2.5 (3)
     3: 0000000000000000     0 FUNC    WEAK   DEFAULT  UND __cxa_finalize@GLIBC_2.9";

    #[test]
    fn the_newest_version_is_found_by_number_not_by_text() {
        assert_eq!(newest_glibc(SYMBOLS).as_deref(), Some("2.14"));
        assert_eq!(newest_glibc(&format!("{SYMBOLS}\n x@GLIBC_2.34 (4)")).as_deref(), Some("2.34"));
        assert_eq!(newest_glibc("1: 0 FUNC LOCAL main"), None);
        assert!(version_of("2.28") < version_of("2.34") && version_of("2.28") > version_of("2.2.5"));
    }

    /// The compiler links this very program against the C library of this machine, and does not strip it.
    #[test]
    fn a_binary_that_is_not_stripped_or_too_large_is_refused() {
        let own = std::env::current_exe().expect("a program has a path");
        let platform = super::super::platform::all()[0];
        let refused = inspect(&own, platform).expect_err("refused");
        assert!(refused.contains("not stripped") || refused.contains("bytes, at most"), "{refused}");
    }
}
