//! The transports of clients, by name: for logs and metrics.

/// How a client's messages come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A WebSocket.
    WebSocket,
    /// HTTP requests; the first to receive messages was one whose answer goes on.
    XhrStreaming,
    /// HTTP requests; the first to receive messages was one for each few messages.
    XhrPolling,
    /// Polls and POSTs of Socket.IO.
    SocketIoPolling,
    /// A WebSocket that carries Socket.IO.
    SocketIoWebSocket,
}

impl Transport {
    /// The name in logs, as pusher-js has it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::WebSocket => "ws",
            Self::XhrStreaming => "xhr_streaming",
            Self::XhrPolling => "xhr_polling",
            Self::SocketIoPolling => "socket_io_polling",
            Self::SocketIoWebSocket => "socket_io_websocket",
        }
    }

    /// The dialect and the transport, as metrics name them.
    #[must_use]
    pub const fn in_metrics(self) -> (&'static str, &'static str) {
        match self {
            Self::WebSocket => ("pusher", "websocket"),
            Self::XhrStreaming => ("pusher", "xhr_streaming"),
            Self::XhrPolling => ("pusher", "xhr_polling"),
            Self::SocketIoPolling => ("socket_io", "polling"),
            Self::SocketIoWebSocket => ("socket_io", "websocket"),
        }
    }
}
