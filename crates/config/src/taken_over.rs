//! What the start says of a file of another program, whose values are taken over.
//!
//! Repeats lines that are free of secrets already.

use std::path::Path;

/// The text about the file, and a line for each value that is taken from the file.
pub(super) fn taken_over(file: &Path, taken: &[String]) -> String {
    let mut text = format!("\n# From {} (what is said to Fanfare itself goes before it)\n", file.display());
    for line in taken {
        text.push_str(line);
        text.push('\n');
    }
    text
}
