//! `[redis_feed]`: the Redis of Laravel's broadcasts, and the app that gets them.
//!
//! Refuses a feed that would listen to nothing, or could not assign its broadcasts to an app. A prefix is
//! never guessed: a wrong prefix would deliver private broadcasts on channels with public names.

use fanfare_outgoing::{Reach, Trust};
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use fanfare_redis::{NotAnAddress, RedisAddress};

use super::apps::FixedApp;
use super::authorities;
use super::effective::Effective;
use super::fault::{Cause, Fault, Origin};
use super::sections::AppsSection;

const URL: &str = "redis_feed.url";
const PREFIX: &str = "redis_feed.prefix";
const APP: &str = "redis_feed.app";
const CA_FILE: &str = "redis_feed.ca_file";

/// The node's feed, and the defaults of apps' feeds.
#[derive(Clone, Debug)]
pub struct RedisFeedSection {
    /// The Redis of all apps that name none.
    pub address: Option<RedisAddress>,
    /// The prefix of the node's own feed; `None` if not set.
    pub prefix: Option<String>,
    /// The app that gets the node's own feed; for the embedded database the start sets its first app here.
    pub app: Option<AppId>,
    /// The trusted certificate authorities, also for the Redis of apps.
    pub trust: Trust,
    /// The addresses allowed for the Redis of an app; the node's Redis may be anywhere.
    pub reach: Reach,
}

/// Why an app's feed cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFeed {
    /// The URL is invalid.
    #[error("redis_feed.url: {0}")]
    Url(#[from] NotAnAddress),
    /// Neither the app nor the node has a Redis.
    #[error("redis_feed.prefix is set, but neither the app's redis_feed.url nor the node's")]
    NoUrl,
    /// The app has a Redis, but no prefix.
    #[error("redis_feed.url is set without redis_feed.prefix")]
    NoPrefix,
}

impl RedisFeedSection {
    /// The Redis and the prefix that an app's broadcasts come from, if it has any.
    ///
    /// # Errors
    /// The missing or wrong part.
    pub fn of(&self, app: &App) -> Result<Option<(RedisAddress, String)>, NoFeed> {
        let own = &app.redis_feed;
        let Some(prefix) = self.prefix_of(app) else {
            return if own.url.is_some() { Err(NoFeed::NoPrefix) } else { Ok(None) };
        };
        let address = match &own.url {
            Some(url) => RedisAddress::parse(url.expose())?.within(self.reach),
            None => self.address.clone().ok_or(NoFeed::NoUrl)?,
        };
        Ok(Some((address, prefix.to_owned())))
    }

    /// The prefix of the app's channels in Redis; `None` if the app has no broadcasts from Redis.
    #[must_use]
    pub fn prefix_of<'a>(&'a self, app: &'a App) -> Option<&'a str> {
        let nodes = if self.app.as_ref() == Some(&app.id) { self.prefix.as_deref() } else { None };
        app.redis_feed.prefix.as_deref().or(nodes)
    }
}

/// Reads the section, and checks it against the apps.
pub(super) fn read(effective: &Effective, fixed: &[FixedApp], faults: &mut Vec<Fault>) -> RedisFeedSection {
    let given = |key| Some(effective.text(key)).filter(|text| !text.is_empty());
    let only = match fixed {
        [only] => Some(only.app.id.clone()),
        _ => None,
    };
    let mut feed = RedisFeedSection {
        address: given(URL).and_then(|url| RedisAddress::parse(&url).ok()),
        prefix: (*effective.get(PREFIX).1 != Origin::Default).then(|| effective.text(PREFIX)),
        app: given(APP).map(|id| AppId::from(&*id)).or(only),
        trust: authorities::trust(effective, CA_FILE, faults),
        // `reach` is part of an address's equality: open here, so that apps with the same Redis compare equal; set
        // below.
        reach: Reach::Anywhere,
    };
    if ![URL, PREFIX, APP].into_iter().any(|key| effective.is_faulty(key)) {
        check_node(&feed, effective, fixed, faults);
        check_apps(&feed, fixed, faults);
    }
    feed.reach = effective.section::<AppsSection>("apps").reach();
    feed
}

/// Checks that the node's own feed is complete.
fn check_node(feed: &RedisFeedSection, effective: &Effective, fixed: &[FixedApp], faults: &mut Vec<Fault>) {
    let has_database = !effective.text("apps.database").is_empty();
    let is_embedded = fixed.is_empty() && !has_database;
    let mut fault = |key, cause| faults.push(Fault { place: effective.get(key).1.clone(), cause });
    if feed.address.is_none() {
        for key in [PREFIX, APP].into_iter().filter(|key| !effective.text(key).is_empty()) {
            fault(key, Cause::NoFeedUrl { key: key.to_owned(), url: URL.to_owned() });
        }
        return;
    }
    let Some(id) = &feed.app else {
        let is_for_others = has_database || fixed.iter().any(|fixed| !fixed.app.redis_feed.is_none());
        // The first app of the embedded database gets the feed.
        if !is_embedded && (feed.prefix.is_some() || !is_for_others) {
            fault(URL, Cause::NoFeedApp);
        }
        return;
    };
    let app = fixed.iter().find(|fixed| fixed.app.id == *id);
    if app.is_none() && !has_database && !is_embedded {
        fault(APP, Cause::NoSuchFeedApp(id.as_str().to_owned()));
    } else if feed.prefix.is_none() && app.is_none_or(|fixed| fixed.app.redis_feed.prefix.is_none()) {
        fault(URL, Cause::NoFeedPrefix { key: PREFIX.to_owned() });
    }
}

/// Checks that the feeds of the configuration's apps are complete and distinct.
fn check_apps(feed: &RedisFeedSection, fixed: &[FixedApp], faults: &mut Vec<Fault>) {
    let mut feeds: Vec<(String, (RedisAddress, String))> = Vec::new();
    for FixedApp { place, name, app } in fixed {
        let cause = match feed.of(app) {
            Ok(None) => continue,
            Ok(Some(own)) => match feeds.iter().find(|(_, other)| *other == own) {
                Some((other, _)) => Cause::SameFeed { app: name.clone(), other: other.clone() },
                None => {
                    feeds.push((name.clone(), own));
                    continue;
                }
            },
            Err(NoFeed::NoPrefix) => Cause::NoFeedPrefix { key: format!("{name}.{PREFIX}") },
            // Such an app gets the node's own feed, whose missing URL was reported.
            Err(NoFeed::NoUrl) if app.redis_feed.prefix.is_none() => continue,
            Err(NoFeed::NoUrl) => {
                Cause::NoFeedUrl { key: format!("{name}.{PREFIX}"), url: format!("{URL} or {name}.{URL}") }
            }
            // Each value was checked by its kind.
            Err(NoFeed::Url(fault)) => Cause::RedisUrl { key: format!("{name}.{URL}"), fault },
        };
        faults.push(Fault { place: place.clone(), cause });
    }
}
