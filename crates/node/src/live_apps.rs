//! The effect of a changed app on its live connections.
//!
//! Settings hold from the next command on; an app that is disabled or deleted loses its connections.
//! A lowered quota is for new connections: no connection is closed for a quota.

use std::sync::Arc;

use fanfare_apps::AppChange;
use fanfare_hub::AppHub;
use fanfare_protocol::app::App;
use fanfare_protocol::close::CloseReason;

use crate::node::Node;
use crate::taps::{LiveFact, LiveKind};

/// Applies every change of the database's apps, until the end of the process; `before` gets each change first. Changes of the
/// configuration's apps are applied by [`apply`] alone.
pub async fn follow(node: Arc<Node>, mut before: impl FnMut(&AppChange) + Send) {
    let on = |change| {
        before(&change);
        apply(&node, change);
    };
    node.apps.follow(on).await;
}

/// Applies a change.
pub fn apply(node: &Node, change: AppChange) {
    match change {
        AppChange::Now(app) => {
            tracing::info!(target: "fanfare::apps", app = app.id.as_str(), enabled = app.enabled, "app changed");
            node.tenants.set_gone(&app.id, false);
            let hub = node.hubs.get(&app.id);
            if let Some(hub) = &hub {
                hub.set_app(&app);
            }
            // After the hub's update, because webhooks ask the hub for the settings.
            node.outgoing.webhooks.set_app(&app);
            show(node, &app, if app.enabled { "the settings have changed" } else { "the app is disabled" });
            if let Some(hub) = hub.filter(|_| !app.enabled) {
                close_all(&hub, &CloseReason::AppDisabled);
            }
        }
        AppChange::Same(_) => {}
        AppChange::Gone(app) => {
            tracing::info!(target: "fanfare::apps", app = app.id.as_str(), "app deleted");
            node.tenants.set_gone(&app.id, true);
            let hub = node.hubs.get(&app.id);
            if let Some(hub) = &hub {
                // Connections being admitted find the app disabled, and no webhooks about leaves are sent.
                hub.set_app(&Arc::new(App { enabled: false, webhooks: Vec::new(), ..(*app).clone() }));
            }
            node.outgoing.webhooks.remove(&app.id);
            node.refusals.forget(&app.id);
            show(node, &app, "the app was deleted");
            if let Some(hub) = hub {
                let key =
                    app.credentials.first().map_or_else(String::new, |pair| pair.key.as_str().to_owned());
                close_all(&hub, &CloseReason::UnknownKey(key));
            }
        }
    }
}

/// Shows operators a change that this node follows now.
fn show(node: &Node, app: &App, why: &'static str) {
    let tenant = node.tenants.of(&app.id);
    tenant.taps.tell(|| LiveFact { why: Some(why), ..LiveFact::of(LiveKind::AppChanged) });
}

fn close_all(hub: &AppHub, reason: &CloseReason) {
    for conn in hub.conns() {
        conn.outbox.close(reason.clone());
    }
}
