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

/// Folders whose doc comments follow [`unnamed_subjects`]; add a folder when its comments do.
const NAMES_SUBJECTS: [&str; 15] = [
    "crates/apps/",
    "crates/config/",
    "crates/doctor/",
    "crates/hub/",
    "crates/laravel/",
    "crates/loadgen/",
    "crates/node/",
    "crates/outgoing/",
    "crates/protocol/",
    "crates/redis/",
    "crates/server/",
    "crates/soak/",
    "crates/testing/",
    "crates/webhooks/",
    "fuzz/",
];

/// Never the first word of a sentence.
const PRONOUNS: [&str; 5] = ["It", "They", "These", "Those", "Whoever"];

/// Pronouns only where no noun follows, as in `That is ...` and `One that ...`.
const SOMETIMES_PRONOUNS: [&str; 2] = ["One", "That"];

const AFTER_A_PRONOUN: [&str; 13] =
    ["can", "did", "does", "had", "has", "is", "may", "must", "that", "was", "which", "who", "will"];

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

/// Every sentence of a doc comment names its subject: a pronoun sends the reader back to look for the subject.
pub fn unnamed_subjects(file: &TextFile) -> Vec<Fault> {
    if !NAMES_SUBJECTS.iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    let mut begins = true;
    let mut is_code = false;
    file.faults_by_line(|line| {
        let Some(text) = doc_text(line) else {
            begins = true;
            return None;
        };
        let is_fence = text.starts_with("```");
        is_code ^= is_fence;
        let ends = is_code || is_fence || text.is_empty() || text.starts_with('#') || text.ends_with('.');
        let is_first = std::mem::replace(&mut begins, ends);
        if is_code {
            return None;
        }
        let mut sentences = text.split(". ").skip(usize::from(!is_first));
        let pronoun = sentences.find_map(leading_pronoun)?;
        Some(format!("a sentence begins with `{pronoun}`: name what it is about"))
    })
}

/// The text of a line of a doc comment.
fn doc_text(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim)
}

/// The pronoun in the place of the sentence's subject.
fn leading_pronoun(sentence: &str) -> Option<&str> {
    let mut words = sentence.split(|c: char| !c.is_alphanumeric());
    let (first, second) = (words.next()?, words.next().unwrap_or_default());
    let is_alone = sentence.trim_end_matches('.') == first;
    let stands_for_noun = is_alone || AFTER_A_PRONOUN.contains(&second);
    let is_pronoun = PRONOUNS.contains(&first) || (SOMETIMES_PRONOUNS.contains(&first) && stands_for_noun);
    is_pronoun.then_some(first)
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

    #[test]
    fn a_pronoun_in_the_place_of_a_subject_is_found() {
        let lines_of = |text: &str| -> Vec<String> {
            unnamed_subjects(&sample("crates/hub/src/a.rs", text)).iter().map(Fault::to_string).collect()
        };
        for text in [
            "//! It is new.",
            "    /// The app. They are new.",
            "/// The app.\n///\n/// # Errors\n/// It is away.",
            "/// The app.\n/// That is new.",
            "/// One that is new.",
            "/// One.",
        ] {
            let found = lines_of(text);
            let line = text.lines().count();
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].starts_with(&format!("crates/hub/src/a.rs:{line}: ")), "{}", found[0]);
        }
        for text in [
            "/// The app, and what of\n/// It stays.",
            "/// One app. That app is new. Its name.",
            "/// Items. Italics.",
            "/// ```\n/// It is code.\n/// ```",
            "/// The app of\n/// `It` and\n/// It.",
            "// It is no doc comment.",
            "let text = 1; // It is new.",
        ] {
            assert_eq!(lines_of(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(unnamed_subjects(&sample("crates/other/src/a.rs", "/// It is new.")).len(), 0);
    }
}
