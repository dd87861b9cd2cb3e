//! `fanfare`: parses the command line, loads the configuration, runs the command.

use std::io::{IsTerminal as _, stdout};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use fanfare_apps::AppsError;
use fanfare_bus::NotObserved;
use fanfare_config::{Config, Fault, Flags, Sources};
use fanfare_doctor::{self as doctor, Doctor, Outcome, Plan};
use fanfare_server::app_commands::{self, CommandError, Done};
use fanfare_server::cluster_command::{self, ClusterReport};
use fanfare_server::command_line::{
    Cluster, Command, CommandLine, DataPlace, EXIT_AMISS, EXIT_CONFIG, EXIT_SOFTWARE, EXIT_UNAVAILABLE,
    Health, LaravelAction, LaravelCommand, LaravelEnv, Lines, Migrate, Serve, ServerPlace, VERSION,
    WebhookAction, WebhookCommand,
};
use fanfare_server::console_command;
use fanfare_server::env_commands;
use fanfare_server::live_command;
use fanfare_server::manual;
use fanfare_server::open_command;
use fanfare_server::paste_lines::Invocation;
use fanfare_server::printed::{complain, complain_of_each, print, say, tell};
use fanfare_server::send_command::{self, SendError};
use fanfare_server::sockets::Inherited;
use fanfare_server::start::{self, ServeError, StartError};
use fanfare_server::token_commands;
use fanfare_server::variables::environment;
use fanfare_server::webhook_command::{self, WebhookReport};
use fanfare_server::{audit_command, bench_command, reload_command};
use fanfare_server::{health, log};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The command to run with a configuration.
enum Task {
    Serve,
    PrintLines { create_database: bool },
    LaravelLines(Box<LaravelEnv>),
    Migrate { create_database: bool },
}

fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            if error.use_stderr() {
                let _ = error.print();
                return ExitCode::from(EXIT_CONFIG);
            }
            // The help, in colour where a terminal shows it.
            let help = error.render();
            let text = if stdout().is_terminal() { help.ansi().to_string() } else { help.to_string() };
            return say(&text).map_or_else(|unprinted| unprinted, |()| ExitCode::SUCCESS);
        }
    };
    let command = match command_line.into_command() {
        Ok(command) => command,
        Err(misplaced) => {
            complain(&misplaced.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    run_command(command).unwrap_or_else(|refused| refused)
}

/// Runs a command; `Err` is the exit status of a command that could not begin.
fn run_command(command: Command) -> Result<ExitCode, ExitCode> {
    match command {
        Command::App(command) => {
            let place = command.place.clone();
            manage(place, async move |config| app_commands::run(&config, command).await)
        }
        Command::Token(command) => {
            let place = command.place.clone();
            manage(place, async move |config| token_commands::run(&config, command).await)
        }
        Command::Console(command) => {
            let place = command.place.clone();
            manage(place, async move |config| console_command::run(&config, command).await)
        }
        Command::Audit(command) => {
            let place = command.place.clone();
            manage(place, async move |config| audit_command::run(&config, command).await)
        }
        Command::Live(command) => {
            let place = command.place.clone();
            manage(place, async move |config| live_command::run(&config, &command, print).await)
        }
        Command::Reload(command) => {
            let place = command.place.clone();
            manage(place, async move |config| reload_command::run(&config, &command).await)
        }
        Command::Doctor(asked) => examine(&asked),
        Command::Send(asked) => {
            ask_server(&asked.place, async |config| send_command::run(&config, &asked).await)
        }
        Command::Channels(asked) => {
            ask_server(&asked.place, async |config| Ok(open_command::channels(&config, &asked).await?))
        }
        Command::Connections(asked) => {
            ask_server(asked.place(), async |config| Ok(open_command::connections(&config, &asked).await?))
        }
        Command::Users(asked) => {
            ask_server(asked.place(), async |config| Ok(open_command::users(&config, &asked).await?))
        }
        Command::Webhook(WebhookCommand { action }) => look_at_webhooks(&action),
        Command::Health(asked) => check_health(&asked),
        Command::Bench(asked) => bench_command::run(asked),
        Command::Cluster(asked) => show_cluster(asked),
        Command::Completions(asked) => said(&manual::completions(asked.shell)),
        Command::Man(asked) => manual::write_pages(&asked.folder).map(|()| ExitCode::SUCCESS),
        Command::Version => said(&format!("fanfare {VERSION}\n")),
        Command::Serve(options) => serve(options),
        Command::Migrate(Migrate { config, laravel, data_dir, create_database }) => {
            let flags = Flags { data_dir, ..Flags::default() };
            let sources = Sources { file: config, laravel, flags, ..Sources::default() };
            load_and_run(sources, Task::Migrate { create_database })
        }
        Command::Laravel(LaravelCommand { action: LaravelAction::Env(mut asked) }) => {
            let sources = sources_of(&mut asked.lines);
            load_and_run(sources, Task::LaravelLines(Box::new(asked)))
        }
        Command::Env(mut lines) => {
            let sources = sources_of(&mut lines);
            load_and_run(sources, Task::PrintLines { create_database: lines.create_database })
        }
    }
}

/// Prints what needs no configuration.
fn said(text: &str) -> Result<ExitCode, ExitCode> {
    say(text).map(|()| ExitCode::SUCCESS)
}

/// `fanfare serve`, `--check` and `--print`.
fn serve(options: Serve) -> Result<ExitCode, ExitCode> {
    let Serve { config: file, laravel, laravel_echo_server, check, print, .. } = options;
    let Serve { listen, tls_listen, admin_listen, data_dir, .. } = options;
    let flags = Flags { listen, tls_listen, admin_listen, data_dir };
    let sources =
        Sources { file, laravel, laravel_echo_server, flags, certificate: true, ..Sources::default() };
    if !check && !print {
        bench_command::end_with_measurement().map_err(|error| {
            complain(&format!("cannot start: {error}"));
            ExitCode::from(EXIT_UNAVAILABLE)
        })?;
        outlive_hangups()?;
        return load_and_run(sources, Task::Serve);
    }
    let config = load(sources)?;
    if print {
        say(&config.effective())?;
    }
    if check {
        let certificates = config.listen.tls.iter().flat_map(|tls| tls.warnings()).collect::<Vec<_>>();
        let warnings: Vec<&String> = config.warnings.iter().chain(&certificates).collect();
        for warning in &warnings {
            complain(&format!("warning: {warning}"));
        }
        if let (false, Some(former)) = (print, &config.laravel_echo_server) {
            say(former.text().trim_start())?;
        }
        // What is printed is a configuration file.
        if !print && warnings.is_empty() {
            say("The configuration is in order.\n")?;
        } else if !print {
            say("The configuration has no fault, but see the warnings.\n")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The sources of `env` and `laravel env`.
fn sources_of(lines: &mut Lines) -> Sources {
    let flags = Flags {
        listen: lines.listen.take(),
        tls_listen: lines.tls_listen.take(),
        data_dir: lines.data_dir.take(),
        ..Flags::default()
    };
    let (file, laravel) = (lines.config.take(), lines.laravel.take());
    let laravel_echo_server = lines.laravel_echo_server.take();
    Sources { file, laravel, laravel_echo_server, flags, ..Sources::default() }
}

/// The configuration of these sources and the environment; else every fault is told.
fn load(sources: Sources) -> Result<Config, ExitCode> {
    Config::load(&Sources { environment: environment(), ..sources }).map_err(|faults| refuse(&faults))
}

fn load_and_run(sources: Sources, task: Task) -> Result<ExitCode, ExitCode> {
    let sources = Sources { environment: environment(), ..sources };
    let invocation = Invocation::of(std::env::args_os().next(), &sources);
    let config = Config::load(&sources).map_err(|faults| refuse(&faults))?;
    Ok(run(config, task, (&invocation, sources)))
}

/// SIGHUP does not end the process from here on, also while the configuration is read: a handler stays installed, and
/// `start` listens to it later.
fn outlive_hangups() -> Result<(), ExitCode> {
    let runtime = one_thread()?;
    let _within = runtime.enter();
    signal(SignalKind::hangup()).map(drop).map_err(|error| {
        complain(&format!("cannot wait for signals: {error}"));
        ExitCode::from(EXIT_UNAVAILABLE)
    })
}

/// The runtime of a command that serves nobody.
fn one_thread() -> Result<Runtime, ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        complain(&format!("cannot start: {error}"));
        ExitCode::from(EXIT_UNAVAILABLE)
    })
}

/// `fanfare app …`, `fanfare token …`, `fanfare console`, `fanfare audit`, `fanfare live` and `fanfare reload`.
fn manage(
    place: DataPlace,
    run: impl AsyncFnOnce(Config) -> Result<Done, CommandError>,
) -> Result<ExitCode, ExitCode> {
    let flags = Flags { data_dir: place.data_dir, ..Flags::default() };
    let config = load(Sources { file: place.config, flags, ..Sources::default() })?;
    let runtime = one_thread()?;
    Ok(match runtime.block_on(run(config)) {
        Ok(done) => {
            tell(&done)?;
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain_of_each(&error.to_string());
            ExitCode::from(error.exit_status())
        }
    })
}

/// Commands that print what a running server answers.
fn ask_server(
    place: &ServerPlace,
    ask: impl AsyncFnOnce(Config) -> Result<String, SendError>,
) -> Result<ExitCode, ExitCode> {
    let config = load(sources_of_server(place))?;
    let runtime = one_thread()?;
    Ok(match runtime.block_on(ask(config)) {
        Ok(text) => {
            say(&text)?;
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(if error.is_askers() { EXIT_CONFIG } else { EXIT_UNAVAILABLE })
        }
    })
}

/// `fanfare webhook …`.
fn look_at_webhooks(action: &WebhookAction) -> Result<ExitCode, ExitCode> {
    let config = load(sources_of_server(action.place()))?;
    let runtime = one_thread()?;
    Ok(match runtime.block_on(webhook_command::run(&config, action)) {
        Ok(WebhookReport { text, is_well }) => {
            say(&text)?;
            if is_well { ExitCode::SUCCESS } else { ExitCode::from(EXIT_AMISS) }
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(if error.is_askers() { EXIT_CONFIG } else { EXIT_UNAVAILABLE })
        }
    })
}

/// The sources of commands that ask a running server.
fn sources_of_server(place: &ServerPlace) -> Sources {
    let ServerPlace { config, laravel, laravel_echo_server, listen, data_dir, .. } = place.clone();
    let flags = Flags { listen, data_dir, ..Flags::default() };
    Sources { file: config, laravel, laravel_echo_server, flags, ..Sources::default() }
}

/// `fanfare doctor`.
fn examine(asked: &Doctor) -> Result<ExitCode, ExitCode> {
    let runtime = one_thread()?;
    let plan = runtime.block_on(Plan::new(asked, environment())).map_err(|error| {
        complain_of_each(&error.to_string());
        ExitCode::from(EXIT_CONFIG)
    })?;
    let hops = runtime.block_on(doctor::examine(&plan));
    let text = if asked.json { doctor::json(&hops) } else { doctor::text(&hops) };
    say(&text)?;
    let amiss = hops.iter().any(|hop| matches!(hop.outcome, Outcome::Failed(_)));
    Ok(if amiss { ExitCode::from(EXIT_AMISS) } else { ExitCode::SUCCESS })
}

/// `fanfare health`.
fn check_health(asked: &Health) -> Result<ExitCode, ExitCode> {
    let flags =
        Flags { listen: asked.listen.clone(), admin_listen: asked.admin_listen.clone(), ..Flags::default() };
    let (file, laravel) = (asked.config.clone(), asked.laravel.clone());
    let laravel_echo_server = asked.laravel_echo_server.clone();
    let config = load(Sources { file, laravel, laravel_echo_server, flags, ..Sources::default() })?;
    Ok(match health::ask(&config.listen, asked.ready, Duration::from_secs(asked.timeout)) {
        Ok(line) => {
            say(&format!("{line}\n"))?;
            ExitCode::SUCCESS
        }
        Err(reason) => {
            complain(&reason.to_string());
            ExitCode::from(EXIT_AMISS)
        }
    })
}

/// `fanfare cluster`.
fn show_cluster(asked: Cluster) -> Result<ExitCode, ExitCode> {
    let config = load(Sources { file: asked.config, ..Sources::default() })?;
    let runtime = one_thread()?;
    Ok(match runtime.block_on(cluster_command::run(&config, asked.json)) {
        Ok(ClusterReport { text, away, is_well }) => {
            say(&text)?;
            away.iter().for_each(|line| complain(line));
            if is_well { ExitCode::SUCCESS } else { ExitCode::from(EXIT_AMISS) }
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(if error == NotObserved::Alone { EXIT_CONFIG } else { EXIT_UNAVAILABLE })
        }
    })
}

fn refuse(faults: &[Fault]) -> ExitCode {
    for fault in faults {
        complain(&format!("fault: {fault}"));
    }
    ExitCode::from(EXIT_CONFIG)
}

fn run(config: Config, task: Task, (invocation, sources): (&Invocation, Sources)) -> ExitCode {
    // Before there are other threads.
    let inherited = match Inherited::take() {
        Ok(inherited) => inherited,
        Err(fault) => {
            complain(&format!("fault: {fault}"));
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let log = match log::begin(&config.log) {
        Ok(log) => log,
        Err(fault) => {
            complain(&format!("fault: {fault}"));
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start threads: {error}"));
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    };
    let done: Result<Done, ServeError> = runtime.block_on(async {
        Ok(match task {
            Task::Serve => {
                start::serve(config, inherited, (invocation.clone(), sources), &log).await?;
                Done::looked(String::new())
            }
            Task::PrintLines { create_database } => {
                env_commands::env(&config, invocation, create_database).await?
            }
            Task::LaravelLines(asked) => env_commands::laravel_env(&config, *asked).await?,
            Task::Migrate { create_database } => {
                Done::looked(start::migrate(&config, create_database).await?)
            }
        })
    });
    // A name being looked up, or a file on a disk that does not answer, must not delay the exit.
    runtime.shutdown_background();
    // The last log lines are written before the process ends.
    log.end();
    match done {
        Ok(done) => tell(&done).map_or_else(|unprinted| unprinted, |()| ExitCode::SUCCESS),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(match error {
                ServeError::Start(StartError::Apps(AppsError::Missing { .. }) | StartError::RandomSecret) => {
                    EXIT_CONFIG
                }
                ServeError::Start(_) => EXIT_UNAVAILABLE,
                ServeError::Task(_) => EXIT_SOFTWARE,
            })
        }
    }
}
