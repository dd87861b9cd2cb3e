//! What is given away: portable binaries in archives, packages for Debian and RPM, the lists of components and licences, the notes of
//! the release, sums, a signature.
//!
//! Never publishes anything: a folder is made, and maintainers copy the folder where they want.

mod binary;
mod components;
mod debian;
mod notes;
mod platform;
mod rpm;
mod signature;
mod stage;
mod sums;

use std::fs;
use std::path::{Path, PathBuf};

use crate::packages::{self, BINUTILS, DEBIAN_TOOLS, PYTHON, RPM_TOOLS};
use crate::python::Environment;
use crate::step::Steps;
use crate::tools;
use crate::workspace::{made, root, target};
use platform::Platform;

/// A binary that was built here or is given, and what it is for.
struct Built {
    platform: &'static Platform,
    file: PathBuf,
    /// Whether its C library was looked at: a binary that is given may need a newer one.
    is_portable: bool,
}

/// Where all that is given away is put.
fn folder() -> PathBuf {
    target().join("packages")
}

/// `cargo xtask dist`: the portable binaries in archives, with all that goes along; true if all is well.
///
/// # Errors
/// In words: why the log cannot be written.
pub fn dist() -> Result<bool, String> {
    let mut steps = Steps::begin("dist")?;
    if archives(&mut steps, None).is_some() && steps.run("the sums", |_| sums::write(&folder())) {
        list(&steps);
    }
    Ok(steps.summarize())
}

/// `cargo xtask packages`, of portable binaries or of one that is given; true if all is well.
///
/// # Errors
/// In words: why the log cannot be written.
pub fn packages(binary: Option<&str>) -> Result<bool, String> {
    let mut steps = Steps::begin("packages")?;
    if make(&mut steps, binary) {
        list(&steps);
    }
    Ok(steps.summarize())
}

/// `cargo xtask release`, signed with the key in this file, or with one made at the moment; true if all is well.
///
/// # Errors
/// In words: why the log cannot be written, the key cannot be read, or the changelog has no section for the version.
pub fn release(key: Option<&str>, binary: Option<&str>) -> Result<bool, String> {
    // A wrong password, path or changelog is found before the minutes of building.
    if key.is_some() {
        notes::of_version()?;
    }
    let key = key.map_or_else(signature::made_now, |path| signature::read(Path::new(path)))?;
    let mut steps = Steps::begin("release")?;
    if make(&mut steps, binary) && steps.run("the signature", |_| signature::sign(&folder(), &key)) {
        steps.run("sums and signature are verified", |_| signature::verify(&folder(), &key.public));
        list(&steps);
        steps.note(&format!("the public key: {}", key.public.to_base64()));
    }
    Ok(steps.summarize())
}

/// Makes and tries all but the signature; true if all is well.
fn make(steps: &mut Steps, binary: Option<&str>) -> bool {
    let Some(built) = archives(steps, binary) else { return false };
    steps.run("what packages need", |log| packages::provide(log, &[DEBIAN_TOOLS, RPM_TOOLS], true))
        && built.iter().filter(|one| one.platform.glibc.is_some()).all(|one| {
            steps.run("the files of the packages", |log| stage::take(log, &one.file))
                && debian::make_and_try(steps, one.platform, one.is_portable, &folder())
                && rpm::make_and_try(steps, one.platform, one.is_portable, &folder())
        })
        && steps.run("the sums", |_| sums::write(&folder()))
}

/// Puts archives of the binaries into the folder, with the lists of components and licences and the notes; the binaries if all is well,
/// that for this machine first.
fn archives(steps: &mut Steps, binary: Option<&str>) -> Option<Vec<Built>> {
    let is_ready = steps.run("an empty folder", |_| emptied(&folder()))
        && steps.run("what releases need", |log| packages::provide(log, &[BINUTILS, PYTHON], true))
        && steps.run("the programs of packaging/tools.txt", tools::provide);
    let built = if !is_ready {
        Vec::new()
    } else if let Some(file) = binary {
        vec![Built { platform: platform::host()?, file: PathBuf::from(file), is_portable: false }]
    } else {
        portable(steps)
    };
    let first = built.first()?;
    let is_whole = steps.run("man pages and completions", |log| stage::pages(log, &first.file))
        && steps.run("the list of licences", components::licences)
        && steps.run("the list of components", |log| components::bill(log, &folder()))
        && steps.run("the notes of the release", |log| notes::write(log, &folder()));
    let is_packed = is_whole
        && built.iter().all(|one| {
            steps.run(&format!("the archive for {}", one.platform.triple), |log| {
                stage::take(log, &one.file)?;
                stage::archive(log, one.platform, &folder())
            })
        });
    is_packed.then_some(built)
}

/// Builds and checks the binaries of all platforms that can be built here; none if one of them has a fault.
fn portable(steps: &mut Steps) -> Vec<Built> {
    let zig = Environment::of("packaging", "zig-venv");
    if !steps.run("zig, which links for older C libraries", |log| zig.fill(log)) {
        return Vec::new();
    }
    let mut built = Vec::new();
    for platform in platform::all() {
        let name = format!("the binary for {}", platform.triple);
        if let Some(why) = platform.missing() {
            steps.leave_out(&name, &why);
            continue;
        }
        if !steps.run(&name, |log| binary::build(log, platform, &zig)) || !is_sound(steps, platform) {
            return Vec::new();
        }
        built.push(Built { platform, file: platform.binary(), is_portable: true });
    }
    built
}

/// Looks into the binary of a platform, and starts it where something here can run it.
fn is_sound(steps: &mut Steps, platform: &Platform) -> bool {
    let mut facts = String::new();
    let is_checked = steps.run("  size, symbols, C library", |_| {
        binary::inspect(&platform.binary(), platform).map(|found| facts = found)
    });
    steps.note(&facts);
    let name = "  starts, serves, stops";
    match platform.runner() {
        Ok(runner) => {
            is_checked && steps.run(name, |log| binary::start(log, &platform.binary(), runner.as_deref()))
        }
        Err(why) => {
            steps.leave_out(name, &why);
            is_checked
        }
    }
}

fn emptied(folder: &Path) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    made(folder)
}

/// Says what is in the folder, and how large each file is.
fn list(steps: &Steps) {
    steps.note(&format!("made in {}:", folder().strip_prefix(root()).unwrap_or(&folder()).display()));
    for file in sums::files_of(&folder()).unwrap_or_default() {
        let bytes = fs::metadata(&file).map_or(0, |about| about.len());
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        steps.note(&format!("  {bytes:>11}  {name}"));
    }
}
