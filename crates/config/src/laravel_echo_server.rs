//! The settings of a laravel-echo-server that Fanfare replaces: its `laravel-echo-server.json` and its variables.
//!
//! Each key is taken over, or named with the reason why not; none is left out silently. Fanfare's own sources override
//! these settings, because the file was written for another program. Never repeats a password or a client's key.

mod api;
mod application;
mod engine;
mod made_app;
mod network;
mod options;
mod prefix;
mod redis;
mod reworded;
mod takeover;
mod variables;

use std::fmt::Write as _;
use std::path::PathBuf;

use super::effective::Effective;
use super::fault::{Cause, Fault, Origin};
use super::given::{Gathered, Given, GivenApp};
use super::sources::Sources;
use super::taken_over::taken_over;

use self::options::Options;
use self::takeover::{Taken, Takeover};

/// The name of the file in a directory.
const FILE: &str = "laravel-echo-server.json";

/// The values taken from a laravel-echo-server, in words for the operator who starts the server.
#[derive(Clone, Debug)]
pub struct LaravelEchoServer {
    /// The file.
    pub file: PathBuf,
    /// Each setting from the file or a variable, as `key = value (option)`, without secrets.
    pub taken: Vec<String>,
    /// What is not taken over, or otherwise than before: each with the reason, and with what to do.
    pub different: Vec<String>,
    /// Each option that is not taken over, and that nobody misses.
    pub not_needed: Vec<String>,
    /// Whether the app of `/socket.io/` is made from these settings, because no other source names an app.
    pub makes_app: bool,
    /// Whether that app's secret is another at each start, so that nobody else can sign for the app.
    pub has_random_secret: bool,
    /// The option that has given each setting; the settings of the app among them.
    options: Vec<(String, String)>,
}

/// A laravel-echo-server's settings between their reading and the start.
pub(super) struct Former {
    file: PathBuf,
    takeover: Takeover,
    makes_app: bool,
}

impl Former {
    /// Reads the file and the variables, where the sources name a file.
    pub fn open(sources: &Sources, faults: &mut Vec<Fault>) -> Option<Self> {
        let path = sources.laravel_echo_server()?;
        if sources.laravel.is_some() {
            let place = Origin::Flag("--laravel-echo-server");
            faults.push(Fault { place, cause: Cause::TwoApplications });
            return None;
        }
        let path = if path.is_dir() { path.join(FILE) } else { path };
        let options = Options::read(&path, &sources.environment, faults)?;
        let mut takeover = Takeover::default();
        takeover.switch_on(&path);
        network::take(&options, &mut takeover);
        redis::take(&options, &mut takeover);
        application::take(&options, &mut takeover);
        api::take(&options, &mut takeover);
        engine::take(&options, &mut takeover);
        takeover.name_the_rest(&options);
        faults.append(&mut takeover.faults);
        Some(Self { file: path, takeover, makes_app: false })
    }

    /// The settings of the node.
    pub fn settings(&self) -> Vec<Given> {
        self.takeover.settings.iter().map(|taken| taken.given.clone()).collect()
    }

    /// Adds the clients of the HTTP API, and the settings of the app: to the app that Socket.IO is for, where that app
    /// leaves them out; to an app made for them, if no source names one.
    pub fn settle(&mut self, effective: &mut Effective, gathered: &mut Gathered, faults: &mut Vec<Fault>) {
        // laravel-echo-server has one namespace: what comes from Redis is for those who come by Socket.IO.
        if !effective.text("redis_feed.url").is_empty() {
            effective.fill("redis_feed.app", "socketio.app");
        }
        gathered.clients.append(&mut self.takeover.clients);
        self.makes_app = made_app::settle(&self.file, &mut self.takeover, effective, gathered);
        let is_apps_own =
            |app: &GivenApp, setting: &str| app.settings.iter().any(|given| given.key == setting);
        self.takeover.settle_doubts(|setting| {
            let is_of_file = matches!(effective.get(setting).1, Origin::Option { .. });
            is_of_file && !gathered.apps.iter().all(|app| is_apps_own(app, setting))
        });
        faults.append(&mut self.takeover.faults);
    }

    /// What is most likely not what the operator wants.
    pub fn warnings(&self) -> Vec<String> {
        let file = self.file.display();
        self.takeover.warnings.iter().map(|note| format!("{file}: {note}")).collect()
    }

    /// The faults, those of options in the words of the file.
    pub fn reworded(faults: Vec<Fault>) -> Vec<Fault> {
        reworded::reworded(faults)
    }

    /// The words for the operator; `effective` has its secrets masked by now.
    pub fn told(self, effective: &Effective) -> LaravelEchoServer {
        let Takeover { settings, taken, different, not_needed, warnings, .. } = self.takeover;
        let Takeover { of_app: mut options, has_random_secret, .. } = self.takeover;
        let mut told = Vec::new();
        for Taken { given: Given { place: own, key, .. }, said } in settings {
            let (value, place) = effective.get(&key);
            if *place == own {
                told.push(format!("{key} = {value} ({said})"));
                options.push((key, said));
            } else {
                told.push(format!("{said}: not used, because {key} is set by {place}"));
            }
        }
        told.extend(taken);
        LaravelEchoServer {
            file: self.file,
            taken: told,
            different: warnings.into_iter().chain(different).collect(),
            not_needed,
            makes_app: self.makes_app,
            has_random_secret,
            options,
        }
    }
}

impl LaravelEchoServer {
    /// Why nobody but the server can sign for an app with a random secret, and what to do.
    pub const RANDOM_SECRET: &str = "the app made from the laravel-echo-server.json has another secret at each start, because no \
        client there has a key of 20 letters to make one from: give one such a key (`openssl rand -hex 16` prints it), or name \
        an app by PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET";

    /// The text printed at the start.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = taken_over(&self.file, &self.taken);
        for (heading, lines) in
            [("Missing, or otherwise than before", &self.different), ("Needs nothing", &self.not_needed)]
        {
            if !lines.is_empty() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "\n# {heading}");
            }
            for line in lines {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }

    /// The option, or the variable, that has given a setting; `None` if the setting comes from elsewhere. A setting of the
    /// app is meant by its key within the app, such as `authorization.url`.
    #[must_use]
    pub fn option_of(&self, setting: &str) -> Option<&str> {
        let (_, option) = self.options.iter().find(|(key, _)| key == setting)?;
        Some(option)
    }
}
