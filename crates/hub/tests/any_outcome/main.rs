//! A hub in a cluster that may say anything at any time, also what was meant for earlier copies and joins: every client
//! sees what a client can believe, and what the cluster is told adds up.

mod ledger;
mod members;
mod seen;
mod watchers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_hub::{Budget, Conn, Hubs, Subscriptions, Topics};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, SocketId};

/// Whether topics are live, as a script says.
#[derive(Default)]
struct Live(AtomicBool);

impl Topics for Live {
    fn is_live(&self, _: &AppId, _: &ChannelName) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

fn app() -> Arc<App> {
    let limits = Limits { members: 3, ..Limits::default() };
    let app = App::new("1".into(), Vec::new());
    Arc::new(App { limits, subscription_counts: true, watchlist_events: true, ..app })
}

fn hubs(live: &Arc<Live>) -> Hubs {
    Hubs::shared(Budget::default(), Arc::clone(live) as Arc<dyn Topics>)
}

fn connect(hubs: &Hubs, id: u64) -> Subscriptions {
    let conn = Conn::new(SocketId::from_bits(id), Arc::clone(hubs.budget()));
    Subscriptions::new(hubs.open(&app()), Arc::new(conn))
}
