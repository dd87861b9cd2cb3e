//! Spans: what the server does for one request, publish, webhook or subscription, with the trace that it belongs to.
//!
//! Without the feature `otlp` every type here is empty, every function does nothing, and what a span would be told is not even
//! computed: no path costs anything. With the feature a finished span goes into one bounded queue, and is dropped and counted
//! when the queue is full: nobody waits. Knows neither a socket nor a setting, and must never be given a payload, a secret, a
//! signature, or a name that clients choose.

#[cfg(feature = "otlp")]
mod made;
#[cfg(not(feature = "otlp"))]
mod nothing;
#[cfg(feature = "otlp")]
mod traceparent;

#[cfg(feature = "otlp")]
pub use made::{Entered, FinishedSpan, MOST_QUEUED, Number, Span, Spans, Value, dropped, record};
#[cfg(not(feature = "otlp"))]
pub use nothing::{NeverEntered as Entered, NoSpan as Span};

/// The header of W3C Trace Context that names the trace and the span that a request is a part of.
pub const TRACEPARENT: &str = "traceparent";

/// What a span is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A request of the HTTP API, from a back end.
    Request,
    /// The events of one publish, on this node.
    Publish,
    /// A question to an app's own application, who may join a channel.
    Authorization,
    /// One attempt to deliver a webhook.
    Webhook,
    /// A client's subscription.
    Subscribe,
}

/// Which side of a connection a span is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Neither: inside the server.
    Internal,
    /// Somebody asks the server.
    Server,
    /// The server asks somebody.
    Client,
}

impl Work {
    /// The name of the span, unless the span is given another.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Publish => "publish",
            Self::Authorization => "POST authorization",
            Self::Webhook => "POST webhook",
            Self::Subscribe => "subscribe",
        }
    }

    /// The side of the span.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::Request | Self::Subscribe => Side::Server,
            Self::Publish => Side::Internal,
            Self::Authorization | Self::Webhook => Side::Client,
        }
    }

    /// Whether clients, who are strangers, can cause any number of these.
    #[must_use]
    pub const fn is_of_clients(self) -> bool {
        matches!(self, Self::Authorization | Self::Subscribe)
    }
}
