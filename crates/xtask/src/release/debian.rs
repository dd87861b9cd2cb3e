//! The package for Debian: made by cargo-deb as crates/server/Cargo.toml says, looked at by lintian, and installed into a Debian of its
//! own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::platform::Platform;
use super::stage;
use crate::log::Log;
use crate::step::Steps;
use crate::tools;
use crate::workspace::{VERSION, made, root, target};

/// Makes the package in `folder`, and a later version outside, for trying an upgrade; true if all is well.
pub fn make_and_try(steps: &mut Steps, platform: &Platform, is_portable: bool, folder: &Path) -> bool {
    let outside = stage::place().join("later");
    let machine = platform.debian;
    let path = |place: &Path, release: u8| place.join(format!("fanfare_{VERSION}-{release}_{machine}.deb"));
    let (first, later) = (path(folder, 1), path(&outside, 2));
    let made = steps.run(&format!("the package for Debian, {machine}"), |log| {
        made(&outside)?;
        make(log, platform, is_portable, &first, 1)?;
        make(log, platform, is_portable, &later, 2)
    }) && steps.run("lintian", |log| {
        // Errors are faults; warnings are in the log.
        log.execute(Command::new("lintian").args(["--allow-root", "--fail-on", "error"]).arg(&first))
    });
    made && (!platform.is_host()
        || steps.run("Debian: install, upgrade, remove, purge", |log| {
            log.execute(trial("deb").arg(&first).arg(&later))
        }))
}

/// The script that tries packages of a kind, in the folder that keeps a bare Debian.
pub fn trial(kind: &str) -> Command {
    let mut script = Command::new("sh");
    script.current_dir(root()).args(["packaging/try.sh", kind]).arg(target().join("trial"));
    script
}

fn make(
    log: &Log,
    platform: &Platform,
    is_portable: bool,
    path: &PathBuf,
    release: u8,
) -> Result<(), String> {
    let mut deb = tools::cargo(&["deb", "--no-build", "--no-strip", "--package", "fanfare-server"]);
    deb.args(["--deb-version", &format!("{VERSION}-{release}")]);
    if is_portable {
        // The C library that the binary was linked for is named, not the one of this machine.
        deb.args(["--variant", "portable", "--target", platform.triple]);
    }
    log.execute(deb.arg("--output").arg(path))
}
