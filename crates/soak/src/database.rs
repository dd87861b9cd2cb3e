//! The apps' Postgres of a run, and what the run puts there before its nodes start. Blocks; called from threads that may wait.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use fanfare_testing::postgres::Postgres;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::durable;
use crate::process::{self, Process};
use crate::signing::{APP, KEY, SECRET};

/// For how long events are kept for clients that resume, in seconds.
const RESUME: u32 = 60;

/// The part of a node's configuration that says where apps are; without a database the app of all clients itself.
pub(crate) fn apps(database: Option<&Postgres>, webhooks: SocketAddr) -> String {
    match database {
        Some(database) => format!("[apps]\ndatabase = \"{}\"\n", database.url()),
        None => format!(
            "[[apps.list]]\nid = \"{APP}\"\nkey = \"{KEY}\"\nsecret = \"{SECRET}\"\nclient_events = true\n\
             subscription_counts = true\nwatchlist_events = true\n[[apps.list.webhooks]]\n\
             url = \"http://{webhooks}/hooks\"\nevents = [\"channel_existence\", \"presence\"]\nbatch = true\n"
        ),
    }
}

/// Makes the app of all clients, and an operator's token, which is returned.
///
/// # Errors
/// A command failed.
pub(crate) fn prepare(node: &Process, webhooks: SocketAddr) -> io::Result<String> {
    let mut secret = NamedTempFile::new()?;
    secret.write_all(SECRET.as_bytes())?;
    let secret = secret.path().display().to_string();
    let webhook = |path: &str, is_durable: bool| {
        let events = ["channel_existence", "presence"];
        json!({"url": format!("http://{webhooks}{path}"), "events": events, "batch": true, "durable": is_durable})
    };
    let webhooks = json!([webhook("/hooks", false), webhook(durable::PATH, true)]);
    let settings = [
        "client_events=true".to_owned(),
        "subscription_counts=true".to_owned(),
        "watchlist_events=true".to_owned(),
        format!("resume_seconds={RESUME}"),
        format!("webhooks={webhooks}"),
    ];
    let mut words = vec!["app", "create", "--id", APP, "--key", KEY, "--secret-file", &secret];
    words.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    node.command(&words)?;
    let token = node.command(&["token", "create", "--name", "soak", "--scope", "read,write", "--json"])?;
    let token: Value = serde_json::from_str(&token)?;
    token["token"].as_str().map(str::to_owned).ok_or_else(|| io::Error::other("no token was made"))
}

/// Memory of all processes that they share with no other, in bytes, and the number of the nodes' connections.
pub(crate) fn sample(database: &Postgres) -> (u64, u64) {
    let processes = database.processes();
    let memory = processes.iter().filter_map(|id| process::own_memory(*id)).sum();
    let title = |id: &u32| std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let clients = processes.iter().filter(|id| title(id).starts_with("postgres: fanfare ")).count();
    (memory, clients as u64)
}

/// The messages of back ends to the app of all clients, as stored.
pub(crate) fn stored_messages(database: &Postgres) -> u64 {
    let question = format!("SELECT coalesce(sum(backend_messages), 0) FROM app_usage WHERE app_id = '{APP}'");
    database.says(&question).parse().unwrap_or(0)
}
