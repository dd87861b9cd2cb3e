//! The package for Debian: made by cargo-deb as crates/server/Cargo.toml says, looked at by lintian, and installed into a Debian of its
//! own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::stage;
use crate::log::Log;
use crate::step::{Steps, output_of};
use crate::tools;
use crate::workspace::{VERSION, made, root, target};

/// Makes the package in `folder`, and a later version outside, for trying an upgrade; true if all is well.
pub fn make_and_try(steps: &mut Steps, folder: &Path) -> bool {
    let outside = stage::place().join("later");
    let machine = output_of("dpkg", &["--print-architecture"]).unwrap_or_default();
    let path = |place: &Path, release: u8| place.join(format!("fanfare_{VERSION}-{release}_{machine}.deb"));
    let (first, later) = (path(folder, 1), path(&outside, 2));
    steps.run("the package for Debian", |log| {
        made(&outside)?;
        make(log, &first, 1)?;
        make(log, &later, 2)
    }) && steps.run("lintian", |log| {
        // Errors are faults; warnings are in the log.
        log.execute(Command::new("lintian").args(["--allow-root", "--fail-on", "error"]).arg(&first))
    }) && steps.run("install, upgrade, remove, purge", |log| {
        let mut script = Command::new("sh");
        script.current_dir(root()).arg("packaging/try.sh").arg(target().join("trial"));
        log.execute(script.arg(&first).arg(&later))
    })
}

fn make(log: &Log, path: &PathBuf, release: u8) -> Result<(), String> {
    let mut deb = tools::cargo(&["deb", "--no-build", "--no-strip", "--package", "fanfare-server"]);
    deb.args(["--deb-version", &format!("{VERSION}-{release}")]);
    log.execute(deb.arg("--output").arg(path))
}
