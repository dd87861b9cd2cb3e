//! The options of `fanfare completions` and `fanfare man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

const ABOUT: &str = "Print what completes this command line in a shell

Packages install the same files. Needs no configuration and no server.";

const MORE: &str = "Examples:
  fanfare completions bash > ~/.local/share/bash-completion/completions/fanfare
  fanfare completions fish > ~/.config/fish/completions/fanfare.fish
  fanfare completions zsh > ~/.zfunc/_fanfare      a folder that is in $fpath";

/// For which shell.
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = MORE)]
pub struct CompletionsCommand {
    /// The shell
    pub shell: Shell,
}

/// Where the man pages go.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  fanfare man ~/.local/share/man/man1              then: man fanfare, man fanfare-serve")]
pub struct ManCommand {
    /// The folder, which is made if there is none; pages of the same names are replaced
    pub folder: PathBuf,
}
