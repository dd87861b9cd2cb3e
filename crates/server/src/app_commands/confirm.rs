//! Asking whether something that cannot be taken back is meant.
//!
//! Asks a person at a terminal; a program has to say yes with the command.

use std::io::{self, Write as _};

use super::CommandError;

/// Returns if somebody says yes, or has said so with the command.
///
/// # Errors
/// Nobody did.
pub(super) fn ask(question: &str, yes: bool) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    let refused = || CommandError::NotConfirmed(question.to_owned());
    if !rustix::termios::isatty(io::stdin()) {
        return Err(refused());
    }
    let _ = write!(io::stderr(), "{question}\nType yes to go on: ");
    let mut answer = String::new();
    // What cannot be read is no yes.
    let _ = io::stdin().read_line(&mut answer);
    if answer.trim().eq_ignore_ascii_case("yes") { Ok(()) } else { Err(refused()) }
}
