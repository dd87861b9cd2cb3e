//! Rules for the text of a Rust file.

use crate::tree::{Fault, TextFile};

const MOST_LINES: usize = 400;
const MOST_LINES_OF_TESTS: usize = 600;
const EMPTY_WORDS: [&str; 7] = ["Manager", "Service", "Handler", "Helper", "Factory", "Impl", "Base"];
const EMPTY_FILE_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "misc"];
const DEFINITIONS: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// Where tasks are spawned that end with a request, a connection or a question; all others have their owner.
const SPAWNING: [&str; 9] = [
    "crates/node/src/tasks.rs",
    "crates/server/src/admin/doctor.rs",
    "crates/server/src/authorize/application.rs",
    "crates/server/src/connections.rs",
    "crates/server/src/clients/socket_io/handshake.rs",
    "crates/server/src/clients/ws/handshake.rs",
    "crates/server/src/clients/xhr/receive.rs",
    "crates/server/src/http/unbroken.rs",
    "crates/outgoing/src/lookups.rs",
];

/// Files of rules name what they forbid.
fn is_rule(file: &TextFile) -> bool {
    file.path.starts_with("crates/xtask/tests/tidy/")
}

fn is_test(file: &TextFile) -> bool {
    file.path.contains("/tests/") || file.path.ends_with("/tests.rs") || file.path.ends_with("_tests.rs")
}

/// The part of a line before a comment.
fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn words_of(line: &str) -> impl Iterator<Item = &str> {
    code_of(line).split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// `//!` comes first.
pub fn opening(file: &TextFile) -> Vec<Fault> {
    if file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![file.fault(0, "open with `//!`: what this module owns, and what it must never do")]
}

/// At most 400 lines, tests 600.
pub fn length(file: &TextFile) -> Vec<Fault> {
    let most = if is_test(file) { MOST_LINES_OF_TESTS } else { MOST_LINES };
    let lines = file.text.lines().count();
    if lines <= most {
        return Vec::new();
    }
    vec![file.fault(most, format!("{lines} lines, at most {most} are allowed: split it by concern"))]
}

/// No words that fit everything.
pub fn names(file: &TextFile) -> Vec<Fault> {
    let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
    let mut faults = file.faults_by_line(|line| {
        let mut words = words_of(line).skip_while(|word| !DEFINITIONS.contains(word)).skip(1);
        let name = words.next()?;
        let word = EMPTY_WORDS.iter().find(|word| name.ends_with(*word))?;
        Some(format!("`{name}`: every type is a {word}; say what this one is"))
    });
    if EMPTY_FILE_NAMES.contains(&stem) || (stem.starts_with("part") && stem != "partition") {
        faults.push(file.fault(0, format!("`{stem}.rs`: name the file after what it owns")));
    }
    faults
}

/// Bounded queues, and the one kind of lock.
pub fn forbidden_types(file: &TextFile) -> Vec<Fault> {
    if is_rule(file) {
        return Vec::new();
    }
    file.faults_by_line(|line| {
        let code = code_of(line);
        let has = |word| words_of(line).any(|found| found == word);
        if has("unbounded_channel") {
            return Some("every queue has a bound, and a policy for when it is full".to_owned());
        }
        if has("DashMap") || has("dashmap") {
            return Some(
                "shard by hand under parking_lot::Mutex: a guard must not outlive its line".to_owned(),
            );
        }
        if has("Mutex") && (code.contains("std::sync::") || code.contains("tokio::sync::")) {
            return Some("use parking_lot::Mutex, and let go of it before any await".to_owned());
        }
        None
    })
}

/// A task that lives as long as the server is spawned by its owner, who notices when it ends.
pub fn unowned_tasks(file: &TextFile) -> Vec<Fault> {
    let is_free = is_test(file) || is_rule(file) || file.path.contains("/examples/");
    if is_free || SPAWNING.contains(&&*file.path) {
        return Vec::new();
    }
    let mut is_tests = false;
    file.faults_by_line(|line| {
        is_tests |= line.starts_with("#[cfg(test)]");
        let spawns = !is_tests && code_of(line).contains("tokio::spawn(");
        spawns.then(|| "spawn it by `Tasks` of the server, which notices when it ends".to_owned())
    })
}

/// A test runs, or is deleted.
pub fn skipped_tests(file: &TextFile) -> Vec<Fault> {
    if is_rule(file) {
        return Vec::new();
    }
    file.faults_by_line(|line| {
        let skipped = code_of(line).trim_start().starts_with("#[ignore");
        skipped.then(|| "a skipped test tests nothing: make it run, or delete it".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::sample;

    fn lines_of(faults: &[Fault]) -> Vec<String> {
        faults.iter().map(Fault::to_string).collect()
    }

    #[test]
    fn an_opening_and_a_length_are_missed() {
        assert_eq!(opening(&sample("crates/a/src/b.rs", "use x;\n")).len(), 1);
        assert_eq!(opening(&sample("crates/a/src/b.rs", "//! Owns b.\n")).len(), 0);
        assert_eq!(length(&sample("crates/a/src/b.rs", &"\n".repeat(401))).len(), 1);
        assert_eq!(length(&sample("crates/a/tests/b.rs", &"\n".repeat(401))).len(), 0);
    }

    #[test]
    fn empty_names_are_found_where_they_are_defined() {
        let text = "//! x\npub(crate) struct ChannelManager<T> {\nlet service: tower::Service;\n";
        let found = lines_of(&names(&sample("crates/a/src/b.rs", text)));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/a/src/b.rs:2: `ChannelManager`"), "{}", found[0]);
        assert_eq!(names(&sample("crates/a/src/utils.rs", "//! x\n")).len(), 1);
    }

    #[test]
    fn forbidden_types_are_found_in_code_and_not_in_comments() {
        let text = "//! tokio::sync::Mutex is not for us\nuse std::sync::{Arc, Mutex};\nuse std::sync::MutexGuard;\n";
        let found = lines_of(&forbidden_types(&sample("crates/a/src/b.rs", text)));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/a/src/b.rs:2:"), "{}", found[0]);
        assert_eq!(forbidden_types(&sample("crates/a/src/b.rs", "mpsc::unbounded_channel();")).len(), 1);
        assert_eq!(forbidden_types(&sample("crates/a/src/b.rs", "DashMap::new();")).len(), 1);
    }

    #[test]
    fn tasks_without_an_owner_are_found_but_for_tests_and_connections() {
        let text = "tokio::spawn(run());\n// tokio::spawn(run());\n#[cfg(test)]\nmod tests {\n    tokio::spawn(run());\n";
        assert_eq!(unowned_tasks(&sample("crates/a/src/b.rs", text)).len(), 1);
        assert_eq!(unowned_tasks(&sample("crates/server/src/connections.rs", text)).len(), 0);
        assert_eq!(unowned_tasks(&sample("crates/a/tests/b.rs", text)).len(), 0);
    }

    #[test]
    fn skipped_tests_are_found() {
        assert_eq!(skipped_tests(&sample("crates/a/src/b.rs", "    #[ignore = \"slow\"]")).len(), 1);
    }
}
