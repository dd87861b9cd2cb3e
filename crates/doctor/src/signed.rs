//! The back end's hop: a signed request, and the meaning of a refusal.

use std::time::SystemTime;

use bytes::Bytes;
use fanfare_outgoing::{Client, OutgoingError, Response};
use fanfare_protocol::auth::{Credential, signed_query};
use fanfare_protocol::utc::since_1970;
use http_body_util::Full;
use hyper::Request;

use super::base_url::BaseUrl;
use super::bounds::BOUNDS;
use super::changed::{self, Sent};
use super::clock::Reading;
use super::hop::{Complaint, Finding, complain, repeated};
use super::redirect::{self, Sender};
use fanfare_protocol::error::{NOTHING_AT, NUMBERS_AWAY};

/// A request before its signature.
pub(super) struct Unsigned<'a> {
    pub method: &'a str,
    /// Below the path of the app.
    pub path: &'a str,
    pub body: String,
}

/// The signer, and its app.
pub(super) struct Signer {
    pub app_id: String,
    pub credential: Credential,
}

impl Signer {
    /// Sends a signed request to a path below the app's; returns the request, and its answer.
    pub async fn send(
        &self,
        client: &Client,
        place: &BaseUrl,
        Unsigned { method, path, body }: Unsigned<'_>,
    ) -> (Sent, Result<Response, OutgoingError>) {
        let path = format!("/apps/{}{path}", self.app_id);
        let now = since_1970(SystemTime::now()).as_secs();
        let query = signed_query(&self.credential, method, &path, body.as_bytes(), now);
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}?{query}", place.url("http")))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)));
        let answered = match request {
            Ok(request) => client.send(request, BOUNDS).await,
            Err(error) => Err(OutgoingError::Unreachable(error.to_string())),
        };
        (Sent { method: method.to_owned(), path: format!("{}{path}", place.prefix), query }, answered)
    }
}

/// Sends `GET /channels`, which needs no special setting, to test the signature.
pub(super) async fn channels(
    client: &Client,
    place: &BaseUrl,
    signer: &Signer,
) -> (Finding, Option<Reading>) {
    let request = Unsigned { method: "GET", path: "/channels", body: String::new() };
    match signer.send(client, place, request).await {
        (sent, Ok(response)) => {
            let reading = Reading::of(&response);
            (judge(place, signer, &sent, &response), reading)
        }
        (_, Err(error)) => (Err(unanswered(place, &error)), None),
    }
}

/// No answer at all.
pub(super) fn unanswered(place: &BaseUrl, error: &OutgoingError) -> Complaint {
    Complaint {
        what: format!("{} does not answer: {error}", place.url("http")),
        mend: "Back ends need this address (PUSHER_HOST, PUSHER_PORT, PUSHER_SCHEME): see that it is the server's."
            .to_owned(),
    }
}

/// An answer that redirects.
pub(super) fn redirected(response: &Response) -> Option<Complaint> {
    let location = response.headers.get("location").and_then(|value| value.to_str().ok());
    redirect::complaint(Sender::BackEnd, response.status.as_u16(), location.unwrap_or_default())
}

fn judge(place: &BaseUrl, signer: &Signer, sent: &Sent, response: &Response) -> Finding {
    if let Some(complaint) = redirected(response) {
        return Err(complaint);
    }
    let body = String::from_utf8_lossy(&response.body);
    let line = body.lines().next().unwrap_or_default();
    let said = repeated(line, 300);
    let status = response.status.as_u16();
    let what = format!("the server answers {status}: {said}");
    if let Some(mend) = changed::signed_request(sent, line) {
        return complain(what, mend);
    }
    match status {
        200 if serde_json::from_slice::<serde_json::Value>(&response.body)
            .is_ok_and(|json| json.is_object()) =>
        {
            Ok(format!("a request signed for app {} is accepted", signer.app_id))
        }
        // The signature comes before the numbers of other nodes.
        503 if said == NUMBERS_AWAY => Ok(format!(
            "a request signed for app {} is accepted; the server is out of touch with the other nodes just now, and \
             cannot answer queries: its /ready says why",
            signer.app_id
        )),
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
            "The key belongs to no app with this id: compare id and key with `fanfare app list`, run where the server runs.",
        ),
        401 => complain(
            what,
            "The secret is wrong: compare PUSHER_APP_SECRET with `fanfare env`, look for spaces and quotes around it, \
             and run `php artisan config:clear`.",
        ),
        404 => not_found(what, &said, place, sent),
        403 => complain(what, "Switch the app on (fanfare app enable ID), or let /apps/ through the proxy."),
        502..=504 => complain(what, "If a proxy answers so, it does not reach the server behind it."),
        _ => complain(what, "Another server or a proxy answers there: let /apps/ through to this server."),
    }
}

/// A complaint about an answer 404.
fn not_found(what: String, said: &str, place: &BaseUrl, sent: &Sent) -> Finding {
    if said.contains("no app") {
        return complain(
            what,
            "Compare PUSHER_APP_ID with `fanfare app list`, run where the server runs: another folder or environment has other apps.",
        );
    }
    let mend = if said.starts_with(NOTHING_AT) {
        format!(
            "The server is there, but not at {}: see to listen.path_prefix, and to `options.path` in \
             config/broadcasting.php, with a slash at its end; {} was sent.",
            place.prefix_shown(),
            sent.path
        )
    } else {
        format!(
            "Nothing answers to {}: the proxy lets /app/ through, but not /apps/, or a path is missing (with \
             listen.path_prefix, `options.path` in config/broadcasting.php, with a slash at its end).",
            sent.path
        )
    };
    complain(what, mend)
}
