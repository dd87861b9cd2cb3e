//! A hub in a cluster: every client sees what a client can believe, and what the cluster is told adds up, whatever the
//! cluster says, and in whatever order threads run.

mod at_once;
#[cfg(not(shuttle))]
mod ledger;
#[cfg(not(shuttle))]
mod members;
#[cfg(shuttle)]
mod races;
mod seen;
mod view;
#[cfg(not(shuttle))]
mod watchers;

use std::sync::Arc;

use fanfare_hub::{Budget, Conn, Dialect, Hubs, Subscriptions, Topics};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, SocketId};
#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(shuttle))]
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether topics are live, as a script says.
struct Live(AtomicBool);

impl Live {
    fn new(is_live: bool) -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(is_live)))
    }

    fn set(&self, is_live: bool) {
        self.0.store(is_live, Ordering::SeqCst);
    }
}

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
    connect_speaking(Dialect::Pusher, hubs, id)
}

fn connect_speaking(dialect: Dialect, hubs: &Hubs, id: u64) -> Subscriptions {
    let conn = Conn::speaking(dialect, SocketId::from_bits(id), Arc::clone(hubs.budget()));
    Subscriptions::new(hubs.open(&app()), Arc::new(conn))
}

/// Every other client speaks Socket.IO.
fn dialect(slot: usize) -> Dialect {
    if slot.is_multiple_of(2) { Dialect::Pusher } else { Dialect::SocketIo }
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, 164).expect("a legal name")
}
