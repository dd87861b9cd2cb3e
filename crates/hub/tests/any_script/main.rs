//! Arbitrary scripts of connections, in any order: in sequence the hub agrees with plain tables, and concurrently
//! every connection sees what a client can believe.

mod at_once;
mod follower;
#[cfg(not(shuttle))]
mod model;
#[cfg(not(shuttle))]
mod one_after_the_other;
mod script;
mod told;

use std::sync::Arc;

use fanfare_hub::{AppHub, Hubs};

use script::{CHANNELS, channel};
use told::Told;

/// When everybody has closed, only the events of cache channels stay, until their expiry.
fn check_that_nothing_is_left(hubs: Arc<Hubs>, hub: Arc<AppHub>, mut told: Told) {
    told.take(&hub);
    assert_eq!(told, Told::default(), "everybody has gone");
    assert_eq!((hub.totals(), hub.connections(), hub.users_online()), ((0, 0), 0, 0));
    let kept = (0..CHANNELS.len()).any(|at| hub.cached(&channel(at), 0).is_some());
    assert_eq!(hub.parked_bytes() > 0, kept, "bytes are counted of what is kept");
    hubs.sweep(u64::MAX);
    assert_eq!(hub.parked_bytes(), 0);
    let all = format!("{hub:?}");
    for thing in ["Channel {", "Conn {", "User {", "Parked {"] {
        assert!(!all.contains(thing), "`{thing}` is left: {all}");
    }
    drop(hub);
    hubs.sweep(u64::MAX);
    assert!(hubs.all().is_empty());
}
