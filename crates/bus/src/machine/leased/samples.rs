//! What a beat asks for beside the lease: whether Redis still has some of what this node has told, a few things each time.
//!
//! Keys that are deleted or evicted alone are noticed so, within as many beats as it takes to come round. Only what is
//! certain is asked for: told, answered, and not being changed.

use super::Leased;
use crate::command::Sample;

/// Most samples of a beat.
const MOST_SAMPLES: usize = 20;

/// Most channels that are looked at for a beat.
const MOST_CHANNELS: usize = 100;

impl Leased {
    /// The samples of the next beat.
    pub(super) fn samples(&mut self) -> Vec<Sample> {
        let (mut samples, mut looked) = (Vec::new(), 0);
        let from = self.sampled.take();
        let first = self.rooms.keys().next().cloned();
        let Some(first) = from.as_ref().map(|(app, _)| app.clone()).or(first) else { return samples };
        for (app, room) in self.rooms.range(first..) {
            let behind = from.as_ref().filter(|(of, _)| of == app).map(|(_, channel)| channel);
            for (channel, told) in room.told_behind(behind) {
                looked += 1;
                samples.extend(told.into_iter().flatten());
                if samples.len() + 1 >= MOST_SAMPLES || looked >= MOST_CHANNELS {
                    self.sampled = Some((app.clone(), channel.clone()));
                    return samples;
                }
            }
        }
        samples
    }
}
