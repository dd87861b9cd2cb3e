//! `fanfare:resume`: a client that counts what it gets, and gets what it missed (RES-001 … RES-007, RES-014).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::resume::{ResumeRequest, ResumeToken};
use fanfare_protocol::server;

use super::Session;

impl Session {
    /// Tells the client that it may resume, if the app lets clients resume (RES-001).
    pub fn offer_resume(&mut self) {
        if self.subscriptions.hub().app().resume_seconds > 0 {
            let token = self.subscriptions.offer_resume(self.new_token());
            self.send(&server::resume_offer(token));
        }
    }

    /// A token that names its node, where there are several (RES-014).
    fn new_token(&self) -> ResumeToken {
        let token = random_token();
        self.node.bus().map_or(token, |bus| bus.own_token(token))
    }

    /// Takes note of what the client says; without a word where resuming is off (RES-007).
    pub(super) fn on_resume(&mut self, request: ResumeRequest<'_>) {
        if self.subscriptions.hub().app().resume_seconds == 0 {
            return;
        }
        if request.is_late {
            return self.offer_resume();
        }
        let most = self.node.config().limits.channels_per_connection;
        let longest = self.app().limits.channel_name;
        // A position under a name that nobody can subscribe to would only take memory.
        let positions = request.positions.into_iter();
        let positions = positions.filter(|(name, _)| ChannelName::parse(name, longest).is_ok());
        self.subscriptions.resume(positions, most);
    }
}

/// 128 random bits (RES-007).
fn random_token() -> ResumeToken {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).expect("the operating system has random numbers");
    ResumeToken::from_bits(u128::from_be_bytes(bits))
}
