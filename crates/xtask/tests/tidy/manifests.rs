//! Rules for the crates' manifests: arrows point down only, and all keep the lints, the fuzz targets too.

use crate::tree::{self, Fault, TextFile};

/// Every fault of every manifest.
pub fn faults() -> Vec<Fault> {
    let manifests: Vec<TextFile> = tree::text_files()
        .into_iter()
        .filter(|file| file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml"))
        .collect();
    assert!(manifests.len() >= 5, "the manifests were not found");
    manifests.iter().flat_map(faults_of).collect()
}

/// Where the manifest of the fuzz targets, a workspace of its own, differs from the root's.
pub fn faults_of_fuzz() -> Vec<Fault> {
    let files = tree::text_files();
    let found = |path: &str| files.iter().find(|file| file.path == path);
    let (Some(root), Some(fuzz)) = (found("Cargo.toml"), found("fuzz/Cargo.toml")) else {
        panic!("the manifests were not found");
    };
    differences(root, fuzz)
}

/// What workspaces cannot share is written down twice: the lints, and the profile, for the sake of what is
/// built. The fuzzer's macro is unsafe, so that one lint is left to the code.
fn differences(root: &TextFile, fuzz: &TextFile) -> Vec<Fault> {
    let read = |file: &TextFile| file.text.parse::<toml::Table>().expect("cargo reads this manifest too");
    let (root, own) = (read(root), read(fuzz));
    let at = |manifest: &toml::Table, path: &[&str]| {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(manifest.get(*first)?.clone(), |value, name| value.get(*name).cloned())
    };
    let mut rust = at(&root, &["workspace", "lints", "rust"]);
    if let Some(lints) = rust.as_mut().and_then(toml::Value::as_table_mut) {
        lints.remove("unsafe_code");
    }
    let pairs = [
        ("lints.rust", rust, at(&own, &["lints", "rust"])),
        ("lints.clippy", at(&root, &["workspace", "lints", "clippy"]), at(&own, &["lints", "clippy"])),
        ("profile.dev", at(&root, &["profile", "dev"]), at(&own, &["profile", "dev"])),
    ];
    pairs
        .into_iter()
        .filter(|(_, wanted, found)| wanted != found)
        .map(|(name, ..)| fuzz.fault(0, format!("`{name}` differs from the root's: make it the same")))
        .collect()
}

/// What tests stand on, and the soak, which is one; no part of the server.
const TESTING: &str = "fanfare-testing";

/// Which of our crates a crate may use: the arrows of ARCHITECTURE.md. `server` may use all.
fn arrows_of(name: &str) -> &'static [&'static str] {
    match name {
        "protocol" | "outgoing" | "spans" | "xtask" | "loadgen" => &[],
        "soak" => &["testing"],
        "hub" => &["protocol"],
        "apps" => &["protocol", "outgoing"],
        "webhooks" => &["protocol", "outgoing", "spans"],
        "redis" => &["outgoing"],
        "bus" => &["protocol", "outgoing", "redis"],
        "laravel" => &["protocol", "outgoing", "redis"],
        "config" => &["protocol", "outgoing", "apps", "laravel", "redis", "webhooks"],
        "node" => &["protocol", "outgoing", "hub", "apps", "webhooks", "bus", "config", "spans"],
        "doctor" => &["protocol", "outgoing", "laravel", "redis", "bus", "config"],
        _ => &[],
    }
}

fn may_use(name: &str, other: &str) -> bool {
    let other = other.strip_prefix("fanfare-").unwrap_or(other);
    name == "server" || arrows_of(name).contains(&other)
}

/// Those that know neither a clock nor a socket.
fn is_pure(name: &str) -> bool {
    matches!(name, "protocol" | "hub")
}

fn faults_of(file: &TextFile) -> Vec<Fault> {
    let name = file.path.split('/').nth(1).unwrap_or_default();
    let manifest: toml::Table = file.text.parse().expect("cargo reads this manifest too");
    let mut faults = Vec::new();
    for dependency in dependencies_of(&manifest) {
        let line = file.text.lines().position(|line| line.starts_with(dependency)).unwrap_or(0);
        if dependency == TESTING && name != "soak" {
            faults.push(
                file.fault(line, format!("`{TESTING}` is for tests: use it in `[dev-dependencies]` alone")),
            );
        } else if dependency.starts_with("fanfare-") && !may_use(name, dependency) {
            let what = format!(
                "`{name}` must not depend on `{dependency}`: the arrows are in ARCHITECTURE.md; let `server` bring the two together"
            );
            faults.push(file.fault(line, what));
        }
        if is_pure(name) && dependency.starts_with("tokio") {
            faults
                .push(file.fault(line, format!("`{name}` is free of tokio: let its caller do the waiting")));
        }
    }
    let keeps_lints = manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
    if keeps_lints != Some(true) {
        faults.push(file.fault(0, "keep the lints of the workspace: add `[lints]` with `workspace = true`"));
    }
    faults
}

