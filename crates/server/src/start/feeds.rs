//! The Redis feeds of a server, from the start on.

use std::sync::Arc;
use std::time::Duration;

use fanfare_node::live_apps;
use fanfare_protocol::ids::AppId;
use tokio::time::MissedTickBehavior;

use crate::redis_feed::RedisFeeds;
use crate::state::State;

/// Interval of look-ups of the app with the node's own feed, if the app is in the database.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Starts the feeds of the configuration's apps, and of each app of the database as soon as the app is read.
pub(super) fn begin(state: &Arc<State>) -> Arc<RedisFeeds> {
    let feeds = Arc::new(RedisFeeds::new(Arc::clone(state)));
    for app in state.node.config().fixed_apps() {
        feeds.set(&Arc::new(app));
    }
    // Without a database there is nothing to follow.
    if state.node.apps.has_database() {
        let knowing = know_app(Arc::clone(state), Arc::clone(&feeds));
        state.node.tasks.spawn("app of the node's Redis feed", knowing);
        let hearing = Arc::clone(&feeds);
        let following = live_apps::follow(Arc::clone(&state.node), move |change| hearing.hear(change));
        state.node.tasks.spawn("changes of apps", following);
    }
    feeds
}

/// Keeps the app with the node's own feed known, if the app is in the database: its settings do not name the feed.
async fn know_app(state: Arc<State>, feeds: Arc<RedisFeeds>) {
    let mut every = tokio::time::interval(LOOK_UP);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let nodes_own: Option<AppId> = state.node.config().redis_feed.app.clone();
        let Some(id) = nodes_own.filter(|id| !state.node.apps.is_fixed(id.as_str())) else { continue };
        // While the database is away, the next look-up tries again.
        if let Ok(Some(app)) = state.node.apps.by_id(id.as_str()).await {
            feeds.set(&app);
        }
    }
}
