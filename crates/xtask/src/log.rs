//! Where the output of what is run goes: to the terminal, or to a file of which failures show a part.
//!
//! Never judges what is in it.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines of a failure that are printed; the others are in the file.
const MOST_LINES: usize = 200;

/// Lines from the end of a log in which no test says that it failed.
const LAST_LINES: usize = 60;

/// Takes what commands print.
pub enum Log {
    /// As it comes.
    Terminal,
    /// All of it, in order.
    File(PathBuf, File),
}

impl Log {
    /// An empty file at `path`.
    ///
    /// # Errors
    /// In words: why it cannot be written.
    pub fn create(path: PathBuf) -> Result<Self, String> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, ""))
            .and_then(|()| File::options().append(true).open(&path))
            .map_err(|error| format!("{}: {error}", path.display()))
            .map(|file| Self::File(path, file))
    }

    /// Adds a line.
    pub fn say(&self, line: impl Display) {
        match self {
            Self::Terminal => println!("{line}"),
            // A full disk fails the commands that are run, which say so.
            Self::File(_, file) => drop(writeln!(&*file, "{line}")),
        }
    }

    /// Runs a command to its end: its output is added, its input is empty.
    ///
    /// # Errors
    /// In words: that it did not start, or how it ended.
    pub fn execute(&self, command: &mut Command) -> Result<(), String> {
        let shown = shown(command);
        self.say(format_args!("$ {shown}"));
        if let Self::File(path, file) = self {
            let another = || file.try_clone().map_err(|error| format!("{}: {error}", path.display()));
            command.stdout(another()?).stderr(another()?);
        }
        match command.stdin(Stdio::null()).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{shown}` ended with {status}")),
            Err(error) => Err(format!("`{shown}` could not be started: {error}")),
        }
    }

    /// How much is in the file.
    pub fn length(&self) -> u64 {
        match self {
            Self::Terminal => 0,
            Self::File(_, file) => file.metadata().map_or(0, |about| about.len()),
        }
    }

    /// What shows a failure, of all that was added since the file was as long as `start`.
    pub fn failure_since(&self, start: u64) -> String {
        let Self::File(path, _) = self else { return String::new() };
        let bytes = fs::read(path).unwrap_or_default();
        let start = usize::try_from(start).unwrap_or_default().min(bytes.len());
        failure_in(&String::from_utf8_lossy(&bytes[start..]))
    }
}

fn shown(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    words.join(" ")
}

/// What the failing tests of Rust said, wherever they are in the text, or else the end of it.
fn failure_in(text: &str) -> String {
    let mut within = false;
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            within |= *line == "failures:";
            let keep = within;
            within &= !line.starts_with("test result: ");
            keep
        })
        .collect();
    if lines.is_empty() {
        lines = text.lines().collect();
        lines.drain(..lines.len().saturating_sub(LAST_LINES));
    }
    if lines.len() > MOST_LINES {
        let left_out = format!("({} more lines are in the log)", lines.len() - MOST_LINES);
        return format!("{}\n{left_out}", lines[..MOST_LINES].join("\n"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failing_tests_said_is_found_before_the_end() {
        let text = "test a ... FAILED\nfailures:\n---- a stdout ----\nboom\ntest result: FAILED. 0 passed\n\
                    running 1 test\ntest b ... ok\ntest result: ok. 1 passed\n";
        assert_eq!(failure_in(text), "failures:\n---- a stdout ----\nboom\ntest result: FAILED. 0 passed");
    }

    #[test]
    fn without_failing_tests_the_end_is_shown() {
        let text: String = (1..=100).map(|number| format!("line {number}\n")).collect();
        let shown = failure_in(&text);
        assert!(shown.starts_with("line 41\n") && shown.ends_with("line 100"), "{shown}");
    }

    #[test]
    fn a_long_failure_is_cut_and_says_so() {
        let text = format!("failures:\n{}", "x\n".repeat(300));
        let shown = failure_in(&text);
        assert_eq!(shown.lines().count(), MOST_LINES + 1);
        assert!(shown.ends_with("(101 more lines are in the log)"), "{shown}");
    }

    #[test]
    fn output_and_errors_of_a_command_are_in_the_file_and_its_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path().join("a/b.log")).unwrap();
        log.say("before");
        let start = log.length();
        let ended = log.execute(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]));
        assert!(ended.unwrap_err().ends_with("exit status: 3"));
        assert!(log.failure_since(start).ends_with("\nout\nerr"), "{}", log.failure_since(start));
        assert!(!log.failure_since(start).contains("before"));
    }
}
