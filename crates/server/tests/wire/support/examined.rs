//! `fanfare doctor`, run and parsed: each hop with its findings.

use std::path::Path;

use serde_json::Value;

use super::setup::{Ended, binary, run};

/// The doctor's findings.
pub struct Examined {
    pub status: i32,
    hops: Vec<Value>,
}

/// Runs the doctor with text output.
#[track_caller]
pub fn doctor(arguments: &[&str]) -> Ended {
    doctor_in(&[], arguments)
}

/// As [`doctor`], with variables of the environment.
#[track_caller]
fn doctor_in(environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let variables = environment.iter().copied();
    run(binary(folder.path()).arg("doctor").args(arguments).envs(variables))
}

/// Runs the doctor with JSON output.
#[track_caller]
pub fn examine(arguments: &[&str]) -> Examined {
    examine_in(&[], arguments)
}

/// As [`examine`], with variables of the environment.
#[track_caller]
pub fn examine_in(environment: &[(&str, &str)], arguments: &[&str]) -> Examined {
    let ended = doctor_in(environment, &[arguments, &["--json"]].concat());
    let hops = serde_json::from_str(&ended.stdout);
    let hops = hops.unwrap_or_else(|_| panic!("no JSON: {:?}\n{}", ended.stdout, ended.stderr));
    Examined { status: ended.status, hops }
}

/// As [`examine_in`], where a server keeps its data.
#[track_caller]
pub fn examine_at_home(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Examined {
    let variables = environment.iter().copied();
    let ended = run(binary(folder).arg("doctor").args(arguments).arg("--json").envs(variables));
    let hops = serde_json::from_str(&ended.stdout);
    let hops = hops.unwrap_or_else(|_| panic!("no JSON: {:?}\n{}", ended.stdout, ended.stderr));
    Examined { status: ended.status, hops }
}

impl Examined {
    /// A hop has this verdict, and its finding and advice mention all of this.
    #[track_caller]
    pub fn expect(&self, hop: &str, outcome: &str, mentions: &[&str]) -> &Self {
        let found = self.hops.iter().find(|found| found["hop"] == hop);
        let found = found.unwrap_or_else(|| panic!("no hop {hop} in {:#?}", self.hops));
        assert_eq!(found["outcome"], outcome, "{found:#}");
        let text = format!(
            "{} {}",
            found["what"].as_str().unwrap_or_default(),
            found["mend"].as_str().unwrap_or_default()
        );
        for mention in mentions {
            assert!(text.contains(mention), "{hop} does not mention {mention:?}: {text}");
        }
        assert_eq!(
            outcome == "failed",
            found["mend"].is_string(),
            "what failed, and that alone, can be mended"
        );
        self
    }

    /// The doctor has findings, and the exit status says so.
    #[track_caller]
    pub fn expect_failed(&self, hop: &str, mentions: &[&str]) -> &Self {
        assert_eq!(self.status, 1, "{:#?}", self.hops);
        self.expect(hop, "failed", mentions)
    }

    /// Nothing is said of this hop.
    #[track_caller]
    pub fn expect_no_hop(&self, hop: &str) {
        assert!(self.hops.iter().all(|found| found["hop"] != hop), "{:#?}", self.hops);
    }

    /// Whether any finding mentions this.
    pub fn mentions(&self, text: &str) -> bool {
        self.hops.iter().any(|hop| hop.to_string().contains(text))
    }

    /// Every examined hop is well.
    #[track_caller]
    pub fn expect_well(&self, hops: &[&str]) -> &Self {
        assert_eq!(self.status, 0, "{:#?}", self.hops);
        for hop in hops {
            self.expect(hop, "passed", &[]);
        }
        self
    }
}
