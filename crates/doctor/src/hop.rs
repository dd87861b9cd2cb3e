//! One hop of a message's path, and the finding there.

/// A hop, checked or skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The hop's name.
    pub name: String,
    /// The finding.
    pub outcome: Outcome,
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No fault; the text gives details.
    Passed(String),
    /// Neither good nor bad by itself.
    Noted(String),
    /// A fault.
    Failed(Complaint),
    /// Not checked; the text gives the reason.
    Skipped(String),
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The observation.
    pub what: String,
    /// The remedy.
    pub mend: String,
}

/// The details of a pass, or the fault.
pub(super) type Finding = Result<String, Complaint>;

/// A text of another program in its repeatable form: without control characters, and truncated if long.
pub(super) fn repeated(text: &str, most: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(most).collect()
}

/// A complaint with its remedy.
pub(super) fn complain<T>(what: impl Into<String>, mend: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint { what: what.into(), mend: mend.into() })
}