/// All but those for tests, where every crate may use whatever helps.
fn dependencies_of(manifest: &toml::Table) -> Vec<&str> {
    let for_targets = manifest.get("target").and_then(|target| target.as_table());
    let tables = for_targets.into_iter().flat_map(|table| table.values()).filter_map(|one| one.as_table());
    std::iter::once(manifest)
        .chain(tables)
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .flatten()
        .filter_map(|dependencies| dependencies.as_table())
        .flat_map(|dependencies| dependencies.keys().map(String::as_str))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::sample;

    fn count(path: &str, dependencies: &str) -> usize {
        let text = format!("[lints]\nworkspace = true\n{dependencies}");
        faults_of(&sample(path, &text)).len()
    }

    #[test]
    fn an_arrow_upwards_or_sideways_is_found() {
        assert_eq!(count("crates/hub/Cargo.toml", "[dependencies]\nfanfare-apps.workspace = true"), 1);
        assert_eq!(count("crates/hub/Cargo.toml", "[dependencies]\nfanfare-protocol.workspace = true"), 0);
        assert_eq!(count("crates/protocol/Cargo.toml", "[dependencies]\nfanfare-hub = { path = \"x\" }"), 1);
        assert_eq!(count("crates/hub/Cargo.toml", "[dependencies]\nfanfare-outgoing.workspace = true"), 1);
        assert_eq!(
            count("crates/laravel/Cargo.toml", "[dependencies]\nfanfare-outgoing.workspace = true"),
            0
        );
        assert_eq!(count("crates/doctor/Cargo.toml", "[dependencies]\nfanfare-config.workspace = true"), 0);
        assert_eq!(count("crates/config/Cargo.toml", "[dependencies]\nfanfare-doctor.workspace = true"), 1);
        assert_eq!(count("crates/a-new-one/Cargo.toml", "[dependencies]\nfanfare-hub.workspace = true"), 1);
        assert_eq!(count("crates/server/Cargo.toml", "[dependencies]\nfanfare-hub.workspace = true"), 0);
        assert_eq!(
            count("crates/loadgen/Cargo.toml", "[dependencies]\nfanfare-protocol.workspace = true"),
            1
        );
    }

    #[test]
    fn what_tests_stand_on_is_found_outside_of_tests() {
        assert_eq!(count("crates/server/Cargo.toml", "[dependencies]\nfanfare-testing.workspace = true"), 1);
        assert_eq!(
            count("crates/apps/Cargo.toml", "[build-dependencies]\nfanfare-testing.workspace = true"),
            1
        );
        assert_eq!(
            count("crates/apps/Cargo.toml", "[dev-dependencies]\nfanfare-testing.workspace = true"),
            0
        );
        assert_eq!(count("crates/testing/Cargo.toml", "[dependencies]\nfanfare-apps.workspace = true"), 1);
    }

    #[test]
    fn tokio_is_found_in_what_must_be_pure_but_not_in_its_tests() {
        assert_eq!(count("crates/hub/Cargo.toml", "[target.'cfg(unix)'.dependencies]\ntokio = \"1\""), 1);
        assert_eq!(count("crates/protocol/Cargo.toml", "[dev-dependencies]\ntokio = \"1\""), 0);
        assert_eq!(count("crates/apps/Cargo.toml", "[dependencies]\ntokio.workspace = true"), 0);
    }

    #[test]
    fn a_lint_or_profile_that_differs_is_found() {
        let root = sample(
            "Cargo.toml",
            "[workspace.lints]\nrust = { unsafe_code = \"forbid\", a = \"warn\" }\nclippy.b = \"deny\"\n[profile.dev]\ndebug = 1",
        );
        let same = "lints.rust.a = \"warn\"\nlints.clippy.b = \"deny\"\nprofile.dev.debug = 1";
        let count = |text: &str| differences(&root, &sample("fuzz/Cargo.toml", text)).len();
        assert_eq!(count(same), 0);
        assert_eq!(count(&same.replace("deny", "warn")), 1);
        assert_eq!(count(&same.replace("debug = 1", "debug = 2")), 1);
        assert_eq!(count(""), 3);
    }

    #[test]
    fn a_crate_without_the_lints_is_found() {
        assert_eq!(faults_of(&sample("crates/apps/Cargo.toml", "[package]\nname = \"x\"")).len(), 1);
    }
}
