//! `[timeouts]`: timeouts of clients, applications and the shutdown. All settings are whole seconds.

use std::time::Duration;

use serde::Deserialize;

/// `[timeouts]`, in seconds.
#[derive(Clone, Debug, Deserialize)]
pub struct TimeoutsSection {
    /// To send a whole HTTP request.
    pub handshake: u32,
    /// Between two requests on an HTTP connection; told to clients.
    pub keep_alive: u32,
    /// For an HTTP client to read any byte of an answer.
    pub http_write: u32,
    /// Silence before a Ping; told to clients (WS-030).
    pub activity: u32,
    /// From Ping to Pong.
    pub pong: u32,
    /// Time over which a graceful shutdown closes connections.
    pub drain: u32,
    /// For a client to authorize its connection (WS-062).
    pub authorize: u32,
    /// Largest difference between the clock of a signed request and the server's (LIM-025).
    pub clock_skew: u32,
    /// For an application to answer whether a client may join.
    pub application: u32,
}

impl TimeoutsSection {
    /// To send a whole HTTP request.
    #[must_use]
    pub fn handshake(&self) -> Duration {
        Duration::from_secs(self.handshake.into())
    }

    /// Between two requests on an HTTP connection.
    #[must_use]
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive.into())
    }

    /// For an HTTP client to read any byte of an answer.
    #[must_use]
    pub fn http_write(&self) -> Duration {
        Duration::from_secs(self.http_write.into())
    }

    /// Silence before a Ping.
    #[must_use]
    pub fn activity(&self) -> Duration {
        Duration::from_secs(self.activity.into())
    }

    /// From Ping to Pong.
    #[must_use]
    pub fn pong(&self) -> Duration {
        Duration::from_secs(self.pong.into())
    }

    /// Time over which a graceful shutdown closes connections.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain.into())
    }

    /// For a client to authorize its connection.
    #[must_use]
    pub fn authorize(&self) -> Duration {
        Duration::from_secs(self.authorize.into())
    }

    /// For an application to answer.
    #[must_use]
    pub fn application(&self) -> Duration {
        Duration::from_secs(self.application.into())
    }
}
