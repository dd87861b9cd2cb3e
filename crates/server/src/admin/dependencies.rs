//! What this node depends on, each with its state, since when, and what to do: for `GET /ready` as JSON.
//!
//! Names no address, no app and no secret: everybody who reaches the operators' listener may ask.

use std::time::Duration;

use fanfare_node::clock::{unix_milliseconds, unix_seconds};
use fanfare_protocol::utc::{utc, utc_milliseconds};
use serde_json::{Value, json};

use super::cluster;
use crate::state::State;

/// How long before its expiry a certificate needs somebody: those of Let's Encrypt are renewed earlier.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Whether a dependency does what the node needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// All is well.
    Ok,
    /// Not configured.
    Off,
    /// Something is amiss, and the node serves clients.
    Degraded,
    /// Newcomers should go elsewhere.
    Failed,
}

/// The state of a dependency: the condition, its beginning if that is known, and what to do.
struct DependencyState {
    condition: Condition,
    since: Option<String>,
    says: &'static str,
    advice: Option<&'static str>,
}

impl DependencyState {
    const fn ok(says: &'static str) -> Self {
        Self { condition: Condition::Ok, since: None, says, advice: None }
    }

    const fn off(says: &'static str) -> Self {
        Self { condition: Condition::Off, since: None, says, advice: None }
    }

    fn amiss(
        condition: Condition,
        lasts: Option<Duration>,
        says: &'static str,
        advice: &'static str,
    ) -> Self {
        Self { condition, since: lasts.map(began), says, advice: Some(advice) }
    }

    fn json(self, name: &str) -> Value {
        let condition = match self.condition {
            Condition::Ok => "ok",
            Condition::Off => "off",
            Condition::Degraded => "degraded",
            Condition::Failed => "failed",
        };
        json!({
            "name": name, "state": condition, "since": self.since, "says": self.says, "advice": self.advice,
        })
    }
}

/// All dependencies, also those that are not configured.
pub(super) fn all(state: &State) -> Vec<Value> {
    [
        ("apps_database", apps_database(state)),
        ("bus", bus(state)),
        ("redis_feeds", redis_feeds(state)),
        ("certificate", certificate(state)),
        ("drain", drain(state)),
    ]
    .map(|(name, state)| state.json(name))
    .into()
}

/// When something began that has lasted so long.
fn began(lasts: Duration) -> String {
    let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    utc_milliseconds(unix_milliseconds().saturating_sub(lasts))
}

fn apps_database(state: &State) -> DependencyState {
    let apps = &state.node.apps;
    if !apps.has_database() {
        return DependencyState::off("The apps are those of the configuration.");
    }
    if let Some(away) = apps.database_away_for() {
        return DependencyState::amiss(
            Condition::Degraded,
            Some(away),
            "The database does not answer. Apps in use go on; others are refused, and none can be changed.",
            "Look whether the database runs and can be reached from here; the log (fanfare::apps) has its error. \
             Leave this node in the balancer: its connections work, and other nodes share the database.",
        );
    }
    if let Some(unwritable) = apps.database_unwritable_for() {
        return DependencyState::amiss(
            Condition::Degraded,
            Some(unwritable),
            "The database stores nothing. Apps are served, and none can be changed; usage waits in memory.",
            "Look whether its disk is full, or whether it may only be read.",
        );
    }
    DependencyState::ok("The database answers, and stores what is written.")
}

fn bus(state: &State) -> DependencyState {
    let Some(bus) = state.node.bus() else {
        return DependencyState::off("The node stands alone.");
    };
    let advice = "Look whether each Redis of bus.urls runs and can be reached from here; fanfare cluster and the log \
                  (fanfare::bus) have the reason.";
    let seen = state.node.seen();
    match cluster::readiness(bus, seen) {
        Ok(None) => DependencyState::ok("The node is in touch with the others."),
        Ok(Some(_)) => DependencyState::amiss(
            Condition::Degraded,
            seen.set_in_touch(false),
            "The node is out of touch with the others, and serves its own clients.",
            advice,
        ),
        Err(_) => DependencyState::amiss(
            Condition::Failed,
            Some(Duration::from_millis(state.node.milliseconds())),
            "The node has not been in touch with the others since its start.",
            advice,
        ),
    }
}

fn redis_feeds(state: &State) -> DependencyState {
    let feeds = state.redis_feed.connections();
    if feeds.all == 0 {
        return DependencyState::off("No app has its broadcasts in a Redis.");
    }
    if let Some(away) = feeds.away_for {
        return DependencyState::amiss(
            Condition::Degraded,
            Some(away),
            "A Redis of broadcasts is away: what is broadcast there is lost. All else goes on.",
            "Look whether that Redis runs and can be reached from here; the log (fanfare::redis_feed) names it.",
        );
    }
    if let Some(refused) = feeds.refused_for {
        return DependencyState::amiss(
            Condition::Degraded,
            Some(refused),
            "A Redis of broadcasts refuses the channels of a prefix.",
            "Let the user of redis_feed.url subscribe to the channels of the prefix (ACL SETUSER … &PREFIX*).",
        );
    }
    DependencyState::ok("Each Redis of broadcasts is subscribed to.")
}

fn certificate(state: &State) -> DependencyState {
    let acme = state.metrics.acme();
    let orders = "The log (fanfare::tls) has the reason, what to do, and when it is tried again; SIGHUP has it tried at once.";
    if acme.is_without_certificate() {
        let says = "There is no certificate yet (tls.acme): clients over TLS are refused.";
        let since = acme.failing_since().map(utc);
        return DependencyState { condition: Condition::Degraded, since, says, advice: Some(orders) };
    }
    let Some(expires) = state.metrics.certificate_expiry() else {
        return DependencyState::off("There is no TLS listener.");
    };
    let advice = "Renew the certificate, and replace its files: they are read again within two seconds. If they \
                  are new already, the log (fanfare::tls) says why they cannot be used.";
    let now = unix_seconds();
    if now >= expires {
        let says = "A certificate has expired: clients over TLS refuse this server.";
        let since = Some(utc(expires));
        return DependencyState { condition: Condition::Degraded, since, says, advice: Some(advice) };
    }
    if let Some(since) = acme.failing_since() {
        let says =
            "A new certificate is not to be had from the authority (tls.acme); the one before stays in use.";
        let since = Some(utc(since));
        return DependencyState { condition: Condition::Degraded, since, says, advice: Some(orders) };
    }
    if let Some(need) = state.metrics.certificate_need(EXPIRES_SOON).filter(|need| now >= *need) {
        let says =
            "A certificate expires in less than two weeks, or has less than a quarter of its time left.";
        let since = Some(utc(need));
        return DependencyState { condition: Condition::Degraded, since, says, advice: Some(advice) };
    }
    DependencyState::ok("Each certificate is valid for some time yet.")
}

fn drain(state: &State) -> DependencyState {
    match state.node.drain.lasts() {
        Some(lasts) => DependencyState::amiss(
            Condition::Failed,
            Some(lasts),
            "The server shuts down, and closes its connections.",
            "Nothing, if somebody has stopped the server; else the log (fanfare) names the task that has failed.",
        ),
        None => DependencyState::ok("The server accepts newcomers."),
    }
}
