//! `pusher:signin`: signs the connection in as a user (WS-180 … WS-187).

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use fanfare_protocol::app::App;
use fanfare_protocol::auth::verify_user;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::error::{ProtocolError, SignInFault};
use fanfare_protocol::server;
use fanfare_protocol::user::UserData;

use super::Session;
use crate::clock::unix_seconds;
use crate::taps::{LiveFact, LiveKind};

impl Session {
    /// Signs in, or answers why not; a watchlist that is too long gets an error beside the success (WS-196).
    pub(super) fn on_sign_in(
        &mut self,
        auth: &str,
        user_data: &str,
        authorized: &AtomicBool,
    ) -> ControlFlow<CloseReason> {
        if let Err(error) = self.take_change() {
            return self.on_fault(&error);
        }
        let app = self.subscriptions.hub().app();
        let watchlist_length = match self.sign_in(&app, auth, user_data) {
            Ok(watchlist_length) => watchlist_length,
            Err(fault) => return self.on_fault(&ProtocolError::SignIn(fault)),
        };
        if let Some(length) = watchlist_length {
            self.on_fault(&ProtocolError::WatchlistTooLong { limit: app.limits.watchlist, length })?;
        }
        self.authorize(authorized)
    }

    /// Every check, then the sign-in itself; returns the length of a watchlist that was cut.
    fn sign_in(&mut self, app: &App, auth: &str, user_data: &str) -> Result<Option<usize>, SignInFault> {
        verify_user(app, self.socket_id(), auth, user_data)?;
        let mut user = UserData::parse(user_data, &app.limits)?;
        if !app.watchlist_events {
            user.watchlist = Vec::new();
            user.watchlist_cut_from = None;
        }
        let cut_from = user.watchlist_cut_from;
        let id = user.id.clone();
        if self.subscriptions.sign_in(user, &server::signin_success(user_data), unix_seconds()) {
            self.show(|_| LiveFact { user: Some(id.as_str()), ..LiveFact::of(LiveKind::SignedIn) });
            Ok(cut_from)
        } else {
            let id = self.subscriptions.signed_in().map(|user| user.id.to_string());
            Err(SignInFault::OtherUser(id.unwrap_or_default()))
        }
    }
}
