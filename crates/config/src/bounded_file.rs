//! Reading of files that settings name: never more than a bound, whatever a path leads to.
//!
//! Knows nothing of what a file means.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// Most bytes of a file: far more than the largest configuration or chain of certificates.
const MOST: u64 = 16 * 1024 * 1024;

/// The contents of a file.
///
/// # Errors
/// The system's, and [`ErrorKind::FileTooLarge`] for a file of more than 16 MiB, or one without an end such as `/dev/zero`.
pub fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > MOST {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "the file has more than 16 MiB"));
    }
    Ok(contents)
}

/// The contents of a file as text.
///
/// # Errors
/// As [`bytes`], and [`ErrorKind::InvalidData`] for what is not UTF-8.
pub fn text(path: &Path) -> io::Result<String> {
    String::from_utf8(bytes(path)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "the file is not UTF-8 text"))
}
