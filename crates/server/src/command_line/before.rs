//! Options that stand before a command, as in `fanfare --config fanfare.toml app list`: they count as if they stood behind.
//!
//! What a command cannot be told stays an error: nothing is left out silently.

use std::path::PathBuf;

use super::laravel::LaravelAction;
use super::options::{DataPlace, Lines, Migrate, Serve, ServerPlace};
use super::{Command, CommandLine};

/// Options that mean nothing to the command behind them.
#[derive(Debug, thiserror::Error)]
#[error("{} before {command}: an option of `fanfare serve`, which means nothing to {command}", .options.join(" and "))]
pub struct Misplaced {
    options: Vec<&'static str>,
    command: &'static str,
}

impl CommandLine {
    /// The command, with the options that stand before it; `serve` if there is none.
    ///
    /// # Errors
    /// An option means nothing to the command.
    pub fn into_command(self) -> Result<Command, Misplaced> {
        let mut before = self.serve;
        let mut command = self.command.unwrap_or_else(|| Command::Serve(Serve::default()));
        let name = match &mut command {
            Command::Serve(serve) => {
                serve.take(std::mem::take(&mut before));
                "serve"
            }
            Command::Env(lines) => lines.take("env", &mut before),
            Command::Laravel(laravel) => match &mut laravel.action {
                LaravelAction::Env(asked) => asked.lines.take("laravel env", &mut before),
            },
            Command::Migrate(migrate) => migrate.take(&mut before),
            Command::App(app) => app.place.take("app", &mut before),
            Command::Token(token) => token.place.take("token", &mut before),
            Command::Console(console) => console.place.take("console", &mut before),
            Command::Audit(audit) => audit.place.take("audit", &mut before),
            Command::Live(live) => live.place.take("live", &mut before),
            Command::Reload(reload) => reload.place.take("reload", &mut before),
            Command::Doctor(doctor) => {
                fill(&mut doctor.config, &mut before.config);
                fill(&mut doctor.laravel, &mut before.laravel);
                fill(&mut doctor.laravel_echo_server, &mut before.laravel_echo_server);
                fill(&mut doctor.listen, &mut before.listen);
                fill(&mut doctor.data_dir, &mut before.data_dir);
                "doctor"
            }
            Command::Send(send) => send.place.take("send", &mut before),
            Command::Webhook(webhook) => webhook.action.place_mut().take("webhook", &mut before),
            Command::Channels(asked) => asked.place.take("channels", &mut before),
            Command::Connections(asked) => asked.place_mut().take("connections", &mut before),
            Command::Users(asked) => asked.place_mut().take("users", &mut before),
            Command::Health(health) => {
                fill(&mut health.config, &mut before.config);
                fill(&mut health.laravel, &mut before.laravel);
                fill(&mut health.laravel_echo_server, &mut before.laravel_echo_server);
                fill(&mut health.listen, &mut before.listen);
                fill(&mut health.admin_listen, &mut before.admin_listen);
                "health"
            }
            Command::Cluster(cluster) => {
                fill(&mut cluster.config, &mut before.config);
                "cluster"
            }
            Command::Completions(_) => "completions",
            Command::Man(_) => "man",
            Command::Bench(_) => "bench",
            Command::Version => "version",
        };
        let options = before.given();
        if options.is_empty() { Ok(command) } else { Err(Misplaced { options, command: name }) }
    }
}

/// What stands behind the command goes before what stands in front.
fn fill<T>(behind: &mut Option<T>, before: &mut Option<T>) {
    let before = before.take();
    *behind = behind.take().or(before);
}

impl Serve {
    fn take(&mut self, mut before: Self) {
        fill(&mut self.config, &mut before.config);
        fill(&mut self.laravel, &mut before.laravel);
        fill(&mut self.laravel_echo_server, &mut before.laravel_echo_server);
        fill(&mut self.listen, &mut before.listen);
        fill(&mut self.tls_listen, &mut before.tls_listen);
        fill(&mut self.admin_listen, &mut before.admin_listen);
        fill(&mut self.data_dir, &mut before.data_dir);
        self.check |= before.check;
        self.print |= before.print;
    }

