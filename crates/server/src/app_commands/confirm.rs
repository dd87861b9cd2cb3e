//! Asking whether something that cannot be taken back is meant.
//!
//! Asks a person at a terminal; a program has to say yes with the command.

use std::io::{self, Write as _};

/// Whether the answer to `question` is yes; `yes` is the answer that came with the command.
pub(super) fn ask(question: &str, yes: bool) -> bool {
    if yes {
        return true;
    }
    if !rustix::termios::isatty(io::stdin()) {
        return false;
    }
    let _ = write!(io::stderr(), "{question}\nType yes to go on: ");
    let mut answer = String::new();
    // An answer that cannot be read is no yes.
    let _ = io::stdin().read_line(&mut answer);
    answer.trim().eq_ignore_ascii_case("yes")
}
