//! A request under way, from its head to its answer; of a stream, to the end of the body.

use std::sync::Arc;

use super::activity::Activity;
use super::places::Places;

/// A request whose answer is not there yet; over on drop.
pub(super) struct Begun<'a> {
    places: &'a Arc<Places>,
    activity: &'a Arc<Activity>,
    /// Whether the request ends with this value.
    ends: bool,
}

impl<'a> Begun<'a> {
    pub fn new(places: &'a Arc<Places>, activity: &'a Arc<Activity>) -> Self {
        activity.begin();
        Self { places, activity, ends: true }
    }

    /// The connection leaves HTTP: its request is never over.
    pub fn leaves_http(mut self) {
        self.ends = false;
    }

    /// The request goes on as long as its body.
    pub fn goes_on(mut self) -> UnderWay {
        self.ends = false;
        self.activity.begin_stream();
        UnderWay { places: Arc::clone(self.places), activity: Arc::clone(self.activity) }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if self.ends {
            self.activity.end(self.places.now());
        }
    }
}

/// A request whose answer is a stream; over on drop.
#[derive(Debug)]
pub(super) struct UnderWay {
    places: Arc<Places>,
    activity: Arc<Activity>,
}

impl UnderWay {
    pub fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.activity.end_stream(self.places.now());
    }
}
