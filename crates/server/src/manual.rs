//! What is made of the definition of the command line: the man pages, and what completes words in a shell.
//!
//! Never describes a command in words of its own.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::command_line::{CommandLine, EXIT_IO};
use crate::printed::complain;

/// The name of the program, as users type the name.
const PROGRAM: &str = "fanfare";

/// A script for `shell` that completes commands and options.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), PROGRAM, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes a man page for the program and for each command, such as `fanfare-app-create.1`.
///
/// # Errors
/// The exit status, if the folder cannot be made or a page cannot be written.
pub fn write_pages(folder: &Path) -> Result<(), ExitCode> {
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(CommandLine::command(), folder));
    written.map_err(|error| {
        complain(&format!("{}: {error}", folder.display()));
        ExitCode::from(EXIT_IO)
    })
}
