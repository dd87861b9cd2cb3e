//! The whole path: an event from a back end must arrive at a subscriber.

use std::time::Instant;

use fanfare_outgoing::{Client, Response};
use serde_json::json;

use super::base_url::BaseUrl;
use super::changed::{self, Sent};
use super::hop::{Complaint, Finding, complain, repeated};
use super::signed::{Signer, Unsigned, redirected, unanswered};
use super::socket::Socket;

/// Publishes on a channel without other subscribers; returns the socket if still usable.
pub(super) async fn make(
    client: &Client,
    place: &BaseUrl,
    signer: &Signer,
    mut socket: Socket,
) -> (Finding, Option<Socket>) {
    const EVENT: &str = "fanfare-doctor";
    let channel = random_channel();
    socket.send("pusher:subscribe", json!({ "channel": channel })).await;
    if let Err(why) = socket.expect("pusher_internal:subscription_succeeded", &channel).await {
        let finding = complain(
            format!("a public channel cannot be joined: {why}"),
            "The log of the server says why; behind a proxy, see that it passes on messages both ways.",
        );
        return (finding, None);
    }
    let body = json!({ "name": EVENT, "channel": channel, "data": "{}" }).to_string();
    let start = Instant::now();
    match signer.send(client, place, Unsigned { method: "POST", path: "/events", body }).await {
        (_, Err(error)) => return (Err(unanswered(place, &error)), Some(socket)),
        (sent, Ok(response)) if response.status.as_u16() != 200 => {
            return (Err(refused(&sent, &response)), Some(socket));
        }
        (_, Ok(_)) => {}
    }
    match socket.expect(EVENT, &channel).await {
        Ok(_) => {
            let finding =
                Ok(format!("an event arrives after {:.1} ms", start.elapsed().as_secs_f64() * 1000.0));
            (finding, Some(socket))
        }
        Err(why) => {
            let finding = complain(
                format!("an event was published with 200, but did not arrive: {why}"),
                "Browsers and the back end reach different servers: compare PUSHER_HOST and PUSHER_PORT with \
                 VITE_PUSHER_HOST and VITE_PUSHER_PORT. Or a proxy holds back what the server sends.",
            );
            (finding, None)
        }
    }
}

/// Why the server refused the event.
fn refused(sent: &Sent, response: &Response) -> Complaint {
    if let Some(complaint) = redirected(response) {
        return complaint;
    }
    let body = String::from_utf8_lossy(&response.body);
    let mend = changed::signed_request(sent, body.lines().next().unwrap_or_default());
    Complaint {
        what: format!("publishing is answered {}: {}", response.status.as_u16(), repeated(&body, 300)),
        mend: mend.unwrap_or_else(|| {
            "What Laravel broadcasts would be answered the same: do what the answer says.".to_owned()
        }),
    }
}

fn random_channel() -> String {
    let mut bytes = [0; 8];
    // Without randomness another client may be on the channel, and gets one event more.
    let _ = getrandom::fill(&mut bytes);
    format!("fanfare-doctor-{:016x}", u64::from_be_bytes(bytes))
}
