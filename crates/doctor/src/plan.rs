//! The plan of checks, from an application's `.env`, a configuration and the command line; the last wins.

use std::time::Duration;

use fanfare_config::{Config, Fault, Flags, LaravelEchoServer, Sources};
use fanfare_laravel::dotenv::{AppNames, Driver, Project, USUAL_REDIS};
use fanfare_outgoing::Trust;
use fanfare_protocol::app::App;
use fanfare_protocol::auth::{Credential, Secret};
use fanfare_redis::RedisAddress;

use super::app::ExaminedApp;
use super::authorization::{Question, Readers};
use super::base_url::BaseUrl;
use super::bus::AskedBus;
use super::options::Doctor;
use super::redis::AskedRedis;
use super::redis_names::RedisNames;
use super::signed::Signer;
use super::socket_io::AskedSocketIo;
use super::standpoint::Standpoint;
use super::wording::Wording;

/// The families of variables that name an app.
const FAMILIES: [AppNames; 2] = [AppNames::Pusher, AppNames::Reverb];

/// Everything to check.
pub struct Plan {
    /// The server's URL for browsers.
    pub(super) browser: Option<BaseUrl>,
    /// The server's URL for back ends.
    pub(super) back_end: Option<BaseUrl>,
    pub(super) app: Option<ExaminedApp>,
    /// Why nothing can be signed, if nothing can.
    pub(super) unsigned: &'static str,
    /// The page's origin.
    pub(super) origin: Option<String>,
    pub(super) redis: Option<AskedRedis>,
    /// The Redis servers between nodes.
    pub(super) bus: Vec<AskedBus>,
    /// Socket.IO, where the configuration switches it on.
    pub(super) socket_io: Option<AskedSocketIo>,
    pub(super) question: Option<Question>,
    pub(super) trust: Trust,
    /// How long the doctor listens to Redis.
    pub(super) watch: Duration,
    /// What the configuration itself has that is most likely not wanted.
    pub(super) warnings: Vec<String>,
    pub(super) standpoint: Standpoint,
}

/// A path to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Browsers and back ends use the same.
    Both,
    Browser,
    BackEnd,
}

/// Why there is nothing to check.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No input names anything to check.
    #[error(
        "say what to look at: --laravel PATH, --laravel-echo-server FILE, --config FILE, --url ws://HOST:PORT, --redis URL or \
         --auth-url URL; or begin where the server has its fanfare-data, or name that by --data-dir"
    )]
    Nothing,
    /// A question to nobody.
    #[error(
        "--channel: no URL is known that could be asked: the app has no authorization.url, and no .env has an APP_URL; \
         name one with --auth-url"
    )]
    NobodyToAsk,
    /// The database that the configuration names.
    #[error("{0}")]
    Apps(String),
    /// A URL of the command line.
    #[error("{option}: must be {expected}")]
    Url {
        /// The option.
        option: &'static str,
        /// The expected form.
        expected: &'static str,
    },
    /// An authorization check without a channel.
    #[error("--auth-url: say which channel to ask about, with --channel private-NAME")]
    NoChannel,
    /// An invalid header on the command line.
    #[error("--header: must be NAME: VALUE")]
    Header,
    /// An invalid file of authorities.
    #[error("--ca-file: {0}")]
    CaFile(fanfare_outgoing::TrustError),
    /// Faults of the `.env` or the configuration.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
}

