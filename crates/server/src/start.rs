//! From a configuration to a running server, and the triggers of its shutdown.
//!
//! A part that cannot start stops the start.

mod feeds;
mod listeners;
mod ready;
mod reload;
pub(crate) mod signals;

pub use listeners::ListenError;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fanfare_apps::{Apps, AppsError};
use fanfare_config::{AcmeSection, Config, LaravelEchoServer, Sources};
use fanfare_node::backlog::BacklogTask;
use fanfare_node::chores;
use fanfare_node::refusals;
use fanfare_node::relay::RelayTask;
use fanfare_node::taps::Taps;
use fanfare_node::tasks::Tasks;
use fanfare_node::usage::UsageTask;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use self::listeners::{Listeners, SecureListener};
use self::reload::Reloading;
use self::signals::{Signals, StopSignals, follow_hangup};
use crate::descriptors::Division;
use crate::first_app::ShownApp;
use crate::log::Guard;
use crate::paste_lines::{Invocation, OverTls};
use crate::redis_feed::RedisFeeds;
use crate::sockets::{Inherited, ListeningSockets};
use crate::state::{PublicAddresses, State};
use crate::stop::{AFTER_DRAIN, Parts, stop};
use crate::supervision::{Notice, Notices, Supervision};
use crate::telemetry::Telemetry;
use crate::tls::ServerTls;
use crate::tls::acme::{self, Acme};
use crate::tls::reload::ReadRequest;
use crate::{admin, app_commands, descriptors, listen};

/// How often systemd is told of the drain.
const TELL_OF_DRAIN: Duration = Duration::from_secs(1);

/// Longest time from the last step of the shutdown to the end of the process.
const AFTER_STOP: Duration = Duration::from_secs(5);

/// A part that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The apps' database.
    #[error(transparent)]
    Apps(#[from] AppsError),
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No app has the id given.
    #[error("there is no such app; `fanfare app list` shows those of the database")]
    NoApp,
    /// The app is made anew at each start, so that nobody can be told its secret.
    #[error("{}", LaravelEchoServer::RANDOM_SECRET)]
    RandomSecret,
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// Signal handling.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// The thread that looks at the runtime.
    #[error("cannot start the watchdog: {0}")]
    Watchdog(io::Error),
}

/// Why a server has ended with a status other than 0.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The server could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A server task panicked or ended early; the server has drained.
    #[error("a task of the server has failed ({0}); the log above says how")]
    Task(&'static str),
}

/// A server that accepts connections.
pub struct Server {
    state: Arc<State>,
    accepting: Vec<JoinHandle<()>>,
    usage: Option<UsageTask>,
    backlog: Option<BacklogTask>,
    relay: RelayTask,
    /// Dropping the feeds ends them.
    feeds: Arc<RedisFeeds>,
    telemetry: Telemetry,
    /// Asks the task that reloads the TLS certificate, if there is one.
    read_certificate: Option<mpsc::Sender<ReadRequest>>,
    /// The address for clients and back ends.
    pub listening: SocketAddr,
    /// The TLS address, and the name in the certificate.
    pub over_tls: Option<OverTls>,
    /// The address for operators.
    pub admin_listening: SocketAddr,
    first: Option<ShownApp>,
    has_no_app: bool,
    division: Division,
}

