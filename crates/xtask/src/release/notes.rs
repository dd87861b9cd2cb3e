//! The notes of a release: the changelog's section of the version, in a file of its own.

use std::fs;
use std::path::Path;

use crate::log::Log;
use crate::workspace::{VERSION, root};

/// The file that has the notes.
const NOTES: &str = "RELEASE-NOTES.md";

/// The heading of what no version has yet: a trial takes these lines.
const UNRELEASED: &str = "Unreleased";

/// The section of this version.
///
/// # Errors
/// In words: that there is none.
pub fn of_version() -> Result<String, String> {
    section(&changelog()?, VERSION)
        .ok_or_else(|| format!("CHANGELOG.md has no section \"## {VERSION}\": date it before a release"))
}

/// Writes the notes into `folder`: of this version or, before it has a section, of what is unreleased.
///
/// # Errors
/// In words: that there are none, or what cannot be read or written.
pub fn write(log: &Log, folder: &Path) -> Result<(), String> {
    let unreleased = || section(&changelog().ok()?, UNRELEASED);
    let (heading, notes) = match of_version() {
        Ok(notes) => (VERSION, notes),
        Err(why) => (UNRELEASED, unreleased().ok_or(why)?),
    };
    log.say(format_args!("from the section {heading}"));
    let path = folder.join(NOTES);
    fs::write(&path, format!("# Fanfare {VERSION}\n\n{notes}\n"))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn changelog() -> Result<String, String> {
    let path = root().join("CHANGELOG.md");
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The lines below the heading of a version; none if there are no lines.
fn section(changelog: &str, version: &str) -> Option<String> {
    let mut lines = changelog.lines().skip_while(|line| {
        line.strip_prefix("## ").is_none_or(|rest| rest.split(' ').next() != Some(version))
    });
    lines.next()?;
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\nWords.\n\n## Unreleased\n\n## 0.10.0 (a day)\n\n### Added\n\n- A thing.\n\n\
                        ## 0.1.0 (an earlier day)\n\n- The first.\n";

    #[test]
    fn the_notes_are_the_lines_below_the_heading_of_the_version() {
        assert_eq!(section(TEXT, "0.10.0").as_deref(), Some("### Added\n\n- A thing."));
        assert_eq!(section(TEXT, "0.1.0").as_deref(), Some("- The first."));
    }

    #[test]
    fn a_version_without_a_section_or_without_lines_has_no_notes() {
        assert_eq!(section(TEXT, "0.2.0"), None);
        assert_eq!(section(TEXT, "0.1"), None);
        assert_eq!(section(TEXT, UNRELEASED), None);
    }

    #[test]
    fn this_repository_has_notes_for_a_trial() {
        let text = changelog().expect("a changelog");
        assert!(section(&text, VERSION).or_else(|| section(&text, UNRELEASED)).is_some());
    }
}
