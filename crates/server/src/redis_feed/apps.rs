//! Which apps take broadcasts from which Redis now; applies every change of an app at once.
//!
//! An app with a faulty feed goes on without a feed; the connection to an unused Redis is closed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use fanfare_apps::AppChange;
use fanfare_config::NoFeed;
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use fanfare_redis::{RedisAddress, Subscriber, WantedPrefixes};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::events::{FeedEvents, FeedRoutes};
use super::publishing::{self, FeedRoute};
use super::queue::{ByteBudget, queue};
use crate::state::State;

/// All feeds of this node.
pub struct RedisFeeds {
    state: Arc<State>,
    room: ByteBudget,
    /// Held while a feed begins or ends; nothing waits under the lock.
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    feeds: HashMap<AppId, Feed>,
    connections: HashMap<RedisAddress, Connection>,
    /// Why apps lack the feed of their settings; each reason is logged once.
    faulty: HashMap<AppId, NoFeed>,
}

/// The feed of one app.
struct Feed {
    address: RedisAddress,
    prefix: String,
    route: Arc<FeedRoute>,
}

/// A subscribed Redis connection, closed on drop.
struct Connection {
    wanted: watch::Sender<WantedPrefixes>,
    routes: Arc<RwLock<FeedRoutes>>,
}

impl RedisFeeds {
    /// No feeds yet.
    #[must_use]
    pub fn new(state: Arc<State>) -> Self {
        let room = ByteBudget::new(state.node.config().limits.request_bytes);
        Self { state, room, table: Mutex::default() }
    }

    /// Applies a change of an app in the database.
    pub fn hear(&self, change: &AppChange) {
        match change {
            AppChange::Now(app) | AppChange::Same(app) => self.set(app),
            AppChange::Gone(app) => {
                let mut table = self.table.lock();
                table.faulty.remove(&app.id);
                if let Some(feed) = table.feeds.remove(&app.id) {
                    self.end(&mut table, &app.id, &feed);
                }
            }
        }
    }

    /// Makes the app's feed match the app's settings.
    pub fn set(&self, app: &Arc<App>) {
        let wanted = if app.enabled { self.state.node.config().redis_feed.of(app) } else { Ok(None) };
        let mut table = self.table.lock();
        let wanted = match wanted {
            Ok(wanted) => {
                table.faulty.remove(&app.id);
                wanted
            }
            Err(fault) => {
                if table.faulty.insert(app.id.clone(), fault) != Some(fault) {
                    let app = app.id.as_str();
                    tracing::warn!(target: "fanfare::redis_feed", app, %fault, "the app gets no broadcasts");
                }
                None
            }
        };
        match (table.feeds.get(&app.id), wanted) {
            (Some(feed), Some((address, prefix))) if (&feed.address, &feed.prefix) == (&address, &prefix) => {
                feed.route.set_app(app);
            }
            (_, wanted) => {
                let before = table.feeds.remove(&app.id);
                // Begins the new feed first: a Redis that is still wanted is not disconnected in between.
                if let Some((address, prefix)) = wanted {
                    self.begin(&mut table, app, address, prefix);
                }
                if let Some(feed) = before {
                    self.end(&mut table, &app.id, &feed);
                }
            }
        }
    }

    fn begin(&self, table: &mut Table, app: &Arc<App>, address: RedisAddress, prefix: String) {
        let (sender, receiver) = queue(&self.room);
        let numbers = self.state.redis_feed.begin(&app.id);
        let route = Arc::new(FeedRoute::new(Arc::clone(app), sender, numbers, &self.state.node));
        let publishing = publishing::run(Arc::downgrade(&route), receiver);
        self.state.node.tasks.spawn_work("publishing of a Redis feed", publishing);
        let connection = match table.connections.entry(address.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.connect(&address)),
        };
        {
            let mut routes = connection.routes.write();
            let mut sharing = routes.remove(&prefix).unwrap_or_default();
            sharing.push(Arc::clone(&route));
            sharing.sort_by_key(|route| rank(&route.app().id, &self.state));
            warn_of_sharing(&sharing);
            routes.insert(&prefix, sharing);
        }
        connection.wanted.send_modify(|wanted| {
            wanted.insert(Arc::from(&*prefix));
        });
        tracing::info!(target: "fanfare::redis_feed", app = app.id.as_str(), redis = %address, prefix, "feed begins");
        table.feeds.insert(app.id.clone(), Feed { address, prefix, route });
    }

    fn connect(&self, address: &RedisAddress) -> Connection {
        let (wanted, wants) = watch::channel(WantedPrefixes::new());
        let routes: Arc<RwLock<FeedRoutes>> = Arc::default();
        self.state.redis_feed.connect(address);
        let mut events =
            FeedEvents::new(address.clone(), Arc::clone(&routes), Arc::clone(&self.state.redis_feed));
        let config = self.state.node.config();
        let longest = config.limits.request_bytes as u64;
        let subscriber = Subscriber::new(address, &config.redis_feed.trust, longest);
        let listening = subscriber.run(wants, move |happening| events.hear(happening));
        self.state.node.tasks.spawn_work("Redis feed", listening);
        Connection { wanted, routes }
    }

    /// Ends a feed that was removed from the table.
    fn end(&self, table: &mut Table, app: &AppId, Feed { address, prefix, route }: &Feed) {
        tracing::info!(target: "fanfare::redis_feed", app = app.as_str(), redis = %address, prefix, "feed ends");
        if !table.feeds.contains_key(app) {
            self.state.redis_feed.end(app);
        }
        let Some(connection) = table.connections.get(address) else { return };
        let mut routes = connection.routes.write();
        let mut sharing = routes.remove(prefix).unwrap_or_default();
        sharing.retain(|other| !Arc::ptr_eq(other, route));
        if !sharing.is_empty() {
            routes.insert(prefix, sharing);
            return;
        }
        let is_last = routes.is_empty();
        drop(routes);
        connection.wanted.send_modify(|wanted| {
            wanted.remove(&**prefix);
        });
        self.state.redis_feed.granted(address, prefix);
        if is_last {
            table.connections.remove(address);
            self.state.redis_feed.disconnect(address);
        }
    }
}

/// The order of apps that share a prefix, the same on every node: the configuration's apps, then the smaller id.
fn rank(app: &AppId, state: &State) -> (bool, usize, AppId) {
    let is_fixed = state.node.apps.is_fixed(app.as_str());
    (!is_fixed, app.as_str().len(), app.clone())
}

fn warn_of_sharing(sharing: &[Arc<FeedRoute>]) {
    let [first, others @ ..] = sharing else { return };
    let app = first.app().id.clone();
    for other in others {
        tracing::warn!(
            target: "fanfare::redis_feed",
            app = app.as_str(), other = other.app().id.as_str(),
            "two apps have the same Redis and prefix: the first gets all broadcasts, the other none"
        );
    }
}
