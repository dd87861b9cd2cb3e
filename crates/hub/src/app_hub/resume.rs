//! Clients that come back: their tokens, and what the channels keep for them (RES-002 … RES-012).

use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::resume::ResumeToken;

use super::AppHub;
use crate::channel::{Channel, MissedElsewhere};
use crate::conn::Conn;
use crate::resume::{Former, Rings, Since};
use crate::sharing::Sharing;

impl AppHub {
    /// What the app's rings share, if its clients resume.
    pub(super) fn rings_of(&self, app: &App) -> Option<&Arc<Rings>> {
        if app.resume_seconds == 0 {
            return None;
        }
        Some(match self.rings.get() {
            Some(rings) => rings,
            None => {
                let new = Arc::new(Rings::new(Arc::clone(&self.node_rings), app));
                self.rings.get_or_init(|| new)
            }
        })
    }

    /// The connection counts what it gets.
    pub(crate) fn begin_counting(&self, token: ResumeToken, socket: SocketId) {
        if let Some(rings) = self.rings_of(&self.app.read()) {
            rings.tokens.begin(token, socket);
        }
    }

    /// The connection has ended; returns the expiry of what is remembered of it.
    pub(crate) fn end_counting(&self, token: ResumeToken) -> Option<u64> {
        let rings = self.rings.get()?;
        let until = rings.expiry();
        let is_on = self.app.read().resume_seconds > 0;
        rings.tokens.end(token, is_on.then_some(until)).then_some(until)
    }

    /// The connection that a newcomer names; if that connection is open, it ends now, as if its peer had gone.
    pub(crate) fn find_former(&self, token: ResumeToken, newcomer: SocketId) -> Option<Former> {
        let (former, is_open) = self.rings_of(&self.app.read())?.tokens.find(token, newcomer)?;
        if is_open && former.socket != newcomer {
            let conn = self.conns.lock().get(&former.socket).map(Arc::clone);
            if let Some(conn) = conn {
                conn.give_up(CloseReason::Gone);
            }
        }
        Some(former)
    }

    /// Whether the app's clients resume, and another node has given out the token.
    pub(crate) fn is_elsewhere(&self, token: ResumeToken) -> bool {
        let is_elsewhere = |sharing: &Sharing| sharing.topics().is_elsewhere(token);
        self.sharing.as_deref().is_some_and(is_elsewhere)
    }

    /// Tells the node that has given out the token that its client has come here.
    pub(crate) fn tell_came_back(&self, token: ResumeToken, newcomer: SocketId) {
        if let Some(sharing) = &self.sharing {
            sharing.topics().came_back(sharing.app_id(), token, newcomer);
        }
    }

    /// A client of this node has come to another: its connection here ends, and its events of there are left out of what
    /// it missed (RES-002, RES-009).
    pub fn came_back(&self, token: ResumeToken, newcomer: SocketId) {
        self.find_former(token, newcomer);
    }

    /// Milliseconds for which a client that resumes may have missed something.
    #[must_use]
    pub fn resume_age(&self) -> u64 {
        self.rings.get().map_or(0, |rings| rings.age())
    }

    /// Tells what a client of this node missed, who has come to another, behind `count` messages of the channel; `None` if
    /// this node cannot say. `tell` is called under the lock of the channel's shard: must not wait, nor call the hub.
    pub fn tell_missed(
        &self,
        channel: &ChannelName,
        (token, count): (ResumeToken, u64),
        newcomer: SocketId,
        tell: impl FnOnce(Option<MissedElsewhere>),
    ) {
        let former = self.find_former(token, newcomer).map(Arc::new);
        let since = Since { former, elsewhere: None, count };
        let hash = self.hasher.hash_one(channel);
        let shard = self.shard(hash).lock();
        let found = shard.find(hash, |known| known.name == *channel);
        tell(found.and_then(|channel| channel.missed_here(&since, newcomer)));
    }

    /// A question of this node about a newcomer has come back through the topic.
    pub fn hear_question(&self, channel: &ChannelName, newcomer: SocketId, question: u64) {
        self.change(channel, |channel| channel.hear_question(newcomer, question));
    }

    /// Another node has answered a question about a newcomer, or does not in time; an answer to any other question changes
    /// nothing. `now` is in milliseconds of the clock by which cached events expire.
    pub fn answer_missed(
        &self,
        channel: &ChannelName,
        (newcomer, question): (SocketId, u64),
        found: Option<(u64, MissedElsewhere)>,
        now: u64,
    ) {
        self.in_cluster(channel, now, |channel, at| channel.answer_missed(newcomer, question, found, at));
    }

    /// A subscriber tells only now what it had got of the channel before.
    pub(crate) fn resume_late(&self, name: &ChannelName, conn: &Conn, since: &Since) {
        self.change(name, |channel| channel.resume_late(conn, since));
    }

    /// Drops what has expired of all that is kept for clients that resume; everything if resuming was switched off.
    pub(crate) fn sweep_rings(&self) {
        let Some(rings) = self.rings.get() else { return };
        let (now, is_on) = (rings.now(), self.app.read().resume_seconds > 0);
        rings.tokens.drop_expired(if is_on { now } else { u64::MAX });
        let before = is_on.then(|| now.saturating_sub(rings.age()));
        self.change_rings(|channel| channel.sweep_ring(before, now));
    }

    /// While the app or the node keeps too much, drops what is older than the full age, halved so often.
    pub(crate) fn thin_rings(&self, halvings: u32) {
        let Some(rings) = self.rings.get().filter(|rings| rings.is_fuller_than(7)) else { return };
        let before = rings.now().saturating_sub(rings.age() >> halvings);
        self.change_rings(|channel| {
            channel.thin_ring(before);
            false
        });
    }

    /// Changes every channel; those for which `change` returns true are dropped if nothing needs them any more.
    fn change_rings(&self, change: impl Fn(&mut Channel) -> bool) {
        for shard in &self.shards {
            shard.lock().retain(|channel| {
                if !change(channel) {
                    return true;
                }
                if let Some(sharing) = self.sharing.as_deref() {
                    channel.close_if_empty(sharing);
                }
                !channel.is_idle()
            });
        }
    }

    /// Bytes that are kept for clients that resume, and ended connections that are remembered.
    #[must_use]
    pub fn kept_for_resuming(&self) -> (usize, usize) {
        self.rings.get().map_or((0, 0), |rings| (rings.bytes(), rings.tokens.ended()))
    }

    /// Whether something is kept that a client may come back for.
    pub(super) fn awaits_anybody(&self) -> bool {
        self.rings.get().is_some_and(|rings| rings.keep_anything())
    }
}
