//! Which apps get broadcasts from a Redis, from the start on.

use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::ids::AppId;
use tokio::time::MissedTickBehavior;

use crate::live_apps;
use crate::redis_feed::RedisFeeds;
use crate::state::State;

/// How often the app with the node's own feed is looked up, if it is one of the database's.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Begins to listen for the apps of the configuration, and for each of the database as soon as it is read.
pub(super) fn begin(state: &Arc<State>) -> Arc<RedisFeeds> {
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
