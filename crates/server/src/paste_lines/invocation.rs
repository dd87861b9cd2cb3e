//! The program's own command line, so that a printed command uses the same program, apps and server.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use fanfare_config::Sources;

/// A program and the options that identify the server.
#[derive(Clone, Debug)]
pub struct Invocation {
    program: String,
    options: Vec<(&'static str, String)>,
}

impl Invocation {
    /// The program's name as called, and the source of its settings.
    #[must_use]
    pub fn of(program: Option<OsString>, sources: &Sources) -> Self {
        let program = program.and_then(|name| name.into_string().ok()).filter(|name| !name.is_empty());
        let Sources { file, laravel, laravel_echo_server, flags, .. } = sources;
        let shown = |path: &Option<PathBuf>| path.as_deref().map(|path| path.display().to_string());
        // A port that the system chooses is unknown until the server listens.
        let listen = flags.listen.as_ref().map(ToString::to_string).filter(|listen| !listen.ends_with(":0"));
        Self { program: program.unwrap_or_else(|| "fanfare".to_owned()), options: Vec::new() }
            .with("--config", shown(file))
            .with("--laravel", shown(laravel))
            .with("--laravel-echo-server", shown(laravel_echo_server))
            .with("--data-dir", shown(&flags.data_dir))
            .with("--listen", listen)
            .with("--admin-listen", flags.admin_listen.as_ref().map(ToString::to_string))
    }

    /// Adds an option, if the option was given.
    #[must_use]
    pub fn with(mut self, option: &'static str, value: Option<String>) -> Self {
        self.options.extend(value.map(|value| (option, value)));
        self
    }

    /// Whether the option was given.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|(own, _)| *own == option)
    }

    /// A command with those of the options that the command has, quoted for a shell.
    #[must_use]
    pub fn command(&self, name: &str, takes: &[&str]) -> String {
        let mut command = format!("{} {name}", quoted(&self.program));
        for (option, value) in self.options.iter().filter(|(option, _)| takes.contains(option)) {
            // Writing to a String cannot fail.
            let _ = write!(command, " {option} {}", quoted(value));
        }
        command
    }
}

/// A word, quoted for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&b);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_the_options_that_it_takes_quoted_for_a_shell() {
        let mut sources = Sources { file: Some("my file's.toml".into()), ..Sources::default() };
        sources.flags.listen = Some("[::1]:7001".parse().expect("an address"));
        let invocation = Invocation::of(Some("target/release/fanfare".into()), &sources);
        let takes = ["--config", "--laravel", "--listen"];
        assert_eq!(
            invocation.command("send", &takes),
            r"target/release/fanfare send --config 'my file'\''s.toml' --listen '[::1]:7001'"
        );
        assert_eq!(invocation.command("doctor", &[]), "target/release/fanfare doctor");
        sources.flags.listen = Some("[::1]:0".parse().expect("an address"));
        assert!(!Invocation::of(None, &sources).command("send", &takes).contains("--listen"));
        assert_eq!(Invocation::of(None, &Sources::default()).command("env", &takes), "fanfare env");
    }
}
