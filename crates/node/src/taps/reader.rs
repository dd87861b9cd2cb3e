//! The reader's end of a tap: at most so many entries a second, and what is left for a reader who comes back.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::app_taps::AppTaps;
use super::elsewhere;
use super::lease::TapNodes;
use super::registry::{TapWanted, Taps, TooManyTaps};
use super::ring::{AT_ONCE, LiveItem, STEADY};
use super::tap::Tap;
use crate::node::Node;

/// How long a tap keeps what comes for a reader who is gone.
pub const AWAY: Duration = Duration::from_secs(30);

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum TapNews {
    /// Entries, and places where some are missing.
    Items(Vec<LiveItem>),
    /// Which nodes the tap hears of; first as soon as all others were asked.
    Nodes(Arc<TapNodes>),
}

/// The reader's end of a tap, which ends when this is dropped.
pub struct TapReader {
    taps: Arc<Taps>,
    of_app: Arc<AppTaps>,
    tap: Arc<Tap>,
    /// When the next entries may go out.
    free_at: Instant,
    /// What is known of the other nodes; `None` where there are none.
    nodes: Option<watch::Receiver<Option<Arc<TapNodes>>>>,
}

impl TapReader {
    /// Opens a tap of an app for its reader, on all nodes.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub fn open(node: &Arc<Node>, wanted: TapWanted) -> Result<Self, TooManyTaps> {
        let of_app = Arc::clone(&node.tenants.of(&wanted.app).taps);
        let tap = node.taps.open(&of_app, wanted, node.bus().is_none())?;
        let mut nodes = tap.lease.as_ref().map(|lease| lease.said());
        if let Some(nodes) = &mut nodes {
            // Known already to the reader of before.
            nodes.mark_changed();
        }
        if let Some(lease) = &tap.lease {
            elsewhere::keep(node, &of_app, lease);
        }
        Ok(Self { taps: Arc::clone(&node.taps), of_app, tap, free_at: Instant::now(), nodes })
    }

    /// The next entries, as soon as there are some and they may go out; `None` if the tap has ended. May be dropped while
    /// waiting.
    pub async fn next(&mut self) -> Option<TapNews> {
        loop {
            sleep_until(self.free_at).await;
            if self.tap.is_ended() {
                return None;
            }
            if let Some(nodes) = self.news_of_nodes() {
                return Some(TapNews::Nodes(nodes));
            }
            let items = self.tap.ring.lock().take(AT_ONCE);
            if !items.is_empty() {
                let time = Duration::from_secs(1) * u32::try_from(items.len()).unwrap_or(u32::MAX);
                self.free_at = Instant::now() + time / STEADY as u32;
                return Some(TapNews::Items(items));
            }
            tokio::select! {
                () = self.tap.bell.notified() => {}
                () = changed(&mut self.nodes) => {}
            }
        }
    }

    /// What is new of the other nodes.
    fn news_of_nodes(&mut self) -> Option<Arc<TapNodes>> {
        let nodes = self.nodes.as_mut()?;
        if nodes.has_changed().unwrap_or(false) { nodes.borrow_and_update().clone() } else { None }
    }

    /// Keeps what comes for a reader who is gone, until one takes over, or none has come for a while.
    pub async fn wait_for_return(self) {
        self.tap.is_away.store(true, Ordering::Relaxed);
        let ended = async {
            while !self.tap.is_ended() {
                self.tap.bell.notified().await;
            }
        };
        let _ = timeout(AWAY, ended).await;
    }

    /// Whether entries show what events carry.
    #[must_use]
    pub fn shows_data(&self) -> bool {
        self.tap.shows_data
    }
}

/// Returns when there is news, which is left there.
async fn changed(nodes: &mut Option<watch::Receiver<Option<Arc<TapNodes>>>>) {
    let Some(nodes) = nodes else { return pending().await };
    // The tap holds the sender.
    if nodes.changed().await.is_ok() {
        nodes.mark_changed();
    }
}

impl Drop for TapReader {
    fn drop(&mut self) {
        self.taps.close(&self.of_app, &self.tap);
    }
}
