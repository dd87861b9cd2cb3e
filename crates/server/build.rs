//! Tells the program its version, and the commit that a release is built from.
//!
//! Only a release asks for the commit: in development every commit would have the crate built anew. Where no commit can
//! be found, as in an image that is built without `.git`, `FANFARE_COMMIT` may say it.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=FANFARE_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let given = env::var("FANFARE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let about = match (given, is_release) {
        (Some(commit), _) => format!("commit {commit}"),
        (None, true) => {
            commit().map_or_else(|| "commit unknown".to_owned(), |commit| format!("commit {commit}"))
        }
        (None, false) => "development build".to_owned(),
    };
    println!("cargo:rustc-env=FANFARE_VERSION={version} ({about})");
}

/// The commit that is checked out; from the next one on, this is asked again.
fn commit() -> Option<String> {
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={log}");
    }
    Some(commit)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
