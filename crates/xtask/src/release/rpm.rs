//! The package for RPM: made by cargo-generate-rpm as crates/server/Cargo.toml says, looked at by rpmlint, and installed into a root of
//! its own.

use std::path::Path;
use std::process::Command;

use super::debian;
use super::platform::Platform;
use super::stage;
use crate::log::Log;
use crate::step::Steps;
use crate::tools;
use crate::workspace::{VERSION, made, root};

/// Makes the package in `folder`, and a later version outside, for trying an upgrade; true if all is well.
pub fn make_and_try(steps: &mut Steps, platform: &Platform, is_portable: bool, folder: &Path) -> bool {
    let outside = stage::place().join("later");
    let machine = platform.machine;
    let path = |place: &Path, release: u8| place.join(format!("fanfare-{VERSION}-{release}.{machine}.rpm"));
    let (first, later) = (path(folder, 1), path(&outside, 2));
    let made = steps.run(&format!("the package for RPM, {machine}"), |log| {
        made(&outside)?;
        make(log, platform, is_portable, &first, 1)?;
        make(log, platform, is_portable, &later, 2)
    }) && steps.run("rpmlint", |log| {
        // Errors are faults; warnings are in the log. The file has what is accepted, and why.
        let accepted = root().join("packaging/rpm/rpmlint.toml");
        log.execute(Command::new("rpmlint").arg("--config").arg(accepted).arg(&first))
    });
    made && (!platform.is_host()
        || steps.run("RPM: install, upgrade, remove", |log| {
            log.execute(debian::trial("rpm").arg(&first).arg(&later))
        }))
}

fn make(log: &Log, platform: &Platform, is_portable: bool, path: &Path, release: u8) -> Result<(), String> {
    let mut rpm = tools::cargo(&["generate-rpm", "--package", "crates/server", "--payload-compress", "gzip"]);
    rpm.args(["--arch", platform.machine, "--set-metadata", &format!("release = \"{release}\"")]);
    if is_portable && let Some(glibc) = platform.glibc {
        let needed =
            format!("requires = {{ \"libc.so.6(GLIBC_{glibc})(64bit)\" = \"*\", \"shadow-utils\" = \"*\" }}");
        rpm.args(["--set-metadata", &needed]);
    }
    log.execute(rpm.arg("--output").arg(path))
}
