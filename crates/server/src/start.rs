//! From a configuration to a running server, and what begins its end.
//!
//! A part that cannot start stops the start.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fanfare_apps::{Apps, AppsError};
use fanfare_config::certificate::{self, CertificateError};
use fanfare_config::{Config, ServerUrl};
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::command_line::LaravelEnv;
use crate::descriptors::Division;
use crate::laravel_lines::LaravelLines;
use crate::paste_lines::{OverTls, PasteLines};
use crate::redis_feed::RedisFeeds;
use crate::state::State;
use crate::stop::{Parts, stop};
use crate::tasks::Tasks;

use crate::tls::{Tls, reload};
use crate::usage::Storing;
use crate::webhooks::Telling;
use crate::{admin, chores, descriptors, listen, live_apps};

/// How often the app with the node's own feed is looked up, if it is one of the database's.
const LOOK_UP: Duration = Duration::from_secs(5);

/// A part that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The apps' database.
    #[error(transparent)]
    Apps(#[from] AppsError),
    /// A listener.
    #[error("cannot listen on {address}: {error} (setting {setting}, option {option})")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// Where it is set in the configuration.
        setting: &'static str,
        /// Where it is set on the command line.
        option: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// An app that was asked for by its id.
    #[error("there is no such app; `fanfare app list` shows those of the database")]
    NoApp,
    /// The certificate for TLS.
    #[error("{}: {error}", error.setting())]
    Certificate {
        /// What is wrong.
        error: CertificateError,
    },
    /// Signal handling.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

/// Why a server has ended with a status other than 0.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It has not begun.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A task that is to live as long as the server has panicked, or ended; the server has drained.
    #[error("a task of the server has failed ({0}); the log above says how")]
    Task(&'static str),
}

/// The app that lines are printed for.
struct Shown {
    app: Arc<App>,
    /// It is in the embedded database, so that nobody else knows its secret.
    embedded: bool,
    /// It was made just now.
    new: bool,
}

/// The listener for TLS before it accepts.
struct SecureListener {
    listener: TcpListener,
    address: SocketAddr,
    tls: Arc<Tls>,
    /// Has the certificate read anew; without TLS it ends the process, as it does others.
    hangup: Signal,
}

impl SecureListener {
    async fn open(settings: &fanfare_config::Tls) -> Result<Self, StartError> {
        let hangup = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
        let tls = Tls::open(settings.files.clone()).map_err(|error| StartError::Certificate { error })?;
        let listener = bind(settings.addr, "tls.addr", "--tls-listen").await?;
        let address = listener.local_addr().unwrap_or(settings.addr);
        Ok(Self { listener, address, tls: Arc::new(tls), hangup })
    }

    fn lines(&self) -> OverTls {
        OverTls { listen: self.address, host: self.tls.host() }
    }
}

/// A server that accepts connections.
pub struct Server {
    state: Arc<State>,
    accepting: Vec<JoinHandle<()>>,
    storing: Option<Storing>,
    telling: Telling,
    /// They end when this is dropped.
    feeds: Arc<RedisFeeds>,
    /// Where clients and back ends connect.
    pub listening: SocketAddr,
    /// Where they connect over TLS, and the name to call it by.
    pub over_tls: Option<OverTls>,
    /// Where operators ask.
    pub admin_listening: SocketAddr,
    first: Option<Shown>,
    division: Division,
}

impl Server {
    /// Starts every part.
    ///
    /// # Errors
    /// A part could not be started; none goes on then.
    pub async fn open(mut config: Config) -> Result<Self, StartError> {
        let descriptors = descriptors::raise_limit();
        let division = Division::new(&config, descriptors);
        let tasks = Tasks::default();
        let apps = open_apps(&config).await?;
        let first = first_app(&config, &apps).await?;
        if let Some(Shown { app, embedded: true, .. }) = &first {
            config.redis_feed.app.get_or_insert_with(|| app.id.clone());
        }
        let public = bind(config.listen.addr, "listen.addr", "--listen").await?;
        let admin = bind(config.listen.admin_addr, "listen.admin_addr", "--admin-listen").await?;
        let secure = match &config.listen.tls {
            Some(settings) => Some(SecureListener::open(settings).await?),
            None => None,
        };
        let over_tls = secure.as_ref().map(SecureListener::lines);
        let listening = public.local_addr().unwrap_or(config.listen.addr);
        let admin_listening = admin.local_addr().unwrap_or(config.listen.admin_addr);

        let state = Arc::new(State::new(config, apps, tasks.clone(), &division));
        let accepts = listen::run(Arc::clone(&state), public, None);
        let mut accepting = vec![tasks.spawn("listener", accepts)];
        if let Some(SecureListener { listener, tls, hangup, .. }) = secure {
            let accepts = listen::run(Arc::clone(&state), listener, Some(Arc::clone(&tls)));
            accepting.push(tasks.spawn("TLS listener", accepts));
            tasks.spawn("TLS certificate", reload::follow(Arc::clone(&state), tls, hangup));
        }
        tasks.spawn("admin listener", admin::run(Arc::clone(&state), admin));
        let feeds = begin_feeds(&state);
        chores::begin(&state);
        if let Some(upkeep) = state.apps.upkeep() {
            tasks.spawn("apps' database", upkeep);
        }
        Ok(Self {
            storing: Storing::begin(&state),
            telling: Telling::begin(&state),
            state,
            accepting,
            feeds,
            listening,
            over_tls,
            admin_listening,
            first,
            division,
        })
    }
}

/// The signals that ask a server to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn begin() -> Result<Self, StartError> {
        let begin = |kind| signal(kind).map_err(StartError::Signals);
        Ok(Self { terminate: begin(SignalKind::terminate())?, interrupt: begin(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs a server until it has been told to stop and has drained.
///
/// # Errors
/// A part could not be started, or a task of the server has failed.
pub async fn serve(config: Config) -> Result<(), ServeError> {
    let mut signals = Signals::begin()?;
    let server = Server::open(config).await?;
    report_limits(&server.division);
    print_ready(&server);
    server.run(&mut signals).await
}

impl Server {
    /// Serves until a signal or a task that has failed begins the end; a second signal cuts the end short.
    async fn run(self, signals: &mut Signals) -> Result<(), ServeError> {
        let Self { state, accepting, telling, storing, feeds, .. } = self;
        let failed = tokio::select! {
            () = signals.next() => None,
            task = state.tasks.failed() => Some(task),
        };
        let parts = Parts { accepting, telling, storing };
        tokio::select! {
            () = stop(&state, parts) => {}
            // A second signal means that the operator does not want to wait.
            () = signals.next() => {}
        }
        drop(feeds);
        // A task may also have failed while the server stopped.
        let failed = failed.or_else(|| state.tasks.failures().first().map(|(task, _)| *task));
        failed.map_or(Ok(()), |task| Err(ServeError::Task(task)))
    }
}

/// Prints the lines of `fanfare env`.
///
/// # Errors
/// The apps' database could not be opened.
pub async fn print_lines(config: Config) -> Result<(), StartError> {
    let apps = open_apps(&config).await?;
    if let Some(first) = first_app(&config, &apps).await? {
        let lines = PasteLines {
            app: &first.app,
            listen: config.listen.addr,
            over_tls: config
                .listen
                .tls
                .as_ref()
                .map(|tls| OverTls { listen: tls.addr, host: certificate::host_in(&tls.files.certificate) }),
            path_prefix: &config.listen.path_prefix,
            show_secret: true,
        };
        say(&lines.text());
    } else {
        say("There is no app yet.\n");
    }
    Ok(())
}

/// Prints the lines of `fanfare laravel env`.
///
/// # Errors
/// The apps' database could not be opened, or there is no such app.
pub async fn print_laravel_lines(config: Config, asked: LaravelEnv) -> Result<(), StartError> {
    let apps = open_apps(&config).await?;
    let app = match &asked.app {
        Some(id) => apps.by_id(id).await?,
        None => first_app(&config, &apps).await?.map(|first| first.app),
    };
    let app = app.ok_or(StartError::NoApp)?;
    let php = ServerUrl::near(config.listen.addr);
    let lines = LaravelLines {
        secret: app.credentials.first().map_or("", |credential| credential.secret.expose()),
        app: &app,
        browser: asked.public.unwrap_or_else(|| php.clone()),
        php,
        path_prefix: &config.listen.path_prefix,
    };
    say(&lines.text(asked.driver));
    Ok(())
}

/// Brings the tables of the apps' database up to date; of several at once, one does it.
///
/// # Errors
/// The database could not be opened, or its tables not changed.
pub async fn migrate(config: &Config) -> Result<(), StartError> {
    open_apps(config).await?;
    say("The tables of the apps' database are up to date.\n");
    Ok(())
}

async fn open_apps(config: &Config) -> Result<Apps, StartError> {
    Ok(Apps::open(config.fixed_apps(), config.database(), config.kept()).await?)
}

/// The first configured app; or, in the embedded database, the first there, made if there is none.
async fn first_app(config: &Config, apps: &Apps) -> Result<Option<Shown>, StartError> {
    if config.is_embedded() {
        let first = apps.first_or_invent().await?;
        return Ok(Some(Shown { app: first.app, embedded: true, new: first.is_new }));
    }
    let app = apps.first().await?;
    Ok(app.map(|app| Shown { app, embedded: false, new: false }))
}

async fn bind(
    address: SocketAddr,
    setting: &'static str,
    option: &'static str,
) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| StartError::Listen { address, setting, option, error })
}

/// Begins to listen for the apps of the configuration, and for each of the database as soon as it is read.
fn begin_feeds(state: &Arc<State>) -> Arc<RedisFeeds> {
    let nodes_own = state.config.redis_feed.app.clone();
    let feeds = Arc::new(RedisFeeds::new(Arc::clone(state)));
    for app in state.config.fixed_apps() {
        feeds.set(&Arc::new(app));
    }
    if let Some(id) = nodes_own.filter(|id| !state.apps.is_fixed(id.as_str())) {
        let knowing = know_app(Arc::clone(state), Arc::clone(&feeds), id);
        state.tasks.spawn("app of the node's Redis feed", knowing);
    }
    // Without a database there is nothing to follow.
    if state.apps.has_database() {
        let following = live_apps::follow(Arc::clone(state), Arc::clone(&feeds));
        state.tasks.spawn("changes of apps", following);
    }
    feeds
}

/// Sees to it that an app of the database is known which has the node's own feed: nothing in its settings says so.
async fn know_app(state: Arc<State>, feeds: Arc<RedisFeeds>, id: AppId) {
    let mut every = tokio::time::interval(LOOK_UP);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // While the database is away there will be another look.
        if let Ok(Some(app)) = state.apps.by_id(id.as_str()).await {
            feeds.set(&app);
        }
    }
}

fn report_limits(division: &Division) {
    let Division { limit, websockets, http, .. } = *division;
    tracing::info!(
        target: "fanfare",
        file_descriptors = limit,
        connections = websockets,
        http_connections = http,
        "limits"
    );
    if division.needed() > limit {
        tracing::warn!(
            target: "fanfare",
            "limits.connections is {websockets} and limits.http_connections {http}, but only {limit} file \
             descriptors are allowed: raise the hard limit (LimitNOFILE= with systemd, --ulimit nofile= with Docker)"
        );
    }
}

/// The ready line, and what to paste (the contract of the first line is in docs/configuration.md).
fn print_ready(server: &Server) {
    let Server { state, listening, over_tls, admin_listening: admin, first, .. } = server;
    let tls = over_tls.as_ref().map_or_else(String::new, |tls| format!(", https://{}", tls.listen));
    let mut text = format!("Fanfare is ready: http://{listening}{tls} (admin http://{admin})\n");
    if let Some(laravel) = &state.config.laravel {
        text.push_str(&laravel.text());
    }
    if let Some(Shown { app, embedded, new }) = first {
        // Standard output often ends in a log: a secret is shown when it is new, or to a person.
        let show_secret = *embedded && (*new || rustix::termios::isatty(io::stdout()));
        let path_prefix = &state.config.listen.path_prefix;
        let lines =
            PasteLines { app, listen: *listening, over_tls: over_tls.clone(), path_prefix, show_secret };
        text.push_str(&lines.text());
        if !show_secret {
            text.push_str("\n(`fanfare env` with the same options prints these lines with the secret.)\n");
        }
    }
    if listening.ip().is_loopback() && over_tls.as_ref().is_none_or(|tls| tls.listen.ip().is_loopback()) {
        text.push_str("\nOnly this machine can connect; `--listen 0.0.0.0:6001` lets others in.\n");
    }
    say(&text);
}

/// Prints; a closed standard output is no reason to stop.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests;
