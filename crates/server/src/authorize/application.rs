//! One question to an app's own application: whether it may be asked, a slot, the request, and what became of it.
//!
//! Everybody who needs an application's leave asks here, so that all share the same slots, time-outs and counters.

use std::net::IpAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Instant;

use fanfare_config::ServerUrl;
use fanfare_laravel::authorize::{AuthorizationRequest, Denial, Yes, ask};
use fanfare_node::Node;
use fanfare_node::addresses::counted;
use fanfare_node::taps::{LiveFact, LiveKind};
use fanfare_node::tenants::{AuthorizationOutcome, Busy, Most, Tenant};
use fanfare_outgoing::Bounds;
use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::close::shortened;
use fanfare_spans::{Span, TRACEPARENT, Work};
use hyper::header::{HeaderName, HeaderValue};
use tracing::Level;

use super::refusal::{Asker, Refusal};
use crate::log::limited::{Line, limited};

/// The application of an app, as questions are put to it.
#[derive(Clone, Copy)]
pub(crate) struct Application<'a> {
    pub node: &'a Arc<Node>,
    pub app: &'a Arc<App>,
    pub tenant: &'a Tenant,
}

impl Application<'_> {
    /// Checks that the application may be asked about a channel. Applications on the redis broadcaster look at the
    /// name without their Redis prefix to find the callback, and with the prefix to decide whether a login is needed:
    /// a name that does not itself begin with `private-` or `presence-` must never get there; nor a name that would be
    /// another without the prefix.
    ///
    /// # Errors
    /// The channel needs no leave, or its name would be another to the application.
    pub fn check(self, channel: &ChannelName) -> Result<(), Refusal> {
        let config = self.node.config();
        let prefix = config.redis_feed.prefix_of(self.app);
        if prefix.is_some_and(|prefix| !prefix.is_empty() && channel.as_str().contains(prefix)) {
            return Err(Refusal::HoldsPrefix);
        }
        match channel.kind() {
            ChannelKind::Private | ChannelKind::Presence | ChannelKind::Encrypted => Ok(()),
            ChannelKind::Public | ChannelKind::ServerToUser => Err(Refusal::NotGuarded),
        }
    }

    /// Sends the request of a client with this address to the application when a slot is free. Once sent, a request goes on
    /// and holds its slot though nobody may wait for the answer any more: the application is at work on it.
    ///
    /// # Errors
    /// No slot is free, the application's answer is not a yes, or no answer came.
    pub async fn ask(self, mut question: AuthorizationRequest, client: IpAddr) -> Result<Yes, Refusal> {
        let config = self.node.config_kept();
        let (limits, patience) = (&config.limits, config.timeouts.application());
        let most = Most { at_once: limits.authorizations, waiting: limits.authorizations_waiting, patience };
        let address = counted(client, &config.listen.trusted_proxies);
        let turn = self.tenant.authorizations.turn(most, &self.node.asking, address).await;
        let turn = turn.map_err(|busy| match busy {
            Busy::All => Refusal::Busy,
            Busy::Address => Refusal::BusyAddress,
        })?;
        let bounds = Bounds { time: patience, bytes: limits.authorization_bytes };
        let (node, app) = (Arc::clone(self.node), Arc::clone(self.app));
        let mut span = span_of(&app, &mut question);
        let asking = tokio::spawn(async move {
            let App { authorization, limits, .. } = &*app;
            let begun = Instant::now();
            let answered = ask(&node.outgoing.applications, &question, bounds, authorization, limits).await;
            drop(turn);
            let answered = answered.map_err(|denial: Denial| Refusal::Denied {
                denial: Box::new(denial),
                asked: host_and_port(&question.url),
            });
            if let Err(refusal) = &answered {
                span.failed(|| refusal.outcome().label());
            }
            span.end();
            node.timings.authorization(begun.elapsed());
            answered
        });
        match asking.await {
            Ok(answered) => answered,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The server ends.
                Err(_) => Err(Refusal::Busy),
            },
        }
    }

    /// Counts what became of a question, logs it, and makes a refusal known. `missing` says what the question lacks for the
    /// application to know who asks; that is told where it can be the cause of a refusal.
    pub fn note(self, asker: Asker<'_>, refusal: Option<&Refusal>, missing: Option<&str>) {
        if let Some(refusal) = refusal {
            refusal.note(self.node, Some(&self.app.id), asker, missing);
        }
        let (app, channel, socket) =
            (self.app.id.as_str(), &*shortened(asker.channel, 200), &*shortened(asker.socket, 40));
        let outcome = refusal.map_or(AuthorizationOutcome::Allowed, Refusal::outcome);
        self.tenant.authorizations.count(outcome);
        self.show(channel, socket, refusal);
        match refusal {
            None => tracing::debug!(target: "fanfare::authorization", app, channel, socket, "allowed"),
            Some(refusal) => limited!(
                Line::NotAuthorized,
                target: "fanfare::authorization",
                Level::INFO,
                app, channel, socket, asked = refusal.asked(),
                status = refusal.status().as_u16(), reason = refusal.reason_with(missing), "not authorized"
            ),
        }
    }
}

impl Application<'_> {
    /// Shows operators a question and what became of it.
    fn show(self, channel: &str, socket: &str, refusal: Option<&Refusal>) {
        if !self.tenant.taps.are_open() {
            return;
        }
        let why = refusal.map_or_else(|| "allowed".to_owned(), Refusal::reason);
        self.tenant.taps.tell(|| LiveFact {
            channel: Some(channel),
            socket: socket.parse().ok(),
            code: Some(refusal.map_or(200, |refusal| refusal.status().as_u16())),
            why: Some(&why),
            url: refusal.and_then(Refusal::asked),
            ..LiveFact::of(LiveKind::Authorization)
        });
    }
}

/// The span of a question, with what OpenTelemetry's conventions say of a request, without the path and the query, which may
/// hold a secret. The application's spans are parts of this one, unless the app passes the client's header on.
fn span_of(app: &App, question: &mut AuthorizationRequest) -> Span {
    let mut span = Span::within(Work::Authorization);
    span.text("fanfare.app", || app.id.as_str());
    span.text("http.request.method", || "POST");
    span.text("server.address", || server_of(&question.url).map_or_else(String::new, |server| server.host));
    span.number("server.port", || server_of(&question.url).map_or(0, |server| server.port.into()));
    let traceparent = span.traceparent().and_then(|header| HeaderValue::try_from(header).ok());
    if let Some(traceparent) = traceparent {
        question.headers.entry(HeaderName::from_static(TRACEPARENT)).or_insert(traceparent);
    }
    span
}

/// Where a URL leads, without what may be a secret in it.
fn host_and_port(url: &str) -> Box<str> {
    server_of(url).map(|ServerUrl { host, port, .. }| format!("{host}:{port}")).unwrap_or_default().into()
}

fn server_of(url: &str) -> Option<ServerUrl> {
    url.parse().ok().and_then(|url| ServerUrl::of(&url))
}
