//! Why the server closes connections, in the words of metrics and logs.

/// Why a connection was closed by the server, other than by the rules of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The connection was the idlest, and a newcomer needed its place.
    MadeRoom,
    /// The connection was a newcomer, all places were taken, and a request was under way on each.
    Full,
    /// The connection was a newcomer, and the same held for all places of its address.
    AddressFull,
    /// The connection was too slow with its first byte, its TLS handshake or the head of a request.
    Late,
    /// The connection was without a request for `timeouts.keep_alive`.
    Idle,
    /// The connection was not read from: its answer stayed unsent.
    Unread,
}

impl Closed {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::MadeRoom, Self::Full, Self::AddressFull, Self::Late, Self::Idle, Self::Unread];

    /// As metrics and logs have it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::MadeRoom => "made_room",
            Self::Full => "full",
            Self::AddressFull => "address_full",
            Self::Late => "late",
            Self::Idle => "idle",
            Self::Unread => "unread",
        }
    }

    /// What an operator may do about it.
    pub(super) const fn advice(self, listener: Listener) -> &'static str {
        match (self, listener) {
            (Self::MadeRoom, Listener::Public) => {
                "the idlest was closed for a newcomer (setting limits.http_connections)"
            }
            (Self::Full, Listener::Public) => {
                "all places are taken by requests under way (setting limits.http_connections)"
            }
            (Self::AddressFull, _) => {
                "this address has as many as it may (setting limits.http_connections_per_address; proxies belong \
                 into listen.trusted_proxies)"
            }
            (Self::MadeRoom, Listener::Operators) => {
                "the idlest of the operators' listener was closed for a newcomer (its places are part of the \
                 process's file descriptors)"
            }
            (Self::Full, Listener::Operators) => {
                "all places of the operators' listener are taken by requests under way (its places are part of \
                 the process's file descriptors)"
            }
            (Self::Late, _) => "nothing came in time (setting timeouts.handshake)",
            (Self::Idle, _) => "no request came (setting timeouts.keep_alive)",
            (Self::Unread, _) => "the answer was not read (setting timeouts.http_write)",
        }
    }
}

/// Whose connections share places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The public listeners, plain and TLS.
    Public,
    /// The operators' listener.
    Operators,
}
