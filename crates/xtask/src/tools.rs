//! The programs of cargo that make a release: built once for each content of `packaging/tools.txt`, below the target directory.
//!
//! Never installs anything beside them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::checks::cargo_command;
use crate::log::Log;
use crate::once::once_for;
use crate::step::prefer;
use crate::workspace::{root, target};

/// A run of cargo that finds the programs.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = cargo_command(arguments);
    prefer(&mut cargo, &place().join("bin"));
    cargo
}

/// Builds the programs, unless these very versions are there.
///
/// All but one are built without optimisation (`--debug`): each runs for seconds, and building takes minutes.
///
/// # Errors
/// In words: what could not be built.
pub fn provide(log: &Log) -> Result<(), String> {
    let pins = root().join("packaging/tools.txt");
    let wanted = fs::read_to_string(&pins).map_err(|error| format!("{}: {error}", pins.display()))?;
    once_for(log, &pins, &place(), || {
        let place = place();
        // A line is a program and its options. cargo-about compares texts for minutes unless it is optimised.
        for line in wanted.lines() {
            let mut install = cargo_command(&["install", "--locked", "--root"]);
            install.arg(&place).args(line.split_whitespace());
            // One place for all, so that what they have in common is built once.
            install.env("CARGO_TARGET_DIR", place.join("build")).env("CARGO_PROFILE_DEV_DEBUG", "0");
            log.execute(&mut install)?;
        }
        fs::remove_dir_all(place.join("build")).map_err(|error| format!("{}: {error}", place.display()))
    })
}

fn place() -> PathBuf {
    target().join("tools")
}