    /// The options that are set.
    fn given(&self) -> Vec<&'static str> {
        let path = |name, path: &Option<PathBuf>| path.is_some().then_some(name);
        let text = |name, text: &Option<String>| text.is_some().then_some(name);
        [
            path("--config", &self.config),
            path("--laravel", &self.laravel),
            path("--laravel-echo-server", &self.laravel_echo_server),
            text("--listen", &self.listen),
            text("--tls-listen", &self.tls_listen),
            text("--admin-listen", &self.admin_listen),
            path("--data-dir", &self.data_dir),
            self.check.then_some("--check"),
            self.print.then_some("--print"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Lines {
    fn take(&mut self, name: &'static str, before: &mut Serve) -> &'static str {
        fill(&mut self.config, &mut before.config);
        fill(&mut self.laravel, &mut before.laravel);
        fill(&mut self.laravel_echo_server, &mut before.laravel_echo_server);
        fill(&mut self.listen, &mut before.listen);
        fill(&mut self.tls_listen, &mut before.tls_listen);
        fill(&mut self.data_dir, &mut before.data_dir);
        name
    }
}

impl Migrate {
    fn take(&mut self, before: &mut Serve) -> &'static str {
        fill(&mut self.config, &mut before.config);
        fill(&mut self.laravel, &mut before.laravel);
        fill(&mut self.data_dir, &mut before.data_dir);
        "migrate"
    }
}

impl ServerPlace {
    fn take(&mut self, name: &'static str, before: &mut Serve) -> &'static str {
        fill(&mut self.config, &mut before.config);
        fill(&mut self.laravel, &mut before.laravel);
        fill(&mut self.laravel_echo_server, &mut before.laravel_echo_server);
        fill(&mut self.listen, &mut before.listen);
        fill(&mut self.data_dir, &mut before.data_dir);
        name
    }
}

impl DataPlace {
    fn take(&mut self, name: &'static str, before: &mut Serve) -> &'static str {
        fill(&mut self.config, &mut before.config);
        fill(&mut self.data_dir, &mut before.data_dir);
        name
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn command(arguments: &str) -> Result<Command, Misplaced> {
        let line = CommandLine::try_parse_from(arguments.split(' '));
        line.unwrap_or_else(|error| panic!("{arguments}: {error}")).into_command()
    }

    #[test]
    fn options_before_a_command_count_as_if_they_stood_behind() {
        let Ok(Command::Serve(serve)) = command("fanfare --config a --listen 1 serve --listen 2 --check")
        else {
            panic!("serve")
        };
        assert_eq!((serve.config, serve.listen, serve.check), (Some("a".into()), Some("2".to_owned()), true));
        let Ok(Command::App(app)) = command("fanfare --config a --data-dir d app list") else {
            panic!("app")
        };
        assert_eq!((app.place.config, app.place.data_dir), (Some("a".into()), Some("d".into())));
        let Ok(Command::Doctor(doctor)) = command("fanfare --config a doctor") else { panic!("doctor") };
        assert_eq!(doctor.config, Some("a".into()));
        assert!(matches!(command("fanfare --print"), Ok(Command::Serve(serve)) if serve.print));
    }

    #[test]
    fn an_option_that_means_nothing_to_the_command_is_refused() {
        for (arguments, named) in [
            ("fanfare --listen 1 app list", "--listen before app: "),
            ("fanfare --check --print migrate", "--check and --print before migrate: "),
            ("fanfare --admin-listen 1 doctor", "--admin-listen before doctor: "),
        ] {
            let refused = command(arguments).expect_err("refused").to_string();
            assert!(refused.starts_with(named), "{arguments}: {refused}");
        }
    }
}
