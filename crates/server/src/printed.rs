//! What commands print: answers on standard output, complaints on standard error.
//!
//! Knows no command. A reader that has gone, such as `head`, is no fault; any other answer that cannot be written is one.

use std::io::{self, ErrorKind, Write as _, stderr, stdout};
use std::process::ExitCode;

use crate::app_commands::Done;
use crate::command_line::EXIT_IO;

/// Prints what was done, and the database that was written to.
///
/// # Errors
/// The exit status, if the answer cannot be written.
pub fn tell(Done { text, written }: &Done) -> Result<(), ExitCode> {
    let said = say(text);
    if let Some(database) = written {
        complain(&format!("written to {database}"));
    }
    said
}

/// Prints an answer.
///
/// # Errors
/// The exit status, if the answer cannot be written.
pub fn say(text: &str) -> Result<(), ExitCode> {
    match print(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("standard output cannot be written: {error}"));
            Err(ExitCode::from(EXIT_IO))
        }
        _ => Ok(()),
    }
}

/// Prints a text, to the end.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// One complaint for each line.
pub fn complain_of_each(lines: &str) {
    for line in lines.lines() {
        complain(line);
    }
}

/// A line on standard error, where nothing can be done about a fault.
pub fn complain(text: &str) {
    let _ = writeln!(stderr(), "fanfare: {text}");
}
