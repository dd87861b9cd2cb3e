//! The steps of a run: a name when one begins; how it ended, and the seconds it took, behind the name.
//!
//! What a step says goes to a file; the part of it that shows a failure is printed.

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::log::Log;
use crate::workspace::target;

/// How a step ended.
enum End {
    Passed,
    Failed(String),
    Skipped,
}

/// Steps that ran so far.
pub struct Steps {
    start: Instant,
    log: Log,
    ended: Vec<(String, End)>,
}

impl Steps {
    /// No steps yet; the output of all will be in `target/xtask/NAME.log`.
    ///
    /// # Errors
    /// In words: why that file cannot be written.
    pub fn begin(name: &str) -> Result<Self, String> {
        let path = target().join("xtask").join(name).with_extension("log");
        println!("All output goes to {}", path.display());
        Ok(Self { start: Instant::now(), log: Log::create(path)?, ended: Vec::new() })
    }

    /// Runs `action`; true if it went well.
    pub fn run(&mut self, name: &str, action: impl FnOnce(&Log) -> Result<(), String>) -> bool {
        print!("{name:<52} ");
        // A terminal that went away is noticed by the next line.
        let _ = io::stdout().flush();
        self.log.say(format_args!("\n=== {name}"));
        let before = self.log.length();
        let start = Instant::now();
        let ended = action(&self.log);
        let seconds = start.elapsed().as_secs_f64();
        let passed = ended.is_ok();
        let end = match ended {
            Ok(()) => {
                println!("ok     {seconds:7.1} s");
                End::Passed
            }
            Err(why) => {
                println!("FAILED {seconds:7.1} s");
                println!("{}\n{why}\n", self.log.failure_since(before));
                End::Failed(why)
            }
        };
        self.ended.push((name.to_owned(), end));
        passed
    }

    /// Says that a step is not run, and why; the run as a whole then fails.
    pub fn skip(&mut self, name: &str, why: &str) {
        println!("{name:<52} skipped: {why}");
        self.ended.push((name.to_owned(), End::Skipped));
    }

    /// Says what this machine cannot do, and why; the run as a whole does not fail for that.
    pub fn leave_out(&self, name: &str, why: &str) {
        println!("{name:<52} left out: {why}");
        self.log.say(format_args!("\n=== {name}: left out: {why}"));
    }

    /// Says something about the step before.
    pub fn note(&self, line: &str) {
        println!("  {line}");
        self.log.say(line);
    }

    /// Prints the failures again, the time and the counts; true if each step ran and passed.
    pub fn summarize(&self) -> bool {
        println!();
        for (name, end) in &self.ended {
            match end {
                End::Passed => {}
                End::Failed(why) => println!("FAILED: {name}: {why}"),
                End::Skipped => println!("skipped: {name}"),
            }
        }
        let count = |is: fn(&End) -> bool| self.ended.iter().filter(|(_, end)| is(end)).count();
        let failed = count(|end| matches!(end, End::Failed(_)));
        let skipped = count(|end| matches!(end, End::Skipped));
        if let Log::File(path, _) = &self.log {
            println!("{:.0} s, all output in {}", self.start.elapsed().as_secs_f64(), path.display());
        }
        println!("{} passed, {failed} failed, {skipped} skipped", count(|end| matches!(end, End::Passed)));
        failed + skipped == 0
    }
}

/// What a command prints, if it succeeds.
pub fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).env("PATH", programs()).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A command that runs in a directory of the repository.
pub fn command(program: &str, arguments: &[&str], directory: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env("PATH", programs());
    command
}

/// Has a command find the programs of `folder` first.
pub fn prefer(command: &mut Command, folder: &Path) {
    command.env("PATH", format!("{}:{}", folder.display(), programs()));
}

/// Where programs are: Debian has nginx and apache2 in folders that are in the path of root alone.
fn programs() -> String {
    format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default())
}
