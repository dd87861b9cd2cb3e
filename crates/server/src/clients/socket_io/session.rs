//! The task of a session that began by polling, to its end: by polling still, or over the WebSocket that the session changed
//! to. Handles no packet, and gives no poll its answer.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use fanfare_protocol::close::CloseReason;

use super::echo::{Echo, apart};
use super::polling::{LastAnswer, Polls, Turned};
use super::table::{Candidate, SocketIoEntry, SocketIoSession};
use super::upgrade::{Tried, attempt};
use super::websocket::{besides, end};
use crate::clients::connection::Connection;
use crate::clients::ws::BareSocket;

/// Where a session has ended, and what its client is still to be told.
enum Ended {
    Polling(LastAnswer),
    WebSocket(BareSocket, Vec<Bytes>),
}

/// Runs a session to its end.
pub(super) async fn run(
    mut connection: Connection,
    mut echo: Box<Echo>,
    session: Arc<SocketIoSession>,
    entry: SocketIoEntry,
) {
    let (ended, reason) = talk(&mut connection, &mut echo, &session).await;
    drop(echo);
    session.is_dismissed.store(reason.forbids_return(), Ordering::Release);
    session.inbox.say_farewell();
    match ended {
        Ended::Polling(last) => {
            let leaving = connection.leave(&reason);
            last.give(&session).await;
            session.inbox.end();
            drop(entry);
            leaving.gone(&reason);
        }
        Ended::WebSocket(socket, rest) => {
            session.inbox.end();
            drop(entry);
            connection.conn.upgraded();
            match socket {
                BareSocket::Plain(socket) => end(connection, socket, rest, &reason).await,
                BareSocket::Tls(socket) => end(connection, socket, rest, &reason).await,
            }
        }
    }
}

async fn talk(
    connection: &mut Connection,
    echo: &mut Echo,
    session: &SocketIoSession,
) -> (Ended, CloseReason) {
    let conn = Arc::clone(&connection.conn);
    let (speaker, pulse) = apart(connection, echo);
    let mut polls = Polls::new(&speaker, pulse, &conn, session);
    let watching = pin!(pulse.watch());
    let mut besides = pin!(besides(&speaker, watching));
    loop {
        let candidate = match poll_fn(|cx| polls.poll(cx, besides.as_mut())).await {
            Turned::Try(candidate) => candidate,
            Turned::Closed(reason) => return (Ended::Polling(polls.end(&reason, None)), reason),
        };
        let Candidate { socket, early, place } = candidate;
        // Boxed, because most sessions that poll do nothing else.
        let tried = match &socket {
            BareSocket::Plain(tcp) => {
                Box::pin(attempt(&mut polls, besides.as_mut(), tcp, early, place)).await
            }
            BareSocket::Tls(tls) => Box::pin(attempt(&mut polls, besides.as_mut(), tls, early, place)).await,
        };
        match tried {
            Tried::Failed => session.upgrades.store(false, Ordering::Release),
            Tried::EndedBefore(reason) => return (Ended::Polling(polls.end(&reason, None)), reason),
            Tried::EndedAmid(reason) => return (Ended::Polling(polls.end(&reason, Some(socket))), reason),
            Tried::EndedAfter(reason, rest) => return (Ended::WebSocket(socket, rest), reason),
        }
    }
}
