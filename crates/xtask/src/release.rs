//! What is given away: a binary in an archive, a package for Debian, the list of components, the notes of the release, sums, a
//! signature.
//!
//! Never publishes anything: a folder is made, and maintainers copy the folder where they want.

mod components;
mod debian;
mod notes;
mod signature;
mod stage;
mod sums;

use std::fs;
use std::path::{Path, PathBuf};

use crate::checks::cargo;
use crate::packages::{self, DEBIAN_TOOLS};
use crate::step::Steps;
use crate::tools;
use crate::workspace::{made, root, target};

/// What builds the binary that is given away.
const BUILD: [&str; 7] =
    ["build", "--release", "--locked", "--package", "fanfare-server", "--bin", "fanfare"];

/// Where all that is given away is put.
fn folder() -> PathBuf {
    target().join("packages")
}

/// `cargo xtask packages`, of this binary or of one that is built; true if all is well.
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
    // A wrong changelog, password or path is found before the minutes of building.
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
    let built = target().join("release/fanfare");
    let binary = binary.map_or(built, PathBuf::from);
    let is_given = binary != target().join("release/fanfare");
    steps.run("an empty folder", |_| emptied(&folder()))
        && steps.run("what packages need", |log| packages::provide(log, &[DEBIAN_TOOLS], true))
        && steps.run("the programs of packaging/tools.txt", tools::provide)
        && (is_given || steps.run("the binary", |log| cargo(log, &BUILD)))
        && steps.run("the binary without symbols, man pages, completions", |log| stage::fill(log, &binary))
        && steps.run("the list of components", |log| components::bill(log, &folder()))
        && steps.run("the notes of the release", |log| notes::write(log, &folder()))
        && steps.run("the archive", |log| stage::archive(log, &folder()))
        && debian::make_and_try(steps, &folder())
        && steps.run("the sums", |_| sums::write(&folder()))
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
