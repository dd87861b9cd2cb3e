//! Rules for what the project says, in whichever file.

use crate::tree::{Fault, TextFile};

const MOST_LINES_OF_ARCHITECTURE: usize = 150;

/// Each in two pieces, so that this file keeps the rule as well.
const FOREIGN: [(&str, &str); 9] = [
    (concat!("/wo", "rk/"), "a path of one machine: write it from the root of the repository"),
    (concat!("issue", " #"), "a number that only one tracker knows: say what it is about"),
    (concat!("registry.", "npmjs.org"), REGISTRY),
    (concat!("registry.", "yarnpkg.com"), REGISTRY),
    (concat!("index.", "crates.io"), REGISTRY),
    (concat!("static.", "crates.io"), REGISTRY),
    (concat!("py", "pi.org"), REGISTRY),
    (concat!("files.python", "hosted.org"), REGISTRY),
    (concat!("packag", "ist.org"), REGISTRY),
];

const REGISTRY: &str = "a registry's host: everybody's client has its own setting for that";

/// `ARCHITECTURE.md` stays short enough to be read.
pub fn architecture(file: &TextFile) -> Vec<Fault> {
    let lines = file.text.lines().count();
    let is_it = file.path.rsplit('/').next() == Some("ARCHITECTURE.md");
    if !is_it || lines <= MOST_LINES_OF_ARCHITECTURE {
        return Vec::new();
    }
    let what =
        format!("{lines} lines, at most {MOST_LINES_OF_ARCHITECTURE} are allowed: leave out what code says");
    vec![file.fault(MOST_LINES_OF_ARCHITECTURE, what)]
}

/// No word of trackers, machines and registries; Cargo's lock files cannot do without the last.
pub fn foreign_words(file: &TextFile) -> Vec<Fault> {
    if file.path.rsplit('/').next() == Some("Cargo.lock") {
        return Vec::new();
    }
    let is_npm_lock = file.path.ends_with("package-lock.json");
    file.faults_by_line(|line| {
        if is_npm_lock && line.contains("\"resolved\"") {
            return Some(
                "an address: lock with `omit-lockfile-registry-resolved` (tests/e2e/.npmrc)".to_owned(),
            );
        }
        let line = line.to_ascii_lowercase();
        let (word, why) = FOREIGN.iter().find(|(word, _)| line.contains(word))?;
        Some(format!("`{word}`: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::sample;

    #[test]
    fn foreign_words_are_found_with_their_line() {
        let text = format!("fine\nsee Issue {}7\n", '#');
        let found = foreign_words(&sample("README.md", &text));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("README.md:2:"));
        assert_eq!(foreign_words(&sample("a/package-lock.json", "\"resolved\": \"x\"")).len(), 1);
    }

    #[test]
    fn a_long_architecture_is_found() {
        let text = "\n".repeat(151);
        assert_eq!(architecture(&sample("docs/ARCHITECTURE.md", &text)).len(), 1);
        assert_eq!(architecture(&sample("docs/RULES.md", &text)).len(), 0);
    }
}
