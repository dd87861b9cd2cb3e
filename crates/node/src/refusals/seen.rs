//! The one place where a refusal is made known: to the table of refusals, and to operators who look at what happens.

use fanfare_protocol::ids::AppId;

use super::NotedRefusal;
use crate::clock::unix_milliseconds;
use crate::node::Node;
use crate::taps::{LiveFact, LiveKind};

impl Node {
    /// Makes a refusal known; `app` is the app that the refusal is about, if there is such an app. Never waits for anybody.
    pub fn note_refusal(&self, app: Option<&AppId>, refusal: &NotedRefusal<'_>) {
        if let Some(app) = app.filter(|_| self.taps.are_open()) {
            self.show_refusal(app, refusal);
        }
        self.refusals.keep(app, refusal, unix_milliseconds());
    }

    /// Shows operators a refusal.
    fn show_refusal(&self, app: &AppId, refusal: &NotedRefusal<'_>) {
        let tenant = self.tenants.of(app);
        if tenant.taps.are_open() {
            let why = refusal.text.to_string();
            tenant.taps.tell(|| LiveFact {
                channel: refusal.channel,
                socket: refusal.socket,
                address: refusal.address,
                code: refusal.code,
                why: Some(&why),
                refusal: Some(refusal.kind.label()),
                ..LiveFact::of(LiveKind::Refused)
            });
        }
    }
}
