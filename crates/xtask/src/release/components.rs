//! What the binary has of others in it: the list of components (CycloneDX), and the licences with their texts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::stage;
use crate::log::Log;
use crate::tools;
use crate::workspace::{VERSION, root};

/// The name that the list has while it is made.
const NAME: &str = "fanfare-components";

/// Fewer licences or components than these are a sign that the list is of something else.
const LEAST: usize = 100;

/// Writes the licences of all crates in the binary.
///
/// # Errors
/// In words: which licence is not allowed, or what failed.
pub fn licences(log: &Log) -> Result<(), String> {
    let list = stage::place().join("licences.txt");
    let mut about = tools::cargo(&["about", "generate", "--frozen", "--fail"]);
    about.args(["--config", "packaging/about.toml", "--manifest-path", "crates/server/Cargo.toml"]);
    about.arg("--output-file").arg(&list).arg("packaging/about.hbs");
    log.execute(&mut about)?;
    let text = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let crates = text.lines().filter(|line| line.starts_with("  ")).count();
    if crates < LEAST { Err(format!("only {crates} crates have a licence")) } else { Ok(()) }
}

/// Writes the list of components into `folder`.
///
/// cargo-cyclonedx writes a list beside the manifest of each crate of the workspace. The server's list is taken, the others are
/// deleted.
///
/// # Errors
/// In words: what failed.
pub fn bill(log: &Log, folder: &Path) -> Result<(), String> {
    let mut bill = tools::cargo(&["cyclonedx", "--format", "json", "--override-filename", NAME, "--quiet"]);
    let made = log.execute(&mut bill);
    let crates = fs::read_dir(root().join("crates")).map_err(|error| format!("crates: {error}"))?;
    let lists: Vec<PathBuf> = crates.flatten().map(|one| one.path().join(format!("{NAME}.json"))).collect();
    let own = root().join("crates/server").join(format!("{NAME}.json"));
    let text = fs::read_to_string(&own);
    for list in lists.iter().filter(|list| list.exists()) {
        fs::remove_file(list).map_err(|error| format!("{}: {error}", list.display()))?;
    }
    made?;
    let text = text.map_err(|error| format!("{}: {error}", own.display()))?;
    // References to our own crates name the folder of this machine.
    let text = text.replace(&*root().to_string_lossy(), "/fanfare");
    let list: Value = serde_json::from_str(&text).map_err(|error| format!("the list: {error}"))?;
    let count = list["components"].as_array().map_or(0, Vec::len);
    if list["bomFormat"] != "CycloneDX" || count < LEAST {
        return Err(format!("the list has only {count} components"));
    }
    log.say(format_args!("{count} components"));
    let path = folder.join(format!("fanfare-{VERSION}.cdx.json"));
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}
