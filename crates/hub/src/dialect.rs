//! The protocols that a connection's client may speak (SIO-100).

/// The protocol of a connection's client: the form of the messages in its outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Pusher's, over whichever transport.
    #[default]
    Pusher,
    /// Socket.IO's, as Laravel Echo speaks it.
    SocketIo,
}
