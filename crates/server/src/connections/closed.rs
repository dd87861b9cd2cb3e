//! Why the server closes connections: reasons, as metrics and logs name them.

/// Why the server closed a connection, other than by the rules of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The connection was the idlest, and a new one needed its slot.
    MadeRoom,
    /// The connection was new, all slots were taken, and a request was under way on each.
    Full,
    /// The connection was new, and the same held for all slots of its address.
    AddressFull,
    /// The first byte, the TLS handshake or the head of a request timed out.
    Late,
    /// No request for `timeouts.keep_alive`.
    Idle,
    /// The peer did not read: its answer stayed unsent.
    Unread,
    /// The peer sent more while its answer was a stream: behind unread bytes the peer's end cannot be noticed.
    Pipelined,
    /// A trusted proxy sent no header of the PROXY protocol, or a faulty one.
    ProxyHeader,
}

impl Closed {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::MadeRoom,
        Self::Full,
        Self::AddressFull,
        Self::Late,
        Self::Idle,
        Self::Unread,
        Self::Pipelined,
        Self::ProxyHeader,
    ];

    /// The name in metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::MadeRoom => "made_room",
            Self::Full => "full",
            Self::AddressFull => "address_full",
            Self::Late => "late",
            Self::Idle => "idle",
            Self::Unread => "unread",
            Self::Pipelined => "pipelined",
            Self::ProxyHeader => "proxy_header",
        }
    }

    /// Advice for the operator.
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
            (Self::Pipelined, _) => "more came behind a request whose answer goes on",
            (Self::ProxyHeader, _) => {
                "a trusted proxy sent no usable header of the PROXY protocol (settings listen.proxy_protocol and \
                 listen.trusted_proxies)"
            }
        }
    }
}

/// Which connections share slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The public listeners, plain and TLS.
    Public,
    /// The operators' listener.
    Operators,
}
