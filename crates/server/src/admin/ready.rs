//! Whether this node is ready for traffic: `GET /ready`, and the same sentence for the console.

use std::fmt::Write as _;

use hyper::StatusCode;

use super::cluster;
use crate::http::Answer;
use crate::http::answer::text;
use crate::state::State;

/// The answer to `GET /ready`.
pub(super) fn answer(state: &State) -> Answer {
    match readiness(state) {
        Ok(sentence) => text(StatusCode::OK, &sentence),
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
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
    Ok(sentence)
}
