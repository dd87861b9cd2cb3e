//! The whole way: what a back end publishes has to arrive at a subscriber.
//!
//! On the channel of a user whom nobody knows: only who holds the app's secret can sign in as one. No webhook tells of such
//! a channel, and no list of channels shows the channel; of the user only webhooks of the group `users` tell.

use std::time::Instant;

use fanfare_outgoing::{Client, Response};
use fanfare_protocol::auth::Credential;
use serde_json::json;

use super::base_url::BaseUrl;
use super::changed::{self, Sent};
use super::hop::{Complaint, Finding, complain, repeated};
use super::signed::{Signer, Unsigned, redirected, unanswered};
use super::socket::Socket;

/// Signs in as a user made up for this, and publishes to that user; the socket is given back if it can still be used.
pub(super) async fn make(
    client: &Client,
    place: &BaseUrl,
    signer: &Signer,
    mut socket: Socket,
) -> (Finding, Option<Socket>) {
    const EVENT: &str = "fanfare-doctor";
    let user = random_user();
    let channel = format!("#server-to-user-{user}");
    if let Err(why) = join(&mut socket, signer, &user, &channel).await {
        let finding = complain(
            format!("nobody can sign in and join a channel: {why}"),
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
    match socket.expect(EVENT, Some(&channel)).await {
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

/// Signs in, and joins the channel that only this user may join; `Err` says what came instead.
async fn join(socket: &mut Socket, signer: &Signer, user: &str, channel: &str) -> Result<(), String> {
    let user_data = json!({ "id": user }).to_string();
    let text = format!("{}::user::{user_data}", socket.id());
    let Credential { key, secret } = &signer.credential;
    let auth = format!("{}:{}", key.as_str(), secret.sign(&[text.as_bytes()]));
    socket.send("pusher:signin", json!({ "auth": auth, "user_data": user_data })).await;
    socket.expect("pusher:signin_success", None).await?;
    socket.send("pusher:subscribe", json!({ "channel": channel })).await;
    socket.expect("pusher_internal:subscription_succeeded", Some(channel)).await.map(drop)
}

/// Why the event was not taken.
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

fn random_user() -> String {
    let mut bytes = [0; 8];
    // Without randomness the name may be another doctor's, who then hears one event more.
    let _ = getrandom::fill(&mut bytes);
    format!("doctor-{:016x}", u64::from_be_bytes(bytes))
}
