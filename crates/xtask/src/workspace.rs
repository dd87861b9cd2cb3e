//! Where things are in this repository.

use std::env;
use std::path::{Path, PathBuf};

/// The version of all crates of the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("crates/xtask is two levels below the root").to_path_buf()
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |set| root().join(set))
}

/// Makes a folder, unless the folder is there.
///
/// # Errors
/// In words: why the folder cannot be made.
pub fn made(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
