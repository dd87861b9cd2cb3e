//! The findings, for people and for programs.

use std::fmt::Write as _;

use serde_json::json as value;

use super::hop::{Complaint, Hop, Outcome};

/// Lines with a tick, a cross, a dash for a skipped hop, or a dot; the remedy is indented below.
#[must_use]
pub fn text(hops: &[Hop]) -> String {
    let width = hops.iter().map(|hop| hop.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Hop { name, outcome } in hops {
        let (mark, what, mend) = parts(outcome);
        let _ = writeln!(text, "{mark} {name:width$}  {what}");
        for line in mend.lines() {
            let _ = writeln!(text, "  {:width$}  {line}", "");
        }
    }
    let failed = hops.iter().filter(|hop| matches!(hop.outcome, Outcome::Failed(_))).count();
    let is_skipped =
        |name: &str| hops.iter().any(|hop| hop.name == name && matches!(hop.outcome, Outcome::Skipped(_)));
    let _ = match failed {
        // A server was examined, but not the path of an event.
        0 if is_skipped("publish and receive") => {
            writeln!(
                text,
                "\nNothing is amiss in what was examined, but no event was sent: see the skipped lines."
            )
        }
        0 => writeln!(text, "\nNothing is amiss."),
        1 => writeln!(text, "\n1 thing is amiss: begin there."),
        many => writeln!(text, "\n{many} things are amiss: begin with the first."),
    };
    text
}

/// A list with one object a hop: `hop`, `outcome` (`passed`, `noted`, `failed`, `skipped`), `what`, and
/// `mend` for a failed hop.
#[must_use]
pub fn json(hops: &[Hop]) -> String {
    let list = serde_json::Value::Array(hops.iter().map(object).collect());
    format!("{list:#}\n")
}

/// One object of [`json`] on a line of its own.
#[must_use]
pub fn line(hop: &Hop) -> String {
    format!("{}\n", object(hop))
}

fn object(Hop { name, outcome }: &Hop) -> serde_json::Value {
    let (_, what, mend) = parts(outcome);
    let word = match outcome {
        Outcome::Passed(_) => "passed",
        Outcome::Noted(_) => "noted",
        Outcome::Failed(_) => "failed",
        Outcome::Skipped(_) => "skipped",
    };
    let mut object = value!({ "hop": name, "outcome": word, "what": what });
    if !mend.is_empty() {
        object["mend"] = mend.into();
    }
    object
}

fn parts(outcome: &Outcome) -> (char, &str, &str) {
    match outcome {
        Outcome::Passed(what) => ('✓', what, ""),
        Outcome::Noted(what) => ('·', what, ""),
        Outcome::Failed(Complaint { what, mend }) => ('✗', what, mend),
        Outcome::Skipped(why) => ('–', why, ""),
    }
}
