//! `fanfare`: parses the command line, loads the configuration, runs the command.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use fanfare_config::{Config, Fault, Flags, Sources};
use fanfare_doctor::{self as doctor, Doctor, Outcome, Plan};
use fanfare_server::app_commands::{self, CommandError};
use fanfare_server::command_line::{
    Command, CommandLine, DataPlace, EXIT_AMISS, EXIT_CONFIG, EXIT_SOFTWARE, EXIT_UNAVAILABLE, Health,
    LaravelAction, LaravelCommand, LaravelEnv, Send, Serve,
};
use fanfare_server::env_commands;
use fanfare_server::paste_lines::Invocation;
use fanfare_server::send_command;
use fanfare_server::start::{self, ServeError};
use fanfare_server::token_commands;
use fanfare_server::{health, log};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The command to run with a configuration.
enum Task {
    Serve,
    PrintLines,
    LaravelLines(Box<LaravelEnv>),
    Migrate,
}

fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::SUCCESS };
        }
    };
    let (task, options) = match command_line.command {
        Some(Command::App(command)) => {
            let place = command.place.clone();
            return manage(place, async move |config| app_commands::run(&config, command).await);
        }
        Some(Command::Token(command)) => {
            let place = command.place.clone();
            return manage(place, async move |config| token_commands::run(&config, command).await);
        }
        Some(Command::Doctor(asked)) => return examine(&asked),
        Some(Command::Send(asked)) => return send(&asked),
        Some(Command::Health(asked)) => return check_health(&asked),
        Some(Command::Migrate(options)) => (Task::Migrate, options),
        Some(Command::Laravel(LaravelCommand { action: LaravelAction::Env(mut asked) })) => {
            let options = std::mem::take(&mut asked.serve);
            (Task::LaravelLines(Box::new(asked)), options)
        }
        Some(Command::Env(options)) => (Task::PrintLines, options),
        Some(Command::Serve(options)) => (Task::Serve, options),
        None => (Task::Serve, command_line.serve),
    };
    let sources = sources(&options, &task);
    let config = match Config::load(&sources) {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    if options.print {
        let _ = std::io::stdout().write_all(config.effective().as_bytes());
    }
    if options.print || options.check {
        return ExitCode::SUCCESS;
    }
    run(config, task, Invocation::of(std::env::args_os().next(), &sources))
}

/// `fanfare app …` and `fanfare token …`.
fn manage(place: DataPlace, run: impl AsyncFnOnce(Config) -> Result<String, CommandError>) -> ExitCode {
    let flags = Flags { data_dir: place.data_dir, ..Flags::default() };
    let sources = Sources { file: place.config, environment: environment(), flags, ..Sources::default() };
    let config = match Config::load(&sources) {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    };
    match runtime.block_on(run(config)) {
        Ok(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            for line in error.to_string().lines() {
                complain(line);
            }
            ExitCode::from(if error.is_askers() { EXIT_CONFIG } else { EXIT_UNAVAILABLE })
        }
    }
}

/// `fanfare send`.
fn send(asked: &Send) -> ExitCode {
    let Send { config, laravel, listen, data_dir, .. } = asked;
    let flags = Flags { listen: *listen, data_dir: data_dir.clone(), ..Flags::default() };
    let (file, laravel, environment) = (config.clone(), laravel.clone(), environment());
    let config = match Config::load(&Sources { file, laravel, environment, flags, ..Sources::default() }) {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    };
    match runtime.block_on(send_command::run(&config, asked)) {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(if error.is_askers() { EXIT_CONFIG } else { EXIT_UNAVAILABLE })
        }
    }
}

/// `fanfare doctor`.
fn examine(asked: &Doctor) -> ExitCode {
    let plan = match Plan::new(asked, environment()) {
        Ok(plan) => plan,
        Err(error) => {
            for line in error.to_string().lines() {
                complain(line);
            }
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    };
    let hops = runtime.block_on(doctor::examine(&plan));
    let text = if asked.json { doctor::json(&hops) } else { doctor::text(&hops) };
    let _ = std::io::stdout().write_all(text.as_bytes());
    let amiss = hops.iter().any(|hop| matches!(hop.outcome, Outcome::Failed(_)));
    if amiss { ExitCode::from(EXIT_AMISS) } else { ExitCode::SUCCESS }
}

/// `fanfare health`.
fn check_health(asked: &Health) -> ExitCode {
    let flags = Flags { listen: asked.listen, admin_listen: asked.admin_listen, ..Flags::default() };
    let sources = Sources {
        file: asked.config.clone(),
        laravel: asked.laravel.clone(),
        environment: environment(),
        flags,
        ..Sources::default()
    };
    let config = match Config::load(&sources) {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    match health::ask(&config.listen, asked.ready, Duration::from_secs(asked.timeout)) {
        Ok(line) => {
            let _ = writeln!(std::io::stdout(), "{line}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            complain(&reason.to_string());
            ExitCode::from(EXIT_AMISS)
        }
    }
}

fn refuse(faults: &[Fault]) -> ExitCode {
    for fault in faults {
        complain(&format!("fault: {fault}"));
    }
    ExitCode::from(EXIT_CONFIG)
}

fn sources(options: &Serve, task: &Task) -> Sources {
    Sources {
        file: options.config.clone(),
        laravel: options.laravel.clone(),
        environment: environment(),
        flags: Flags {
            listen: options.listen,
            tls_listen: options.tls_listen,
            admin_listen: options.admin_listen,
            data_dir: options.data_dir.clone(),
        },
        certificate: matches!(task, Task::Serve),
        apps_in_part: false,
    }
}

fn run(config: Config, task: Task, invocation: Invocation) -> ExitCode {
    let guard = match log::begin(&config.log) {
        Ok(guard) => guard,
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
    let done: Result<(), ServeError> = runtime.block_on(async {
        match task {
            Task::Serve => start::serve(config, invocation).await?,
            Task::PrintLines => say(&env_commands::env(&config, &invocation).await?),
            Task::LaravelLines(asked) => say(&env_commands::laravel_env(&config, *asked).await?),
            Task::Migrate => say(&start::migrate(&config).await?),
        }
        Ok(())
    });
    // A name being looked up, or a file on a disk that does not answer, must not delay the exit.
    runtime.shutdown_background();
    // The last log lines are written before the process ends.
    drop(guard);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(match error {
                ServeError::Start(_) => EXIT_UNAVAILABLE,
                ServeError::Task(_) => EXIT_SOFTWARE,
            })
        }
    }
}

/// Prints; a closed standard output is not an error.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "fanfare: {text}");
}

/// The variables that are valid text; others cannot be settings.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
