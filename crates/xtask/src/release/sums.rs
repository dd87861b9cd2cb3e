//! The sums of all that is given away, in the form of `sha256sum`.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The file that has the sums.
pub const SUMS: &str = "SHA256SUMS";

/// Writes the sums of all files of a folder.
///
/// # Errors
/// In words: what cannot be read or written.
pub fn write(folder: &Path) -> Result<(), String> {
    let mut text = String::new();
    for file in files_of(folder)? {
        text.push_str(&format!("{}  {}\n", sum_of(&file)?, name_of(&file)));
    }
    let path = folder.join(SUMS);
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Compares every file with its sum.
///
/// # Errors
/// In words: which file differs, is missing, or has no sum.
pub fn verify(folder: &Path) -> Result<(), String> {
    let path = folder.join(SUMS);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut listed: Vec<&str> = Vec::new();
    for line in text.lines() {
        let (sum, name) = line.split_once("  ").ok_or(format!("{SUMS}: no sum in: {line}"))?;
        if sum_of(&folder.join(name))? != sum {
            return Err(format!("{name} is not the file that the sum is of"));
        }
        listed.push(name);
    }
    let files = files_of(folder)?;
    match files.iter().map(|file| name_of(file)).find(|name| !listed.contains(&name.as_str())) {
        Some(name) => Err(format!("{name} has no sum")),
        None => Ok(()),
    }
}

/// The files of a folder that have sums, by name: all but the sums and what signs them.
///
/// # Errors
/// In words: why the folder cannot be read.
pub fn files_of(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    let mut files: Vec<PathBuf> = files.filter(|path| !name_of(path).starts_with(SUMS)).collect();
    files.sort();
    Ok(files)
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn sum_of(file: &Path) -> Result<String, String> {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(hex::encode(Sha256::digest(bytes)))
}
