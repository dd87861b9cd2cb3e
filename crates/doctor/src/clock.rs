//! The difference between the server's clock and this machine's.
//!
//! Signed requests carry the signer's time; the server refuses a time too far from its own (LIM-025).

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fanfare_outgoing::{Client, Response};
use http_body_util::Full;
use hyper::Request;

use super::base_url::BaseUrl;
use super::bounds::BOUNDS;
use super::hop::{Finding, complain};

/// A smaller difference, in seconds, has no effect.
const LITTLE: u64 = 5;

/// From this difference on the clocks are at fault: half of what servers accept by default.
const MUCH: u64 = 300;

/// The server's time from an answer, and this machine's.
pub(super) struct Reading {
    theirs: SystemTime,
    ours: SystemTime,
}

impl Reading {
    /// The reading of an answer with a date.
    pub fn of(response: &Response) -> Option<Self> {
        let date = response.headers.get("date")?.to_str().ok()?;
        Some(Self { theirs: httpdate::parse_http_date(date).ok()?, ours: SystemTime::now() })
    }

    pub fn finding(&self) -> Finding {
        let (difference, side) = match self.ours.duration_since(self.theirs) {
            Ok(difference) => (difference, "behind"),
            Err(error) => (error.duration(), "ahead of"),
        };
        let seconds = difference.as_secs();
        if seconds <= LITTLE {
            return Ok("the server's is this machine's".to_owned());
        }
        if seconds < MUCH {
            return Ok(format!("the server's is {seconds} s {side} this machine's, which does no harm"));
        }
        complain(
            format!("the server's clock is {} {side} this machine's", rounded(difference)),
            "Set both by NTP (timedatectl set-ntp true): signed requests are refused when the clocks are too far \
             apart (timeouts.clock_skew).",
        )
    }
}

fn rounded(difference: Duration) -> String {
    match difference.as_secs() {
        seconds @ ..3600 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Requests any answer, for its date alone.
pub(super) async fn ask(client: &Client, place: &BaseUrl) -> Option<Reading> {
    let request = Request::get(format!("{}/up", place.url("http"))).body(Full::new(Bytes::new())).ok()?;
    Reading::of(&client.send(request, BOUNDS).await.ok()?)
}
