//! The plan of a server that examines itself, because an operator asks it to (CON-056).
//!
//! Nothing is asked but what the server's configuration and the app's settings name, and addresses of an app's settings within
//! the configuration's rules (CON-057). An operator who may see one app alone is told nothing of the node.

use std::net::SocketAddr;
use std::time::Duration;

use fanfare_config::Config;
use fanfare_outgoing::{Client, Trust};
use fanfare_protocol::app::App;

use super::app::ExaminedApp;
use super::authorization::{Question, Readers};
use super::base_url::BaseUrl;
use super::plan::{Plan, bus};
use super::redis::AskedRedis;
use super::redis_names::RedisNames;
use super::socket_io::AskedSocketIo;
use super::standpoint::{Descriptors, Standpoint};
use super::wording::Wording;

/// How long Redis is listened to.
const WATCH: Duration = Duration::from_secs(3);

/// What a server examines of itself.
pub struct Inside<'a> {
    /// The configuration in effect.
    pub config: &'a Config,
    /// Where the server listens for clients and back ends.
    pub listening: SocketAddr,
    /// The app; without one the node alone is examined.
    pub app: Option<&'a App>,
    /// The channel that the app's application is asked about.
    pub channel: Option<&'a str>,
    /// Whether the operator may see the node.
    pub sees_node: bool,
    /// Sends requests to applications, to the addresses that apps may name.
    pub applications: Client,
}

impl Plan {
    /// The plan of a server that examines itself.
    #[must_use]
    pub fn inside(asked: Inside<'_>) -> Self {
        let Inside { config, listening, app, channel, sees_node, applications } = asked;
        let place = BaseUrl::own(&config.listen, listening);
        let question = channel.and_then(|channel| question(config, app?, channel, &place));
        let socket_io = AskedSocketIo::of(config).filter(|_| match app {
            Some(app) => config.socketio.app.as_ref() == Some(&app.id),
            None => true,
        });
        Self {
            browser: Some(place.clone()),
            back_end: Some(place),
            app: app.and_then(examined),
            unsigned: "no app is examined that has a key",
            origin: None,
            redis: redis(config, app, sees_node),
            bus: if sees_node { bus(config) } else { Vec::new() },
            socket_io,
            question,
            trust: Trust::public(),
            watch: WATCH,
            warnings: if sees_node { config.warnings.clone() } else { Vec::new() },
            standpoint: Standpoint {
                wording: Wording::Settings,
                descriptors: if sees_node { Descriptors::OfThisProcess } else { Descriptors::Untold },
                applications: Some(applications),
            },
        }
    }
}

fn examined(app: &App) -> Option<ExaminedApp> {
    let credential = app.credentials.first()?.clone();
    let (id, key) = (Some(app.id.as_str().to_owned()), credential.key.as_str().to_owned());
    Some(ExaminedApp { id, key, credential: Some(credential) })
}

/// The Redis of the app, or that of the node where it is told of.
fn redis(config: &Config, app: Option<&App>, sees_node: bool) -> Option<AskedRedis> {
    let feed = &config.redis_feed;
    let (address, prefix) = match app {
        Some(app) if sees_node || app.redis_feed.url.is_some() => {
            let (address, prefix) = feed.of(app).ok().flatten()?;
            (address, Some(prefix))
        }
        Some(_) => return None,
        None => (feed.address.clone()?, feed.prefix.clone()),
    };
    let (trust, names) = (feed.trust.clone(), RedisNames::inside());
    Some(AskedRedis { address: Ok(address), trust, prefix, names })
}

fn question(config: &Config, app: &App, channel: &str, place: &BaseUrl) -> Option<Question> {
    let key = app.credentials.first()?.key.as_str();
    Some(Question {
        url: app.authorization.url.clone()?,
        named: "the app's authorization.url".to_owned(),
        channel: channel.to_owned(),
        headers: Vec::new(),
        wording: Wording::Settings,
        readers: if config.socketio.enabled { Readers::SocketIo } else { Readers::PusherJs },
        proxy: Some(format!("{}/app/{key}/auth", place.url("http"))),
    })
}
