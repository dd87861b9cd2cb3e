//! The machine's commands that wait to be sent.
//!
//! The machine bounds what it asks by what is in flight, but for events of cache channels: those have the bound of
//! events, and few go into one pipeline, so that whatever comes behind them has its turn soon (N14).

use std::collections::VecDeque;

use crate::command::{BusCommand, Token};

/// Most events of cache channels that wait (CL-115).
const MOST_EVENTS: usize = 100_000;

/// Most bytes of them.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Most events of cache channels in one pipeline, and their bytes.
const MOST_AT_ONCE: (usize, usize) = (1000, 1024 * 1024);

/// Commands in their order.
#[derive(Default)]
pub(super) struct Commands {
    waiting: VecDeque<(Token, BusCommand)>,
    events: usize,
    bytes: usize,
}

impl Commands {
    /// Queues commands; returns the events that there is no room for. A beat goes before everything that waits (N14).
    pub fn push(&mut self, commands: Vec<(Token, BusCommand)>) -> Vec<Token> {
        let (mut refused, mut beats) = (Vec::new(), Vec::new());
        for (token, command) in commands {
            if let Some(bytes) = bytes_of(&command) {
                if self.events >= MOST_EVENTS || self.bytes + bytes > MOST_BYTES {
                    refused.push(token);
                    continue;
                }
                self.events += 1;
                self.bytes += bytes;
            }
            match command {
                BusCommand::Beat { .. } => beats.push((token, command)),
                command => self.waiting.push_back((token, command)),
            }
        }
        beats.into_iter().rev().for_each(|beat| self.waiting.push_front(beat));
        refused
    }

    /// Takes what goes into one pipeline.
    pub fn take(&mut self) -> Vec<(Token, BusCommand)> {
        let (mut taken, mut events, mut bytes) = (Vec::new(), 0, 0);
        while events < MOST_AT_ONCE.0
            && bytes < MOST_AT_ONCE.1
            && let Some((token, command)) = self.waiting.pop_front()
        {
            if let Some(event) = bytes_of(&command) {
                (events, bytes) = (events + 1, bytes + event);
            }
            taken.push((token, command));
        }
        self.events -= events;
        self.bytes -= bytes;
        taken
    }

    /// Drops everything that waits; returns how many events these were.
    pub fn drop_all(&mut self) -> usize {
        std::mem::take(self).events
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// The bytes of an event of a cache channel.
fn bytes_of(command: &BusCommand) -> Option<usize> {
    match command {
        BusCommand::Keep { event, .. } => Some(event.frame.bytes().len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fanfare_protocol::channel::ChannelName;
    use fanfare_protocol::cluster::KeptEvent;
    use fanfare_protocol::frame::Frame;
    use fanfare_protocol::ids::AppId;

    use super::*;
    use crate::partition::Topic;

    fn keep(token: Token, bytes: usize) -> (Token, BusCommand) {
        let topic = Topic { partition: 0, app: AppId::from("1") };
        let frame = Frame::text(bytes, |frame| frame.resize(frame.len() + bytes, b'x'));
        let (channel, lives) = (ChannelName::trusted("cache-a"), Duration::from_secs(1));
        (
            token,
            BusCommand::Keep {
                topic,
                event: KeptEvent { channel, frame, except: None, lives, most_bytes: 1, quiet: false },
            },
        )
    }

    #[test]
    fn cl_115_events_of_cache_channels_over_the_bound_are_refused_and_nothing_else_is() {
        let mut commands = Commands::default();
        let mebibytes = (0..40).map(|token| keep(token, 1024 * 1024)).collect();
        let refused = commands.push(mebibytes);
        assert_eq!(refused, (31..40).collect::<Vec<_>>());
        assert!(commands.push(vec![(50, BusCommand::Hooked { partition: 0 })]).is_empty());
        assert_eq!(commands.take().len(), 1, "a pipeline has a bound of its own");
        assert!(commands.push(vec![keep(60, 1024 * 1024)]).is_empty());
        assert_eq!(commands.push(vec![keep(61, 1024 * 1024)]), [61]);
        assert_eq!((commands.drop_all(), commands.is_empty()), (31, true));
        assert!(commands.push(vec![keep(70, 1024 * 1024)]).is_empty() && !commands.is_empty());
    }

    #[test]
    fn n14_a_beat_goes_before_all_events_that_wait_and_everything_else_keeps_its_order() {
        let mut commands = Commands::default();
        assert!(commands.push((0..2500).map(|token| keep(token, 10)).collect()).is_empty());
        assert!(commands.push(vec![(2500, BusCommand::Hooked { partition: 0 })]).is_empty());
        let beat = |token| (token, BusCommand::Beat { partition: 0, generation: 1, samples: Vec::new() });
        assert!(commands.push(vec![beat(3000), keep(2501, 10), beat(3001)]).is_empty());
        let mut tokens = || commands.take().iter().map(|(token, _)| *token).collect::<Vec<Token>>();
        assert_eq!(tokens(), [3000, 3001].into_iter().chain(0..1000).collect::<Vec<_>>());
        assert_eq!(tokens(), (1000..2000).collect::<Vec<_>>());
        assert_eq!(tokens(), (2000..2502).collect::<Vec<_>>());
        assert!(commands.is_empty());
    }
}
