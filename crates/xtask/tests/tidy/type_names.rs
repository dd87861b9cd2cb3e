//! A public type's name is said once in the crates that make up the server, so that a name means one thing.

use std::collections::BTreeMap;

use crate::tree::{Fault, TextFile};

const KINDS: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// Names that several crates may have, and why.
const SHARED: [(&str, &str); 1] = [("Settings", "what a crate can be told, one a crate")];

/// Programs that developers run, which share no code with the server.
const APART: [&str; 5] = ["crates/xtask/", "crates/loadgen/", "crates/soak/", "crates/testing/", "fuzz/"];

/// Every public type whose name another public type has too.
pub fn faults(files: &[TextFile]) -> Vec<Fault> {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| is_of_the_server(&file.path)) {
        for (index, line) in file.text.lines().enumerate() {
            let Some(name) = defined(line).filter(|name| !SHARED.iter().any(|(shared, _)| shared == name))
            else {
                continue;
            };
            match first.get(name) {
                Some(other) => {
                    let what = format!(
                        "`{name}` is the name of a public type of {other} too: say what sets this one apart"
                    );
                    faults.push(file.fault(index, what));
                }
                None => {
                    first.insert(name, &file.path);
                }
            }
        }
    }
    faults
}

/// Tests stand apart as well: what they call things is seen by nobody else.
fn is_of_the_server(path: &str) -> bool {
    path.contains("/src/")
        && !path.contains("/tests/")
        && !path.ends_with("tests.rs")
        && !APART.iter().any(|apart| path.starts_with(apart))
}

/// The public type that a line defines outside of any block.
fn defined(line: &str) -> Option<&str> {
    let (kind, rest) = line.strip_prefix("pub ")?.split_once(' ')?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    KINDS.contains(&kind).then_some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::sample;

    fn found(path: &str, text: &str) -> Vec<String> {
        let first = sample("crates/a/src/b.rs", "pub struct Place {\npub(crate) struct Row;\n");
        faults(&[first, sample(path, text)]).iter().map(Fault::to_string).collect()
    }

    #[test]
    fn a_second_public_type_of_one_name_is_found_with_the_first() {
        let both = found("crates/c/src/d.rs", "//! x\npub enum Place<'a> {\n");
        assert_eq!(both.len(), 1);
        assert!(both[0].starts_with("crates/c/src/d.rs:2: `Place`"), "{}", both[0]);
        assert!(both[0].contains("crates/a/src/b.rs"), "{}", both[0]);
        for text in ["pub trait Place {}", "pub type Place = u8;", "pub union Place {"] {
            assert_eq!(found("crates/c/src/d.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn names_of_modules_tests_and_tools_may_be_the_same() {
        for text in ["pub(super) struct Place;", "struct Place;", "pub struct Row;", "    pub struct Place;"]
        {
            assert!(found("crates/c/src/d.rs", text).is_empty(), "{text}");
        }
        for path in ["crates/c/tests/d.rs", "crates/c/src/d/tests.rs", "crates/xtask/src/d.rs"] {
            assert!(found(path, "pub struct Place;").is_empty(), "{path}");
        }
    }

    #[test]
    fn a_name_on_the_short_list_may_be_said_again() {
        let files =
            ["crates/a/src/b.rs", "crates/c/src/d.rs"].map(|path| sample(path, "pub struct Settings;"));
        assert!(faults(&files).is_empty());
    }
}