impl Server {
    /// Starts every part; the listeners on the sockets that were passed on, if any were.
    ///
    /// # Errors
    /// A part could not be started; all parts are stopped then.
    pub async fn open(mut config: Config, inherited: Inherited) -> Result<Self, StartError> {
        let descriptors = descriptors::raise_limit();
        let division = Division::new(&config, descriptors);
        let tasks = Tasks::default();
        let telemetry = Telemetry::begin(&config, &tasks);
        // Before the database: a start that fails creates no app, and changes no tables under a server that runs.
        let listeners = Listeners::bind(&config.listen, inherited).await?;
        let apps = app_commands::open_apps(&config, true).await?;
        let (first, has_no_app) = match ShownApp::find(&config, &apps).await {
            Ok(Some(first)) => (Some(first), false),
            Ok(None) => (None, true),
            // One app's fault is that app's alone: all others are served.
            Err(error @ AppsError::Faulty { .. }) => {
                tracing::error!(target: "fanfare::apps", %error, "the oldest app cannot be used");
                (None, false)
            }
            Err(error) => return Err(error.into()),
        };
        settle_apps(&mut config, &apps, first.as_ref()).await;
        let over_tls = listeners.secure.as_ref().map(SecureListener::lines);
        let listening = listeners.public.address().unwrap_or(config.listen.addr.first());
        let admin_listening = listeners.admin.address().unwrap_or(config.listen.admin_addr.first());
        // Behind the database: a start that fails takes no connection from a server that runs.
        let Listeners { public, admin, secure } = listeners.listen()?;

        let state = Arc::new(State::new(config, apps, tasks.clone(), &division));
        let _ = state.listening.set(PublicAddresses { plain: listening, over_tls: over_tls.clone() });
        let accepts = listen::run(Arc::clone(&state), public, None);
        let mut accepting = vec![tasks.spawn("listener", accepts)];
        let mut read_certificate = None;
        if let Some(SecureListener { sockets, tls, acme, .. }) = secure {
            if let Some((section, challenges)) = acme {
                begin_acme(&state, &tls, section, challenges).await;
            }
            let accepts = listen::run(Arc::clone(&state), sockets, Some(Arc::clone(&tls)));
            accepting.push(tasks.spawn("TLS listener", accepts));
            read_certificate = Some(crate::tls::reload::begin(&state, tls));
        }
        tasks.spawn("admin listener", admin::run(Arc::clone(&state), admin));
        refusals::follow_webhooks(&state.node);
        let backlog = BacklogTask::begin(&state.node);
        let relay = begin_relay(&state, listening)?;
        let feeds = feeds::begin(&state);
        chores::begin(&state.node);
        if let Some(upkeep) = state.node.apps.upkeep() {
            tasks.spawn("apps' database", upkeep);
        }
        Ok(Self {
            usage: UsageTask::begin(&state.node),
            backlog,
            relay,
            state,
            accepting,
            feeds,
            telemetry,
            read_certificate,
            listening,
            over_tls,
            admin_listening,
            first,
            has_no_app,
            division,
        })
    }
}

/// Starts the ACME client of the TLS listener, with a stored certificate if there is one.
async fn begin_acme(
    state: &Arc<State>,
    tls: &Arc<ServerTls>,
    section: AcmeSection,
    challenges: Option<ListeningSockets>,
) {
    let acme = Acme::of(&state.node, section);
    tls.set_acme(&acme);
    if let Some(sockets) = challenges {
        let answers = acme::answer_over_http(Arc::clone(state), Arc::clone(&acme), sockets);
        state.node.tasks.spawn("ACME listener", answers);
    }
    acme::begin(state, tls, &acme).await;
}

/// Gives the first app of the embedded database what is for one app and names none; warns of a named app that is not there.
async fn settle_apps(config: &mut Config, apps: &Apps, first: Option<&ShownApp>) {
    if let Some(ShownApp { app, embedded: true, .. }) = first {
        config.first_app = Some(app.id.clone());
        config.redis_feed.app.get_or_insert_with(|| app.id.clone());
        config.socketio.app.get_or_insert_with(|| app.id.clone());
    }
    let socketio = &config.socketio;
    if let Some(id) = socketio.app.as_ref().filter(|_| socketio.enabled)
        && matches!(apps.by_id(id.as_str()).await, Ok(None))
    {
        let warning = format!(
            "socketio.app: there is no app {id}, so that /socket.io/ refuses everybody until there is one"
        );
        config.warnings.push(warning);
    }
}

