//! One hop of the way, and what was found there.

/// A hop that was looked at, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// What it is called.
    pub name: String,
    /// What was found.
    pub outcome: Outcome,
}

/// What was found at a hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well; in what way.
    Passed(String),
    /// Neither good nor bad by itself.
    Noted(String),
    /// Something is amiss.
    Failed(Complaint),
    /// It was not looked at; why.
    Skipped(String),
}

/// What is amiss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What was seen.
    pub what: String,
    /// What to do.
    pub mend: String,
}

/// What is well, or what is amiss.
pub(super) type Finding = Result<String, Complaint>;

/// What somebody else has said, as it may be repeated: without control characters, and not all of it if that is long.
pub(super) fn repeated(text: &str, most: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(most).collect()
}

/// A complaint with what to do.
pub(super) fn complain<T>(what: impl Into<String>, mend: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint { what: what.into(), mend: mend.into() })
}
