//! How many requests of an app's webhooks are kept, for whoever asks: a look at the database, which changes nothing.

use std::time::Duration;

use fanfare_apps::KeptOfUrl;
use fanfare_protocol::app::App;
use tokio::time::timeout;

use crate::node::Node;

/// Longest wait for a turn and for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the kept requests of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppBacklog {
    /// Nothing is kept, because there is no database.
    NoDatabase,
    /// The database does not answer.
    Away,
    /// What is kept for each webhook, in the order of the settings.
    Counted(Vec<KeptOfUrl>),
}

/// Counts what is kept of an app: of two apps at a time, so that those who ask leave the database to others.
pub(crate) async fn counted(node: &Node, app: &App) -> AppBacklog {
    if !node.apps.has_database() {
        return AppBacklog::NoDatabase;
    }
    let urls: Vec<&str> = app.webhooks.iter().map(|webhook| &*webhook.url).collect();
    if urls.is_empty() {
        return AppBacklog::Counted(Vec::new());
    }
    let counting = async {
        let _turn = node.counting_kept.take(&app.id).await;
        node.apps.kept_of_urls(&app.id, &urls).await
    };
    match timeout(PATIENCE, counting).await {
        Ok(Ok(kept)) => AppBacklog::Counted(kept),
        Ok(Err(error)) => {
            let app = app.id.as_str();
            tracing::debug!(target: "fanfare::webhooks", app, %error, "kept requests are not counted");
            AppBacklog::Away
        }
        Err(_) => AppBacklog::Away,
    }
}