impl Plan {
    /// Combines the command line, the project and the configuration.
    ///
    /// # Errors
    /// Something cannot be read, or nothing was said.
    pub async fn new(asked: &Doctor, environment: Vec<(String, String)>) -> Result<Self, PlanError> {
        let flags =
            Flags { listen: asked.listen.clone(), data_dir: asked.data_dir.clone(), ..Flags::default() };
        let sources = Sources {
            flags,
            file: asked.config.clone(),
            laravel: asked.laravel.clone(),
            laravel_echo_server: asked.laravel_echo_server.clone(),
            environment: environment.clone(),
            apps_in_part: true,
            ..Sources::default()
        };
        let mut config = Config::load(&sources).map_err(PlanError::Faults)?;
        // Read once already, so that it can be read.
        let project = asked.laravel.as_deref().and_then(|path| Project::open(path, &environment).ok());
        let project = project.as_ref();
        let trust = match &asked.ca_file {
            Some(file) => Trust::with_file(file).map_err(PlanError::CaFile)?,
            None => Trust::public(),
        };
        let variable = |suffix: &str| variable(project, &environment, suffix);
        let apps = known_apps(asked, &config, &variable).await?;
        // A file that a variable names is meant as much as one of an option.
        let names_settings = sources.file().is_some() || config.laravel_echo_server.is_some();
        let is_known = Known { app: !apps.is_empty(), settings: names_settings };
        let (browser, back_end) = places(asked, &config, project, is_known)?;
        let former = config.laravel_echo_server.as_ref();
        let app = app(asked, &apps, &variable, former);
        let id = app.as_ref().and_then(|app| app.id.as_deref());
        let configured = apps.iter().find(|app| Some(app.id.as_str()) == id);
        let redis = redis(asked, &config, project, configured, &trust);
        let proxy = browser
            .as_ref()
            .zip(app.as_ref())
            .map(|(place, app)| format!("{}/app/{}/auth", place.url("http"), app.key));
        let socket_io = AskedSocketIo::of(&config);
        let answers = if socket_io.is_some() { Readers::SocketIo } else { Readers::PusherJs };
        let question = question(asked, project, (configured, former), (proxy, answers))?;
        let bus = bus(&config);
        let looks_at_a_server = browser.is_some() || back_end.is_some();
        if !looks_at_a_server && redis.is_none() && bus.is_empty() && question.is_none() {
            return Err(PlanError::Nothing);
        }
        let origin = project.and_then(|project| project.application.origin()).map(|said| said.value);
        let (watch, unsigned) = (Duration::from_secs(asked.watch.into()), unsigned(former));
        let warnings = std::mem::take(&mut config.warnings);
        Ok(Self {
            browser,
            back_end,
            app,
            unsigned,
            origin,
            redis,
            bus,
            socket_io,
            question,
            trust,
            watch,
            warnings,
            standpoint: Standpoint::default(),
        })
    }

    pub(super) fn way_of_browsers(&self) -> Way {
        if self.back_end.is_none() || self.browser == self.back_end { Way::Both } else { Way::Browser }
    }

    /// The signer, if all credentials are known.
    pub(super) fn signer(&self) -> Option<Signer> {
        let app = self.app.as_ref()?;
        Some(Signer { app_id: app.id.clone()?, credential: app.credential.clone()? })
    }
}

/// The URL of a server on the command line.
fn parse_url(option: &'static str, text: &str) -> Result<BaseUrl, PlanError> {
    let expected = "a URL such as wss://ws.example.com or http://127.0.0.1:6001/prefix";
    BaseUrl::parse(text).ok_or(PlanError::Url { option, expected })
}

