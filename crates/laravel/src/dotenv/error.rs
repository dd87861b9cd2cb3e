//! Faults of a `.env`. No error repeats a value.

/// The largest file that is read, in bytes; real files have some thousand.
pub const MOST_BYTES: usize = 262_144;

/// Why a file cannot be read as a `.env`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct DotEnvError {
    /// The line, from 1; 0 means the file as a whole.
    pub line: usize,
    /// The line's fault.
    pub what: DotEnvFault,
}

/// The fault of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say what they are")]
pub enum DotEnvFault {
    #[error("larger than {MOST_BYTES} bytes; is it a .env at all?")]
    TooLarge,
    #[error("nothing stands in front of =; write NAME=value")]
    NoName,
    #[error("the name may have letters, digits, _ and . alone")]
    Name,
    #[error(
        "a quote that is not closed; put one at the value's end, or the value in quotes of the other kind"
    )]
    Unclosed,
    #[error("an escape that .env files do not know; write \\\\ for a backslash")]
    Escape,
    #[error("a value with spaces needs quotes around it")]
    Space,
}
