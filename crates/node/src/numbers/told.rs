//! Numbers as nodes tell them to each other: in JSON, of which a field of another release is ignored.
//!
//! Knows no node and no lock.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::history::HistoryPoint;
use crate::refusals::RefusalRow;

/// Most bytes of the rows that a node tells at once; further rows are left out.
pub(super) const MOST_BYTES: usize = 512 * 1024;

/// An app at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppNow {
    /// Open connections.
    pub connections: usize,
    /// Occupied channels.
    pub channels: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Users who are signed in.
    pub users: usize,
    /// Messages since the start, an event once for each of its channels.
    pub events: u64,
    /// Deliveries since the start.
    pub deliveries: u64,
    /// Bytes of the deliveries.
    pub delivered_bytes: u64,
    /// What was refused to clients and back ends since the start.
    pub refusals: u64,
}

impl AppNow {
    /// Adds what another node has.
    pub(super) fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.channels += other.channels;
        self.subscriptions += other.subscriptions;
        self.users += other.users;
        self.events += other.events;
        self.deliveries += other.deliveries;
        self.delivered_bytes += other.delivered_bytes;
        self.refusals += other.refusals;
    }
}

/// The use of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyNow {
    /// The key.
    pub key: String,
    /// Connections that came by it.
    pub connections: usize,
    /// Requests of the last hour.
    pub requests: u64,
}

impl KeyNow {
    pub(super) fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.requests += other.requests;
    }
}

/// An app on a node.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StatsTold {
    pub now: AppNow,
    /// The last hour, the oldest point first.
    pub history: Vec<HistoryPoint>,
}

/// Equal refusals of a node, as in [`RefusalRow`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalTold {
    /// The row's number among all of the node.
    pub number: u64,
    /// Where the refusals were made, in one word.
    pub kind: String,
    /// The status of HTTP, the close code, or the code of the error event.
    pub code: Option<u16>,
    /// The cause in one word.
    pub cause: String,
    /// The sentence that was answered.
    pub text: Box<str>,
    /// Whether refusals with other texts of the same cause are counted here too.
    pub is_of_several: bool,
    /// How many refusals.
    pub count: u64,
    /// When the first one was made, in milliseconds since 1970.
    pub first_at: u64,
    /// When the last one was made.
    pub last_at: u64,
    /// The bits of the socket id of the example.
    pub socket: Option<u64>,
    /// The address of the example.
    pub address: Option<IpAddr>,
    /// The channel of the example.
    pub channel: Option<Box<str>>,
    /// What should have been signed in the example.
    pub signed: Option<Box<str>>,
}

impl RefusalTold {
    pub(super) fn of(row: RefusalRow) -> Self {
        Self {
            number: row.number,
            kind: row.kind.label().to_owned(),
            code: row.code,
            cause: row.cause.to_owned(),
            text: row.text,
            is_of_several: row.is_of_several,
            count: row.count,
            first_at: row.first_at,
            last_at: row.last_at,
            socket: row.socket.map(|socket| socket.bits()),
            address: row.address,
            channel: row.channel,
            signed: row.signed,
        }
    }
}

/// A list for another node: so many rows as fit.
pub(super) fn as_text<Row: Serialize>(rows: &[Row]) -> Option<Vec<u8>> {
    let mut bytes = 0;
    let fits = |row: &&Row| {
        bytes += serde_json::to_vec(row).map_or(0, |text| text.len() + 1);
        bytes <= MOST_BYTES
    };
    let fitting: Vec<&Row> = rows.iter().take_while(fits).collect();
    serde_json::to_vec(&fitting).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_026_the_rows_that_a_node_tells_are_bounded_in_bytes_and_the_first_are_told() {
        let row = |number: usize| KeyNow {
            key: format!("{number:03}{}", "x".repeat(MOST_BYTES / 3)),
            ..KeyNow::default()
        };
        let rows: Vec<KeyNow> = (0..9).map(row).collect();
        let text = as_text(&rows).expect("JSON");
        assert!(text.len() <= MOST_BYTES + 2, "{} bytes", text.len());
        let told: Vec<KeyNow> = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(told, rows[..2]);
    }

    #[test]
    fn con_026_numbers_of_another_release_are_read_as_far_as_they_are_known() {
        let told: StatsTold =
            serde_json::from_str(r#"{"now":{"connections":3,"later":1},"history":[{"at":7,"new":2}],"x":1}"#)
                .expect("JSON");
        assert_eq!((told.now.connections, told.now.users, told.history[0].at), (3, 0, 7));
    }
}
