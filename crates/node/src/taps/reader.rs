//! The reader's end of a tap: at most so many entries a second, and what is left for a reader who comes back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::app_taps::AppTaps;
use super::registry::{TapWanted, Taps, TooManyTaps};
use super::ring::{AT_ONCE, LiveItem, STEADY};
use super::tap::Tap;

/// How long a tap keeps what comes for a reader who is gone.
pub const AWAY: Duration = Duration::from_secs(30);

/// The reader's end of a tap, which ends when this is dropped.
pub struct TapReader {
    taps: Arc<Taps>,
    of_app: Arc<AppTaps>,
    tap: Arc<Tap>,
    /// When the next entries may go out.
    free_at: Instant,
}

impl TapReader {
    /// Opens a tap of an app for its reader.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub fn open(taps: &Arc<Taps>, of_app: &Arc<AppTaps>, wanted: TapWanted) -> Result<Self, TooManyTaps> {
        let tap = taps.open(of_app, wanted)?;
        Ok(Self { taps: Arc::clone(taps), of_app: Arc::clone(of_app), tap, free_at: Instant::now() })
    }

    /// The next entries, as soon as there are some and they may go out; `None` if the tap has ended. May be dropped while
    /// waiting.
    pub async fn next(&mut self) -> Option<Vec<LiveItem>> {
        loop {
            sleep_until(self.free_at).await;
            if self.tap.is_ended() {
                return None;
            }
            let items = self.tap.ring.lock().take(AT_ONCE);
            if !items.is_empty() {
                let time = Duration::from_secs(1) * u32::try_from(items.len()).unwrap_or(u32::MAX);
                self.free_at = Instant::now() + time / STEADY as u32;
                return Some(items);
            }
            self.tap.bell.notified().await;
        }
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

impl Drop for TapReader {
    fn drop(&mut self) {
        self.taps.close(&self.of_app, &self.tap);
    }
}
