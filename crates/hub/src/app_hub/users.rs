//! The users who are signed in to the app: signing in and out, and who is online on this node.

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::user::{OnlineUser, UserData};

use super::AppHub;
use crate::transitions::Hooks;
use crate::users::{SignedIn, SigningIn};

impl AppHub {
    pub(crate) fn sign_in(
        &self,
        signing_in: SigningIn<'_>,
        before: Option<&SignedIn>,
        user: UserData,
    ) -> SignedIn {
        self.users.sign_in(signing_in, before, user, || self.hooks_of_users())
    }

    pub(crate) fn sign_out(&self, socket: SocketId, ended: &SignedIn) {
        self.users.sign_out(socket, ended, || self.hooks_of_users());
    }

    /// Closes every connection that is signed in as the user (API-060); returns the number of closed connections.
    pub fn close_user(&self, user: &str, reason: &CloseReason) -> usize {
        self.users.close(user, reason)
    }

    /// Number of distinct users that are signed in.
    #[must_use]
    pub fn users_online(&self) -> usize {
        self.users.online()
    }

    /// Of each of these users, whether the user is signed in on this node, in their order; read under one lock.
    #[must_use]
    pub fn online<'u>(&self, ids: impl IntoIterator<Item = &'u UserId>) -> Vec<OnlineUser> {
        self.users.look(ids.into_iter())
    }

    /// What webhooks want of users. Read under the lock of the users: a look at them after a change of settings then finds
    /// all that is unreported.
    fn hooks_of_users(&self) -> Hooks<'_> {
        let hooks = self.transitions.hooks_of_users(&self.app.read());
        if self.sharing.is_some() { hooks.left_to_the_cluster() } else { hooks }
    }
}
