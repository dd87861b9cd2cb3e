//! One step of a run: a heading, a command or a preparation, the seconds it took, and how it ended.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Steps that ran so far.
#[derive(Default)]
pub struct Steps {
    ended: Vec<(String, Result<(), String>)>,
}

impl Steps {
    /// Runs `action` under a heading, and says how long it took and what went wrong.
    pub fn run(&mut self, name: &str, action: impl FnOnce() -> Result<(), String>) -> bool {
        println!("\n=== {name}");
        let start = Instant::now();
        let ended = action();
        let seconds = start.elapsed().as_secs_f64();
        match &ended {
            Ok(()) => println!("=== {name}: passed in {seconds:.1} s"),
            Err(why) => println!("=== {name}: FAILED in {seconds:.1} s: {why}"),
        }
        let passed = ended.is_ok();
        self.ended.push((name.to_owned(), ended));
        passed
    }

    /// Prints the failures again and the counts; true if there was no failure.
    pub fn summarize(&self) -> bool {
        let failures: Vec<_> =
            self.ended.iter().filter_map(|(name, end)| Some((name, end.as_ref().err()?))).collect();
        println!();
        for (name, why) in &failures {
            println!("FAILED: {name}: {why}");
        }
        println!("{} passed, {} failed", self.ended.len() - failures.len(), failures.len());
        failures.is_empty()
    }
}

/// Runs a command to its end: output goes where ours goes, input is empty.
pub fn execute(command: &mut Command) -> Result<(), String> {
    let shown = shown(command);
    println!("$ {shown}");
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(error) => Err(format!("`{shown}` could not be started: {error}")),
    }
}

/// What a command prints, if it succeeds.
pub fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A command that runs in a directory of the repository.
pub fn command(program: &str, arguments: &[&str], directory: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    command
}

fn shown(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    words.join(" ")
}
