//! Which tests hold which rule of the protocol, by the rules' numbers in the names of the tests.
//!
//! `docs/rules.md` lists the rules, `docs/protocol.md` those without a test and why. A number counts
//! only where a test is declared, never in a comment or within one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::log::Log;
use crate::workspace::root;

/// Where tests are.
const PLACES: [&str; 5] = ["crates", "tests/e2e", "tests/browser", "tests/e2e-python", "tests/e2e-php"];

/// Folders that are built or installed, not written.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// What begins the declaration of a test, by the ending of its file.
const DECLARATIONS: [(&str, &[&str]); 4] = [
    ("rs", &["fn ", "async fn "]),
    ("js", &["test(", "await t.test("]),
    ("py", &["def test_"]),
    ("php", &["'"]),
];

/// The families of rules that must be held.
const FAMILIES: [&str; 10] = ["WS", "LIM", "AUTH", "API", "CON", "HOOK", "FALLBACK", "SIO", "RES", "CL"];

/// The heading in `docs/protocol.md` over the rules that no test holds.
const WITHOUT: &str = "## Rules without a test";

/// Says every rule with the number of its tests; an error if one has neither tests nor a reason.
pub fn report(log: &Log) -> Result<(), String> {
    let rules = rules_of(&read("docs/rules.md")?);
    let text = read("docs/protocol.md")?;
    let without = text.split_once(WITHOUT).map(|(_, rest)| rules_of(rest)).unwrap_or_default();
    let tests = tests_by_rule();
    let mut faults = Vec::new();
    for (rule, says) in &rules {
        let count = tests.get(rule).map_or(0, Vec::len);
        match (count, without.get(rule)) {
            (0, None) => faults.push(format!("{rule} ({says}) has no test and no reason why")),
            (0, Some(why)) => log.say(format_args!("{rule}  none: {why}")),
            (_, Some(_)) => faults.push(format!("{rule} has {count} tests; docs/protocol.md says none")),
            (count, None) => log.say(format_args!("{rule}  {count:3}  {says}")),
        }
    }
    for rule in tests.keys().chain(without.keys()).filter(|rule| !rules.contains_key(*rule)) {
        faults.push(format!("{rule} is no rule of docs/rules.md"));
    }
    let held = rules.keys().filter(|rule| tests.contains_key(*rule)).count();
    let (all, excused) = (rules.len(), without.len());
    log.say(format_args!("{all} rules: {held} held by tests, {excused} without a test for a reason"));
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

/// The rows of tables whose first column is a rule.
fn rules_of(markdown: &str) -> BTreeMap<String, String> {
    let rows = markdown.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.filter_map(|row| row.split_once(" | "));
    let rules = cells.filter(|(rule, _)| number_in(&rule.replace('-', "_").to_lowercase()).is_some());
    rules.map(|(rule, says)| (rule.to_owned(), says.to_owned())).collect()
}

/// The names of the tests that carry a rule's number.
fn tests_by_rule() -> BTreeMap<String, Vec<String>> {
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for place in PLACES {
        for file in files_below(&root().join(place)) {
            let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let Some((_, declarations)) = DECLARATIONS.iter().find(|(of, _)| *of == ending) else {
                continue;
            };
            for line in fs::read_to_string(&file).unwrap_or_default().lines() {
                let line = line.trim_start();
                if declarations.iter().any(|start| line.starts_with(start)) {
                    for rule in rules_named_in(line) {
                        tests.entry(rule).or_default().push(line.to_owned());
                    }
                }
            }
        }
    }
    tests
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match path.is_dir() {
                true if NOT_OURS.contains(&name) => Vec::new(),
                true => files_below(&path),
                false => vec![path],
            }
        })
        .collect()
}

/// All rules in a text such as `fn ws_030_and_api_003_…`.
fn rules_named_in(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    words
        .windows(2)
        .filter_map(|pair| {
            let joined = format!("{}_{}", pair[0], pair[1]);
            number_in(&joined).map(|(family, number)| format!("{family}-{number}"))
        })
        .collect()
}

/// The family and the number of `ws_030`.
fn number_in(text: &str) -> Option<(&'static str, &str)> {
    let (family, number) = text.split_once('_')?;
    let family = FAMILIES.into_iter().find(|known| known.eq_ignore_ascii_case(family))?;
    let is_number = number.len() == 3 && number.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then_some((family, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_the_names_of_tests_in_every_language() {
        assert_eq!(rules_named_in("fn ws_030_and_hook_010_hold() {"), ["WS-030", "HOOK-010"]);
        assert_eq!(rules_named_in("test('api_017 and WS-101: a name', async"), ["API-017", "WS-101"]);
        assert_eq!(rules_named_in("fn ws_3_or_diff_030_or_status_404() {"), [] as [&str; 0]);
    }

    #[test]
    fn rules_are_the_rows_of_tables() {
        let rules = rules_of("| rule | says |\n|---|---|\n| WS-001 | a | b |\ntext WS-002\n");
        assert_eq!(rules.into_iter().collect::<Vec<_>>(), [("WS-001".to_owned(), "a | b".to_owned())]);
    }
}
