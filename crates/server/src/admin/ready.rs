//! Whether this node lives and is ready for traffic: `GET /live`, `GET /ready`, and the same sentence for the console.

use std::fmt::Write as _;

use fanfare_node::clock::unix_seconds;
use fanfare_protocol::utc::utc_milliseconds;
use hyper::StatusCode;
use hyper::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue, VARY};
use serde_json::{Value, json};

use super::{cluster, dependencies};
use crate::http::Answer;
use crate::http::answer::{self, text};
use crate::state::State;

/// The answer to `GET /ready`: a sentence, or JSON with each dependency for who asks for JSON.
pub(super) fn answer(state: &State, headers: &HeaderMap) -> Answer {
    let (status, word, says) = match readiness(state) {
        Ok(sentence) => (StatusCode::OK, "ready", sentence),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready", why),
    };
    if wants_json(headers) {
        let dependencies = dependencies::all(state);
        as_json(status, &json!({ "status": word, "says": says, "dependencies": dependencies }))
    } else {
        text(status, &says)
    }
}

/// The answer to `GET /live`: the runtime has run this, whatever else is amiss.
pub(super) fn alive(state: &State, headers: &HeaderMap) -> Answer {
    if wants_json(headers) {
        let since = utc_milliseconds(state.node.started_at());
        as_json(StatusCode::OK, &json!({ "status": "live", "since": since }))
    } else {
        text(StatusCode::OK, "live")
    }
}

/// Whether the client names JSON among what it accepts, and does not exclude it. `*/*` means the sentence.
fn wants_json(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_json = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map(str::parse::<f32>);
        is_json && !matches!(weight, Some(Ok(0.0)))
    })
}

fn as_json(status: StatusCode, value: &Value) -> Answer {
    let mut answer = answer::json(status, value.to_string());
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Whether newcomers should be sent here, in a sentence that says what is amiss as well.
///
/// A node that has not been in touch with the others since its start is not ready, so that a rolling restart waits for it.
/// A node that lost touch later, or without its database, or without the Redis of a feed, still serves the apps that the node knows, and
/// stays ready: taken out of the balancer, the node would drop connections that work.
///
/// # Errors
/// Newcomers should go elsewhere; why.
pub(super) fn readiness(state: &State) -> Result<String, String> {
    if state.node.drain.has_begun() {
        return Err("draining".to_owned());
    }
    let mut sentence = "ready".to_owned();
    if let Some(bus) = state.node.bus() {
        match cluster::readiness(bus, state.node.seen()) {
            Ok(None) => {}
            Ok(Some(degraded)) => sentence.push_str(&degraded),
            Err(not_ready) => return Err(not_ready),
        }
    }
    if let Some(away) = state.node.apps.database_away_for() {
        let seconds = away.as_secs();
        let _ = write!(sentence, "; the apps' database is away since {seconds}s, apps in use go on");
    }
    if let Some(unwritable) = state.node.apps.database_unwritable_for() {
        let seconds = unwritable.as_secs();
        let _ = write!(
            sentence,
            "; the apps' database stores nothing since {seconds}s (its disk is full, or it may only be read), \
             apps go on"
        );
    }
    let acme = state.metrics.acme();
    if acme.is_without_certificate() {
        sentence.push_str("; there is no TLS certificate yet, so that clients over TLS are refused");
    } else if let Some(since) = acme.failing_since() {
        let seconds = unix_seconds().saturating_sub(since);
        let _ = write!(
            sentence,
            "; a new TLS certificate is not to be had since {seconds}s, the one before stays in use"
        );
    }
    let feeds = state.redis_feed.connections();
    if let Some(away) = feeds.away_for {
        let (all, count, seconds) = (feeds.all, feeds.away, away.as_secs());
        let _ = write!(
            sentence,
            "; of {all} Redis feeds {count} are away, the longest since {seconds}s, all else goes on"
        );
    }
    if let Some(refused) = feeds.refused_for {
        let seconds = refused.as_secs();
        let reasons = feeds.refused.iter().map(|(reason, count)| format!("{count} with {reason}"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let _ = write!(
            sentence,
            "; Redis refuses the channels of prefixes ({reasons}) since {seconds}s, all else goes on"
        );
    }
    let waiting = state.reloads.waiting();
    if waiting > 0 {
        let _ = write!(sentence, "; {waiting} changed settings need a restart, all goes on");
    }
    Ok(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_who_names_it() {
        let wants = |accept: &'static str| {
            wants_json(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
        };
        for accept in
            ["application/json", "Application/JSON; q=0.5", "text/html, application/json;charset=utf-8"]
        {
            assert!(wants(accept), "{accept}");
        }
        for accept in ["*/*", "text/plain", "application/*", "application/json;q=0", "application/jsonl", ""]
        {
            assert!(!wants(accept), "{accept}");
        }
        assert!(!wants_json(&HeaderMap::new()));
    }
}
