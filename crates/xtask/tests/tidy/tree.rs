//! The text files of the repository, and faults found in them.

use std::fmt;
use std::fs;
use std::path::Path;

/// What is built, installed or found by a fuzzer, not written; `.git` is a file where the repository has
/// several work trees.
const NOT_OURS: [&str; 7] =
    [".git", "target", "node_modules", "fanfare-data", "__pycache__", "corpus", "artifacts"];

/// A file that somebody wrote.
pub struct TextFile {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// What is wrong, where, and what to do.
pub struct Fault {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl TextFile {
    /// A fault in the line with this index (from 0).
    pub fn fault(&self, index: usize, what: impl Into<String>) -> Fault {
        Fault { path: self.path.clone(), line: index + 1, what: what.into() }
    }

    /// A fault for every line about which `judge` has something to say.
    pub fn faults_by_line(&self, mut judge: impl FnMut(&str) -> Option<String>) -> Vec<Fault> {
        let lines = self.text.lines().enumerate();
        lines.filter_map(|(index, line)| Some(self.fault(index, judge(line)?))).collect()
    }
}

/// Every file below the root that is UTF-8.
pub fn text_files() -> Vec<TextFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    collect(&root, "", &mut files);
    files
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<TextFile>) {
    let entries = fs::read_dir(folder).expect("a folder of the repository can be read");
    for entry in entries {
        let entry = entry.expect("a folder of the repository can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        let kind = entry.file_type().expect("an entry has a type");
        if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push(TextFile { path, text });
        }
    }
}

/// A file for showing that a rule finds something.
pub fn sample(path: &str, text: &str) -> TextFile {
    TextFile { path: path.to_owned(), text: text.to_owned() }
}
