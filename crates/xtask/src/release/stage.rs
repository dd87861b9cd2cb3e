//! What packages and archives have in common, put together below `target/stage`: crates/server/Cargo.toml names these files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::platform::Platform;
use crate::log::Log;
use crate::step::{command, output_of};
use crate::workspace::{VERSION, made, root};

/// The shells whose completions are given away, and the file that each shell looks for.
const SHELLS: [(&str, &str); 3] = [("bash", "fanfare"), ("zsh", "_fanfare"), ("fish", "fanfare.fish")];

/// Files and folders of the repository that are in each archive.
const ALONG: [&str; 8] = [
    "LICENSE",
    "CHANGELOG.md",
    "config/default.toml",
    "packaging/fanfare.toml",
    "packaging/systemd/fanfare.service",
    "packaging/systemd/fanfare.socket",
    "packaging/prometheus",
    "packaging/grafana",
];

/// Where the files are, wherever cargo builds: manifests cannot name a folder that moves.
pub fn place() -> PathBuf {
    root().join("target/stage")
}

/// Puts a binary where archives and packages look for it, without symbols.
///
/// # Errors
/// In words: how that failed.
pub fn take(log: &Log, binary: &Path) -> Result<(), String> {
    made(&place())?;
    let own = place().join("fanfare");
    if has_symbols(binary) {
        return log.execute(Command::new("strip").arg("-o").arg(own).arg(binary));
    }
    // Only a given binary has symbols: this machine's strip may not know the files of another machine.
    fs::copy(binary, own).map(drop).map_err(|error| format!("{}: {error}", binary.display()))
}

/// Whether a binary has what only a debugger reads.
pub fn has_symbols(binary: &Path) -> bool {
    let sections = output_of("readelf", &["--wide", "--section-headers", &binary.to_string_lossy()]);
    sections.is_none_or(|found| [".symtab", ".debug_"].iter().any(|name| found.contains(name)))
}

/// Has a binary write its man pages and completions.
///
/// # Errors
/// In words: what could not be written.
pub fn pages(log: &Log, binary: &Path) -> Result<(), String> {
    let (man, completions) = (place().join("man"), place().join("completions"));
    if man.exists() {
        fs::remove_dir_all(&man).map_err(|error| format!("{}: {error}", man.display()))?;
    }
    made(&completions)?;
    log.execute(Command::new(binary).arg("man").arg(&man))?;
    log.execute(Command::new("gzip").args(["--recursive", "--best", "--no-name"]).arg(&man))?;
    for (shell, file) in SHELLS {
        let script = output_of(&binary.to_string_lossy(), &["completions", shell]);
        let script = script.ok_or(format!("no completions for {shell}"))?;
        write(&completions.join(file), &format!("{script}\n"))?;
    }
    let units = place().join("units");
    made(&units)?;
    log.execute(command("cp", &["packaging/systemd/fanfare.service"], root()).arg(&units))?;
    write(&place().join("changelog"), &changelog()?)
}

/// Makes the archive in `folder`: the same bytes for the same files and commit.
///
/// # Errors
/// In words: what could not be copied or packed.
pub fn archive(log: &Log, platform: &Platform, folder: &Path) -> Result<(), String> {
    let name = format!("fanfare-{VERSION}-{}", platform.triple);
    let packed = tempfile::tempdir().map_err(|error| format!("a folder: {error}"))?;
    let inside = packed.path().join(&name);
    made(&inside)?;
    let mut copy = Command::new("cp");
    copy.arg("-r").args(ALONG.map(|file| root().join(file)));
    copy.args(["fanfare", "man", "completions", "licences.txt"].map(|file| place().join(file)));
    log.execute(copy.arg(&inside))?;
    let mut pack = command("tar", &["--sort=name", "--owner=0", "--group=0", "--numeric-owner"], root());
    pack.args(["--mtime", &committed("%cI")?, "--mode=u+rwX,go+rX,go-w", "--use-compress-program=gzip -9n"]);
    pack.arg("--create").arg("--file").arg(folder.join(format!("{name}.tar.gz")));
    log.execute(pack.arg("--directory").arg(packed.path()).arg(&name))
}

/// When the commit was made that is built, in a form of git's.
fn committed(form: &str) -> Result<String, String> {
    let root = root();
    output_of("git", &["-C", &root.to_string_lossy(), "log", "-1", &format!("--format={form}")])
        .ok_or_else(|| "git does not know the commit".to_owned())
}

/// The changelog in Debian's form, which points to the real one.
fn changelog() -> Result<String, String> {
    let date = committed("%cD")?;
    Ok(format!(
        "fanfare ({VERSION}-1) stable; urgency=medium\n\n  * What changed: /usr/share/doc/fanfare/CHANGELOG.md.\n\n \
         -- The Fanfare maintainers <maintainers@fanfare.invalid>  {date}\n"
    ))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