/// The apps of the configuration, and the one of its database that is asked for, or is the first there. The database stays
/// as it is.
async fn known_apps(
    asked: &Doctor,
    config: &Config,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<App>, PlanError> {
    let mut apps = config.fixed_apps();
    let key = asked.key.clone().or_else(|| variable("APP_KEY"));
    let id = asked.app_id.clone().or_else(|| variable("APP_ID"));
    let names_another = asked.url.is_some() || asked.laravel.is_some();
    if names_another && key.is_none() && id.is_none() {
        // The first app of this database may be none of the server that is named.
        return Ok(apps);
    }
    match config.stored_app(key.as_deref(), id.as_deref()).await {
        Ok(app) => apps.extend(app),
        // A database of this machine need not be the one of a server elsewhere.
        Err(_) if names_another => {}
        Err(error) => return Err(PlanError::Apps(error.to_string())),
    }
    Ok(apps)
}

/// What the configuration tells.
#[derive(Clone, Copy)]
struct Known {
    /// An app.
    app: bool,
    /// The settings of a server, from a file that is named.
    settings: bool,
}

/// Where browsers connect, and where back ends send to; a server of this machine, if nothing is named and an app is known.
fn places(
    asked: &Doctor,
    config: &Config,
    project: Option<&Project>,
    known: Known,
) -> Result<(Option<BaseUrl>, Option<BaseUrl>), PlanError> {
    let url = asked.url.as_deref().map(|text| parse_url("--url", text)).transpose()?;
    let api = asked.api.as_deref().map(|text| parse_url("--api", text)).transpose()?;
    let prefix = &config.listen.path_prefix;
    let family = project.map_or(AppNames::Pusher, family).prefix();
    let of = |family: &str| project.and_then(|project| BaseUrl::of(project, family, prefix));
    // The listener's address, if no application names the server's address.
    let listens = || {
        let place = BaseUrl::own(&config.listen, config.listen.addr.first());
        let is_named = asked.redis.is_some() || asked.auth_url.is_some() || asked.channel.is_some();
        let is_meant = known.settings || asked.listen.is_some() || project.is_some();
        (is_meant || (known.app && !is_named)).then_some(place)
    };
    let back_end = api.or_else(|| url.clone()).or_else(|| of(family)).or_else(listens);
    let browser = url.or_else(|| of(&format!("VITE_{family}"))).or_else(|| back_end.clone());
    Ok((browser, back_end))
}

/// The app: what no option says is taken from the variables, then from the configuration's app of that key or id, or
/// else its first.
fn app(
    asked: &Doctor,
    apps: &[App],
    variable: &dyn Fn(&str) -> Option<String>,
    former: Option<&LaravelEchoServer>,
) -> Option<ExaminedApp> {
    let id = asked.app_id.clone().or_else(|| variable("APP_ID"));
    let key = asked.key.clone().or_else(|| variable("APP_KEY"));
    let secret = asked.secret.clone().or_else(|| variable("APP_SECRET"));
    let of_key = |app: &&App| key.as_deref().is_some_and(|key| app.credential(key).is_some());
    let of_id = |app: &&App| id.as_deref() == Some(app.id.as_str());
    let configured = apps.iter().find(of_key).or_else(|| apps.iter().find(of_id)).or(apps.first());
    let pair = configured.and_then(|app| {
        key.as_deref().and_then(|key| app.credential(key)).or_else(|| app.credentials.first())
    });
    let id = id.or_else(|| configured.map(|app| app.id.as_str().to_owned()));
    // A secret made by this start is not the server's.
    let is_made_now = former.is_some_and(|former| former.has_random_secret);
    let configured = pair.filter(|_| !is_made_now).map(|pair| pair.secret.clone());
    let secret = secret.as_deref().map(Secret::new).or(configured);
    let key = key.or_else(|| pair.map(|pair| pair.key.as_str().to_owned()))?;
    let credential = secret.map(|secret| Credential { key: key.as_str().into(), secret });
    Some(ExaminedApp { id, key, credential })
}

/// Why nothing can be signed.
fn unsigned(former: Option<&LaravelEchoServer>) -> &'static str {
    match former.filter(|former| former.has_random_secret) {
        Some(_) => LaravelEchoServer::RANDOM_SECRET,
        None => {
            "no app id and secret are known: use --app-id and --secret, --config, --laravel or --laravel-echo-server"
        }
    }
}

/// The value of `PUSHER_…` or `REVERB_…`: from a project, or from the first family in the environment that
/// names an app, even in part.
fn variable(project: Option<&Project>, environment: &[(String, String)], suffix: &str) -> Option<String> {
    if let Some(project) = project {
        let said = project.application.filled(&format!("{}_{suffix}", family(project).prefix()));
        return said.map(|said| said.value);
    }
    let filled = |family: &str, suffix: &str| {
        let name = format!("{family}_{suffix}");
        let (_, value) = environment.iter().find(|(known, _)| *known == name)?;
        (!value.is_empty()).then(|| value.clone())
    };
    let names_an_app = |family: &&str| {
        ["APP_ID", "APP_KEY", "APP_SECRET"].iter().any(|suffix| filled(family, suffix).is_some())
    };
    let families = FAMILIES.map(AppNames::prefix);
    filled(families.iter().find(|family| names_an_app(family))?, suffix)
}

/// The variables of a project's broadcast driver, even if the variables name an app only in part.
fn family(project: &Project) -> AppNames {
    let application = &project.application;
    let used = || FAMILIES.into_iter().filter(|names| application.uses(*names));
    let in_part = |names: &AppNames| application.credentials(*names).iter().any(Option::is_some);
    let names = application.names().or_else(|| used().find(in_part)).or_else(|| used().next());
    names.unwrap_or(AppNames::Pusher)
}

