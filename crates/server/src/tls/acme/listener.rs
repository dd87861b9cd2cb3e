//! The plain listener for certificate authorities (HTTP-01): answers the one path that they ask for, and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, Request, StatusCode, Uri};

use super::Acme;
use super::challenges::Asked;
use crate::connections::{Listening, RequestBody, Site};
use crate::http::answer::{self, with_type};
use crate::http::{Answer, Peer};
use crate::sockets::ListeningSockets;
use crate::state::State;

/// What the path of a challenge begins with (RFC 8555, section 8.3).
const PATH: &str = "/.well-known/acme-challenge/";

/// The answer to everybody else.
const NOTHING_ELSE: &str =
    "This port answers certificate authorities alone: begin with https:// or with wss://.";

/// The site for authorities.
struct ChallengeSite {
    state: Arc<State>,
    acme: Arc<Acme>,
}

impl Site for ChallengeSite {
    fn state(&self) -> &State {
        &self.state
    }

    async fn answer(&self, _peer: Peer, request: Request<RequestBody>) -> Answer {
        let token = request.uri().path().strip_prefix(PATH);
        if let Some(token) = token.filter(|_| request.method() == Method::GET)
            && let Some(shown) = self.acme.challenges.answer(Asked::Token(token.to_owned())).await
        {
            return with_type(StatusCode::OK, "application/octet-stream", Bytes::from(shown));
        }
        answer::text(StatusCode::NOT_FOUND, NOTHING_ELSE)
    }

    async fn after_panic(&self, _target: &Uri) -> Answer {
        answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Answers authorities until the drain is over. The connections take places of the public listeners.
pub async fn run(state: Arc<State>, acme: Arc<Acme>, sockets: ListeningSockets) {
    let site = ChallengeSite { state: Arc::clone(&state), acme };
    let listening = Listening::new(site, Arc::clone(&state.places), None);
    listening.run(sockets, state.node.drain.over(), state.node.drain.over()).await;
}
