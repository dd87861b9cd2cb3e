//! A session as its task holds it, and the halves that its loops work with.

use std::sync::Arc;

use fanfare_protocol::engine_io::EngineVersion;
use parking_lot::Mutex;

use super::known::Known;
use super::pings::{Pulse, Rhythm};
use super::questions::Questions;
use super::speaker::Speaker;
use crate::clients::connection::Connection;

/// What a session has beside its connection.
pub(super) struct Echo {
    pub version: EngineVersion,
    /// What the handshake's request said of its client.
    pub known: Known,
    /// What the application is being asked.
    pub questions: Questions,
    pub rhythm: Rhythm,
}

/// Both halves of a session, for its loops.
pub(super) fn apart<'a>(
    connection: &'a mut Connection,
    echo: &'a mut Echo,
) -> (Mutex<Speaker<'a>>, Pulse<'a>) {
    let Connection { node, conn, session, signs, .. } = connection;
    let Echo { version, known, questions, rhythm } = echo;
    let pulse = Pulse { node, conn, signs, rhythm, version: *version };
    let speaker = Speaker {
        node: Arc::clone(node),
        conn: Arc::clone(conn),
        session,
        signs,
        version: *version,
        known,
        questions,
        rhythm,
    };
    (Mutex::new(speaker), pulse)
}
