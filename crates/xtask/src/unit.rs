//! The unit of systemd: systemd itself reads it, and rates what the service may do. Nothing is started.
//!
//! Broken copies are read as well, so that neither check passes whatever the unit says.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::log::Log;
use crate::step::command;
use crate::workspace::{root, target};

/// The unit.
const UNIT: &str = "packaging/systemd/fanfare.service";

/// The program in the unit, and one that every machine has: systemd looks whether the program is there.
const PROGRAM: [&str; 2] = ["/usr/bin/fanfare", "/usr/bin/env"];

/// Highest exposure, in tenths: 2.0 of 10.
const MOST_EXPOSED: &str = "--threshold=20";

/// Changes that systemd must complain of.
const BROKEN: [(&str, &str); 3] = [
    ("WatchdogSec=", "WatchdogSek="),
    ("ExecReload=kill", "ExecReload=/nowhere/kill"),
    ("Restart=on-failure", "Restart=sometimes"),
];

/// A change that must be rated as too much.
const EXPOSED: (&str, &str) = ("CapabilityBoundingSet=\n", "");

/// Has systemd check the unit.
///
/// # Errors
/// In words: what is wrong with the unit, or that a check finds nothing in a broken one.
pub fn check(log: &Log) -> Result<(), String> {
    let path = root().join(UNIT);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    verify(log, &text)?;
    rate(log, &text)?;
    for (good, bad) in BROKEN {
        if verify(log, &changed(&text, good, bad)?).is_ok() {
            return Err(format!("systemd-analyze verify finds nothing wrong with `{bad}`"));
        }
    }
    let (good, bad) = EXPOSED;
    match rate(log, &changed(&text, good, bad)?) {
        Ok(()) => Err("systemd-analyze security finds a service with every capability safe".to_owned()),
        Err(_) => Ok(()),
    }
}

fn changed(text: &str, from: &str, to: &str) -> Result<String, String> {
    if text.contains(from) { Ok(text.replace(from, to)) } else { Err(format!("{UNIT} has no `{from}`")) }
}

/// Whether systemd reads the unit without a complaint.
fn verify(log: &Log, text: &str) -> Result<(), String> {
    let unit = written(text)?;
    let told = run(log, command("systemd-analyze", &["verify", "--man=no"], root()).arg(&unit))?;
    // Other units of this machine may have faults of their own.
    let complaints: Vec<&str> = told.1.lines().filter(|line| line.contains("fanfare.service")).collect();
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

/// Whether the service is exposed little enough.
fn rate(log: &Log, text: &str) -> Result<(), String> {
    let unit = written(text)?;
    let arguments = ["security", "--offline=true", "--no-pager", MOST_EXPOSED];
    match run(log, command("systemd-analyze", &arguments, root()).arg(&unit))? {
        (true, _) => Ok(()),
        (false, told) => Err(told.lines().last().unwrap_or("systemd-analyze says nothing").to_owned()),
    }
}

/// The text as a file, with a program that is there.
fn written(text: &str) -> Result<PathBuf, String> {
    let folder = target().join("xtask/unit");
    let unit = folder.join("fanfare.service");
    let [program, other] = PROGRAM;
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&unit, text.replace(program, other)))
        .map_err(|error| format!("{}: {error}", unit.display()))?;
    Ok(unit)
}

/// Whether a command went well, and all that it printed, which is logged.
fn run(log: &Log, command: &mut Command) -> Result<(bool, String), String> {
    let output = command.output().map_err(|error| format!("systemd-analyze: {error}"))?;
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    log.say(format_args!("{told}"));
    Ok((output.status.success(), told))
}
