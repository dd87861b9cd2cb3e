//! The back end's hop: a signed request, and what a refusal of it means.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use fanfare_outgoing::{Bounds, Client, OutgoingError, Response};
use fanfare_protocol::auth::{Credential, signed_query};
use http_body_util::Full;
use hyper::Request;

use super::clock::Reading;
use super::hop::{Complaint, Finding};
use super::plan::Place;
use super::{PATIENCE, complain};

/// Who signs, and for which app.
pub(super) struct Signer {
    pub app_id: String,
    pub credential: Credential,
}

/// How much one request may take.
pub(super) const BOUNDS: Bounds = Bounds { time: PATIENCE, bytes: 64 * 1024 };

impl Signer {
    /// Sends a signed request to a path below that of the app.
    pub async fn send(
        &self,
        client: &Client,
        place: &Place,
        method: &str,
        (path, body): (&str, String),
    ) -> Result<Response, OutgoingError> {
        let path = format!("/apps/{}{path}", self.app_id);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let query = signed_query(&self.credential, method, &path, body.as_bytes(), now);
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}?{query}", place.url("http")))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)));
        match request {
            Ok(request) => client.send(request, BOUNDS).await,
            Err(error) => Err(OutgoingError::Unreachable(error.to_string())),
        }
    }
}

/// Asks which channels there are, which every app may.
pub(super) async fn channels(client: &Client, place: &Place, signer: &Signer) -> (Finding, Option<Reading>) {
    match signer.send(client, place, "GET", ("/channels", String::new())).await {
        Ok(response) => {
            let reading = Reading::of(&response);
            (judge(place, signer, &response), reading)
        }
        Err(error) => (Err(unanswered(place, &error)), None),
    }
}

/// No answer at all.
pub(super) fn unanswered(place: &Place, error: &OutgoingError) -> Complaint {
    Complaint {
        what: format!("{} does not answer: {error}", place.url("http")),
        mend: "Back ends need this address (PUSHER_HOST, PUSHER_PORT, PUSHER_SCHEME): see that it is the server's."
            .to_owned(),
    }
}

fn judge(place: &Place, signer: &Signer, response: &Response) -> Finding {
    let body = String::from_utf8_lossy(&response.body);
    let said: String =
        body.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(300).collect();
    let status = response.status.as_u16();
    let path = format!("/apps/{}/channels", signer.app_id);
    let what = format!("the server answers {status}: {said}");
    match status {
        200 if serde_json::from_slice::<serde_json::Value>(&response.body)
            .is_ok_and(|json| json.is_object()) =>
        {
            Ok(format!("a request signed for app {} is accepted", signer.app_id))
        }
        200 => complain(
            "the answer is 200, but no JSON object",
            "Another server answers there, or a proxy changes answers: PUSHER_HOST has to lead to this server.",
        ),
        401 if said.contains("Timestamp") => complain(
            what,
            "The clocks differ: set both by NTP (timedatectl set-ntp true). timeouts.clock_skew is how far they may be \
             apart.",
        ),
        401 if said.starts_with("Unknown auth_key") => complain(
            what,
            "The key belongs to no app with this id: compare id and key with `fanfare app list`.",
        ),
        // The server tells what it would have signed.
        401 if said.contains("signature") && said.contains("\\n") && !said.contains(&path) => complain(
            what,
            "A proxy changes the path on the way: pass it on as it comes, or take off exactly listen.path_prefix.",
        ),
        401 => complain(
            what,
            "The secret is wrong: compare PUSHER_APP_SECRET with `fanfare env`, look for spaces and quotes around it, \
             and run `php artisan config:clear`.",
        ),
        404 if said.contains("no app") => complain(what, "Compare PUSHER_APP_ID with `fanfare app list`."),
        404 => complain(
            what,
            format!(
                "Nothing answers to {}{path}: the proxy lets /app/ through, but not /apps/, or a path is missing (with \
                 listen.path_prefix, `options.path` in config/broadcasting.php, with a slash at its end).",
                place.prefix
            ),
        ),
        403 => complain(what, "Switch the app on (fanfare app enable ID), or let /apps/ through the proxy."),
        502..=504 => complain(what, "The proxy does not reach the server behind it."),
        _ => complain(what, "Another server or a proxy answers there: let /apps/ through to this server."),
    }
}