/// Runs a server until a signal and the drain after it; `invocation` is for the printed commands, and `sources` are those of the
/// configuration, for reloads. `log` is written out if the process ends because the runtime has stalled.
///
/// # Errors
/// A part could not be started, or a task of the server has failed.
pub async fn serve(
    config: Config,
    inherited: Inherited,
    (invocation, sources): (Invocation, Sources),
    log: &Guard,
) -> Result<(), ServeError> {
    let stall = config.watchdog.stall();
    let Signals { mut stop, hangup } = Signals::begin().map_err(StartError::Signals)?;
    let server = tokio::select! {
        server = Server::open(config, inherited) => server?,
        // The database may be long in coming, up to a minute while another process migrates its tables.
        () = stop.next() => return Ok(()),
    };
    let supervision = Supervision::begin(&server.state, stall, log.clone()).map_err(StartError::Watchdog)?;
    let notices = &supervision.notices;
    let serving = server.serving();
    let reloading = Reloading {
        state: Arc::clone(&server.state),
        sources: Arc::new(sources),
        log: log.clone(),
        feeds: Arc::clone(&server.feeds),
        certificate: server.read_certificate.clone(),
        notices: notices.clone(),
        serving: serving.clone(),
    };
    let Server { state, .. } = &server;
    state.node.tasks.spawn("reload", reloading.run(state.reloads.begin()));
    state.node.tasks.spawn("SIGHUP", follow_hangup(hangup, Arc::clone(state)));
    server.log_ready();
    notices.tell(Notice::Ready(serving));
    server.print_ready(invocation);
    server.run(&mut stop, notices).await
}

impl Server {
    /// Serves until a signal or a failed task begins the shutdown; a second signal cuts the shutdown short.
    async fn run(self, signals: &mut StopSignals, notices: &Notices) -> Result<(), ServeError> {
        let Self { state, accepting, relay, usage, backlog, feeds, telemetry, .. } = self;
        let failed = tokio::select! {
            () = signals.next() => None,
            task = state.node.tasks.failed() => Some(task),
        };
        let longest = state.node.config().timeouts.drain() + AFTER_DRAIN + AFTER_STOP;
        let open = state.node.seats.open();
        notices.tell(Notice::Stopping { status: draining(open), longest });
        let parts = Parts { accepting, relay, usage, backlog, telemetry };
        tokio::select! {
            () = stop(&state, parts) => {}
            () = tell_of_drain(&state, open, notices) => {}
            // A second signal means that the operator does not want to wait.
            () = signals.next() => {}
        }
        drop(feeds);
        // A task may also have failed while the server stopped.
        let failed = failed.or_else(|| state.node.tasks.failures().first().map(|(task, _)| *task));
        failed.map_or(Ok(()), |task| Err(ServeError::Task(task)))
    }
}

/// Tells systemd how many connections are left, whenever that has changed, until the process ends.
async fn tell_of_drain(state: &State, mut told: usize, notices: &Notices) {
    loop {
        sleep(TELL_OF_DRAIN).await;
        let left = state.node.seats.open();
        if left != told {
            notices.tell(Notice::Status(draining(left)));
            told = left;
        }
    }
}

fn draining(left: usize) -> String {
    format!("Draining, connections left: {left}")
}

/// Migrates the apps' database; of several processes at once, one does. Returns the line to print. `creates`: the embedded
/// database is created if none exists.
///
/// # Errors
/// The database could not be opened, or its tables not changed.
pub async fn migrate(config: &Config, creates: bool) -> Result<String, StartError> {
    app_commands::open_apps(config, creates).await?;
    Ok(match config.database() {
        Some(database) => format!("The tables of {} are up to date.\n", database.place()),
        None => "There is no database: the apps are those of the configuration.\n".to_owned(),
    })
}

/// Joins the other nodes, if there are any.
fn begin_relay(state: &State, listening: SocketAddr) -> Result<RelayTask, StartError> {
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(StartError::Random)?;
    let name = state.node.config().bus.node_name(listening);
    Taps::follow_webhooks(&state.node);
    Ok(RelayTask::begin(&state.node, u64::from_be_bytes(id), name))
}

#[cfg(test)]
mod tests;
