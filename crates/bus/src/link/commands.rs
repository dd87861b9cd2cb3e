//! The machine's commands that wait to be sent.
//!
//! The machine bounds what it asks by what is in flight, but for events of cache channels: those have the bound of events.

use crate::command::{BusCommand, Token};

/// Most events of cache channels that wait (CL-115).
const MOST_EVENTS: usize = 100_000;

/// Most bytes of them.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Commands in their order.
#[derive(Default)]
pub(super) struct Commands {
    waiting: Vec<(Token, BusCommand)>,
    events: usize,
    bytes: usize,
}

impl Commands {
    /// Queues commands; returns the events that there is no room for.
    pub fn push(&mut self, commands: Vec<(Token, BusCommand)>) -> Vec<Token> {
        let mut refused = Vec::new();
        for (token, command) in commands {
            if let BusCommand::Keep { event, .. } = &command {
                let bytes = event.frame.bytes().len();
                if self.events >= MOST_EVENTS || self.bytes + bytes > MOST_BYTES {
                    refused.push(token);
                    continue;
                }
                self.events += 1;
                self.bytes += bytes;
            }
            self.waiting.push((token, command));
        }
        refused
    }

    /// Takes everything that waits.
    pub fn take(&mut self) -> Vec<(Token, BusCommand)> {
        (self.events, self.bytes) = (0, 0);
        std::mem::take(&mut self.waiting)
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
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
        assert_eq!(commands.take().len(), 32);
        assert!(commands.push(vec![keep(60, 1024 * 1024)]).is_empty() && !commands.is_empty());
    }
}
