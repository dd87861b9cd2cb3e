//! The public listeners, plain and TLS; [`public`] answers their requests.

use std::sync::Arc;

use hyper::{Request, Uri};

use crate::connections::{Listening, RequestBody, Site};
use crate::http::{Answer, Peer};
use crate::public::{self, PublicRoutes};
use crate::sockets::ListeningSockets;
use crate::state::State;
use crate::tls::ServerTls;

/// The site for clients and back ends.
struct Public {
    state: Arc<State>,
    routes: Arc<PublicRoutes>,
}

impl Site for Public {
    fn state(&self) -> &State {
        &self.state
    }

    fn answer(&self, peer: Peer, request: Request<RequestBody>) -> impl Future<Output = Answer> + Send {
        public::answer(Arc::clone(&self.state), Arc::clone(&self.routes), peer, request)
    }

    fn after_panic(&self, target: &Uri) -> impl Future<Output = Answer> + Send {
        public::after_panic(&self.state, &self.routes, target)
    }
}

/// Accepts until the drain is over, then waits for the requests under way; over TLS if given.
///
/// One node of several, and one that the next process overlaps, accepts nothing from the first moment of the drain on: a balancer asks the next node at once, while
/// an answer of this one would reach the client (CL-071).
pub async fn run(state: Arc<State>, sockets: ListeningSockets, tls: Option<Arc<ServerTls>>) {
    let site = Public { state: Arc::clone(&state), routes: Arc::default() };
    let overlaps = state.node.config().listen.overlap;
    let is_alone = state.node.config().bus.is_alone() && !overlaps;
    let closed = async {
        if is_alone {
            state.node.drain.over().await;
        } else {
            state.node.drain.begun().await;
        }
    };
    let over = state.node.drain.over();
    let listening = Listening::new(site, Arc::clone(&state.places), tls).with_proxy_protocol();
    listening.run(sockets, closed, over).await;
}