/// The Redis: of the command line, of a project with that driver, of the configuration's app, or of the node.
fn redis(
    asked: &Doctor,
    config: &Config,
    project: Option<&Project>,
    app: Option<&App>,
    trust: &Trust,
) -> Option<AskedRedis> {
    let feed = &config.redis_feed;
    let trust = if asked.ca_file.is_some() { trust } else { &feed.trust };
    let of = |address, prefix: Option<String>, names| AskedRedis {
        address,
        prefix: asked.prefix.clone().or(prefix),
        trust: trust.clone(),
        names,
    };
    let usual = RedisNames::default;
    let of_project = || project?.redis_prefix().map(|prefix| prefix.value);
    let apps = app.and_then(|app| feed.of(app).ok().flatten());
    let nodes = || feed.address.clone().map(|address| (address, feed.prefix.clone()));
    let configured = apps.map(|(address, prefix)| (address, Some(prefix))).or_else(nodes);
    if let Some(url) = &asked.redis {
        let prefix = of_project().or_else(|| configured.and_then(|(_, prefix)| prefix));
        return Some(of(RedisAddress::parse(url), prefix, usual()));
    }
    let application = project.map(|project| &project.application);
    if let Some(application) = application
        && let Some((Driver::Redis, _)) = application.driver()
    {
        let url = application.redis_url().map_or_else(|| USUAL_REDIS.to_owned(), |said| said.value);
        return Some(of(RedisAddress::parse(&url), of_project(), usual()));
    }
    let own = app.is_some_and(|app| !app.redis_feed.is_none());
    let former = config.laravel_echo_server.as_ref().filter(|_| !own).map(RedisNames::of);
    let names = former.unwrap_or_default();
    let names = if asked.prefix.is_some() { names.without_prefix() } else { names };
    configured.map(|(address, prefix)| of(Ok(address), prefix, names))
}

/// Every Redis of the bus, with the authorities of the configuration: `--ca-file` is about other servers.
pub(super) fn bus(config: &Config) -> Vec<AskedBus> {
    let bus = &config.bus;
    let of = |(place, address): (usize, &RedisAddress)| AskedBus {
        address: address.clone(),
        trust: bus.trust.clone(),
        prefix: bus.prefix.clone(),
        partitions: bus.partitions,
        place,
    };
    bus.urls.iter().enumerate().map(of).collect()
}

fn question(
    asked: &Doctor,
    project: Option<&Project>,
    (app, former): (Option<&App>, Option<&LaravelEchoServer>),
    (proxy, readers): (Option<String>, Readers),
) -> Result<Option<Question>, PlanError> {
    let Some(channel) = asked.channel.clone() else {
        return if asked.auth_url.is_some() { Err(PlanError::NoChannel) } else { Ok(None) };
    };
    let of_option = || asked.auth_url.clone().map(|url| (url, "--auth-url".to_owned()));
    let of_project = || {
        let url = project?.application.auth_url()?.value;
        Some((url, "--auth-url (by itself APP_URL and /broadcasting/auth)".to_owned()))
    };
    let of_app = || {
        let named = former.filter(|former| former.option_of("authorization.url").is_some());
        let named = named.map(|former| format!("authHost and authEndpoint in {}", former.file.display()));
        let url = app?.authorization.url.clone()?;
        Some((url, named.unwrap_or_else(|| "the app's authorization.url".to_owned())))
    };
    let (url, named) = of_option().or_else(of_project).or_else(of_app).ok_or(PlanError::NobodyToAsk)?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(PlanError::Url {
            option: "--auth-url",
            expected: "a URL such as https://app.example.com/broadcasting/auth",
        });
    }
    let mut headers = Vec::new();
    headers.extend(asked.cookie.clone().map(|cookie| ("cookie".to_owned(), cookie)));
    for header in &asked.header {
        let (name, value) = header.split_once(':').ok_or(PlanError::Header)?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let wording = Wording::Options;
    Ok(Some(Question { url, named, channel, headers, wording, readers, proxy }))
}
