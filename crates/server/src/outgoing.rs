//! What asks and tells the servers of others: one client for each purpose, made at the start.

use std::path::Path;

use fanfare_outgoing::{Client, Options, Trust};
use fanfare_webhooks::Webhooks;

use crate::config::Config;
use crate::start::StartError;

/// All that goes out from here, but for what comes from a Redis.
pub struct Outgoing {
    /// Asks the apps' own applications.
    pub applications: Client,
    /// Tells the apps' back ends what happens.
    pub webhooks: Webhooks,
}

impl Outgoing {
    /// Clients as they are configured.
    ///
    /// # Errors
    /// A file of authorities cannot be used.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        let trust = trust(&config.authorization.ca_file, "authorization.ca_file")?;
        let reach = config.apps.reach();
        let applications = Client::with(&trust, Options { reach, ..Options::default() });
        let webhooks = &config.webhooks;
        // PHP's SDK looks for headers letter by letter (HOOK-003).
        let options = Options { reach, title_case_headers: true };
        let client = Client::with(&self::trust(&webhooks.ca_file, "webhooks.ca_file")?, options);
        Ok(Self { applications, webhooks: Webhooks::new(webhooks.settings(), client) })
    }
}

/// Whose certificates are believed; `setting` names the file.
fn trust(path: &Path, setting: &'static str) -> Result<Trust, StartError> {
    if path.as_os_str().is_empty() {
        return Ok(Trust::public());
    }
    Trust::with_file(path).map_err(|error| StartError::Authorities { path: path.to_owned(), setting, error })
}
