//! What `deny.toml` says of licences, banned crates and sources, held for the crates that are built on this machine.
//!
//! The same file is cargo-deny's, which looks at other platforms and at advisories too, but takes minutes to build.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn rules() -> toml::Table {
    std::fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap()
}

fn allowed() -> BTreeSet<String> {
    let rules = rules();
    let list = rules["licenses"]["allow"].as_array().unwrap();
    list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn banned() -> BTreeSet<String> {
    let rules = rules();
    let list = rules["bans"]["deny"].as_array().unwrap();
    list.iter().map(|ban| ban["crate"].as_str().unwrap().to_owned()).collect()
}

/// A crate that is built on this machine, ours too, as its manifest describes it.
#[derive(Debug)]
struct Package {
    name: String,
    licence: Option<String>,
    /// Where the crate comes from; nothing for our own.
    source: Option<String>,
}

impl Package {
    /// Whether the crate is banned, or comes from elsewhere than a registry.
    fn is_refused(&self, banned: &BTreeSet<String>) -> bool {
        let is_foreign = self.source.as_ref().is_some_and(|from| !from.starts_with("registry+"));
        is_foreign || banned.contains(&self.name)
    }
}

fn packages() -> Vec<Package> {
    let about = Command::new("rustc").arg("-vV").output().unwrap();
    let about = String::from_utf8(about.stdout).unwrap();
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", host])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |package: &Value, field: &str| package[field].as_str().map(str::to_owned);
    let packages: Vec<Package> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| Package {
            name: text(one, "name").unwrap(),
            licence: text(one, "license"),
            source: text(one, "source"),
        })
        .collect();
    assert!(packages.len() > 50, "the crates were not found");
    packages
}

/// Whether a licence expression can be met with the allowed ones. `AND` binds closer than `OR`; an exception
/// (`WITH`) only gives more rights. Older manifests write `/` for `OR`.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, allowed);
    assert!(words.next().is_none(), "no licence expression: {expression}");
    met
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let word = words.next().expect("a licence");
    if word == "(" {
        let met = any(words, allowed);
        assert_eq!(words.next(), Some(")"));
        return met;
    }
    if words.next_if_eq(&"WITH").is_some() {
        words.next();
    }
    allowed.contains(word)
}

#[test]
fn every_crate_that_is_built_in_has_an_allowed_licence() {
    let allowed = allowed();
    let is_fine = |one: &Package| one.licence.as_ref().is_some_and(|licence| is_met(licence, &allowed));
    let refused: Vec<Package> = packages().into_iter().filter(|one| !is_fine(one)).collect();
    assert!(refused.is_empty(), "licences that deny.toml does not allow: {refused:#?}");
}

#[test]
fn no_banned_crate_is_built_in_and_none_from_elsewhere_than_the_registry() {
    let banned = banned();
    let refused: Vec<Package> = packages().into_iter().filter(|one| one.is_refused(&banned)).collect();
    assert!(refused.is_empty(), "crates that deny.toml does not allow: {refused:#?}");
}

#[test]
fn a_banned_crate_and_one_from_elsewhere_are_found() {
    let banned = banned();
    let is_refused = |name: &str, source: Option<&str>| {
        let source = source.map(str::to_owned);
        Package { name: name.to_owned(), licence: None, source }.is_refused(&banned)
    };
    let registry = Some("registry+https://example.com/index");
    assert!(is_refused("native-tls", registry) && is_refused("openssl-sys", registry));
    assert!(is_refused("bytes", Some("git+https://example.com/bytes")));
    assert!(!is_refused("bytes", registry) && !is_refused("fanfare-hub", None));
}

#[test]
fn a_licence_that_is_not_allowed_is_found_in_every_form_of_expression() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Apache-2.0"].map(str::to_owned).into();
    let good = ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "MIT AND ISC", "(GPL-3.0 OR MIT) AND ISC"];
    for expression in good.into_iter().chain(["Apache-2.0 WITH LLVM-exception", "GPL-3.0 OR MIT AND ISC"]) {
        assert!(is_met(expression, &allowed), "{expression}");
    }
    for expression in
        ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "GPL-3.0 OR MIT AND BSD-3-Clause"]
    {
        assert!(!is_met(expression, &allowed), "{expression}");
    }
}
