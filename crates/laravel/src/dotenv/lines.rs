//! From a file to its entries: which lines belong together, and which are empty or comments.
//!
//! Only a value with an open double quote continues on the next line.

use super::error::{DotEnvError, DotEnvFault};

/// Each entry with the number of its first line.
pub(super) fn entries(text: &str) -> Result<Vec<(usize, String)>, DotEnvError> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in lines(text).enumerate() {
        if let Some((start, mut value)) = open.take() {
            value.push('\n');
            value.push_str(line);
            if closes(line, false) {
                found.push((start, value));
            } else {
                open = Some((start, value));
            }
        } else if is_comment(line) {
        } else if line.contains("=\"") && !closes(line, true) {
            open = Some((index + 1, line.to_owned()));
        } else {
            found.push((index + 1, line.to_owned()));
        }
    }
    match open {
        Some((line, _)) => Err(DotEnvError { line, what: DotEnvFault::Unclosed }),
        None => Ok(found),
    }
}

/// Lines end as on Unix, Windows or an old Macintosh.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// Whether a line closes a quote: a quote without a backslash before it, and not the first of
/// its entry.
fn closes(line: &str, opens_here: bool) -> bool {
    if line == "\"" {
        return true;
    }
    let line = line.replace("\\\\", "");
    let mut before = None;
    let quotes = line.chars().filter(|&character| {
        let counts = character == '"' && before.is_some_and(|before| before != '\\');
        before = Some(character);
        counts
    });
    quotes.count() > usize::from(opens_here)
}
