//! The application's answer for a channel, and how stock pusher-js reads the answer.

use bytes::Bytes;
use fanfare_laravel::authorize::{Answered, Denial, Subject, Yes, judge as judge_for_us};
use fanfare_outgoing::{Client, Response};
use fanfare_protocol::app::Limits;
use fanfare_protocol::auth::Credential;
use fanfare_protocol::channel::ChannelName;
use http_body_util::Full;
use hyper::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::app::ExaminedApp;
use super::bounds::BOUNDS;
use super::hop::{Complaint, Finding, complain, repeated};
use super::wording::Wording;

/// A request to an application. Not `Debug`: a header may hold a session.
#[derive(Clone)]
pub struct Question {
    /// The application's URL.
    pub url: String,
    /// What has named the URL, for advice.
    pub named: String,
    /// The channel to join.
    pub channel: String,
    /// The user's headers: cookies and the like.
    pub headers: Vec<(String, String)>,
    /// For whom advice is worded.
    pub wording: Wording,
    /// Who gets the answer.
    pub readers: Readers,
    /// The endpoint of Fanfare that asks on the client's behalf; for advice.
    pub proxy: Option<String>,
}

/// Who gets an application's answer, and by which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Pages with pusher-js, which ask the application themselves.
    PusherJs,
    /// Pages with Socket.IO, for which Fanfare asks; pages with pusher-js may be beside them.
    SocketIo,
}

/// Sends the same form as pusher-js, without a JSON `Accept` header; or what Fanfare sends for pages with Socket.IO.
pub(super) async fn ask(
    client: &Client,
    question: &Question,
    socket_id: &str,
    app: Option<&ExaminedApp>,
) -> Finding {
    let request = match question.request(&question.url, socket_id) {
        Ok(request) => request,
        Err(error) => {
            return complain(
                format!("there is no such request: {error}"),
                format!("See to {}{}.", question.named, question.wording.and_headers()),
            );
        }
    };
    let response = match client.send(request, BOUNDS).await {
        Ok(response) => response,
        Err(error) => {
            return complain(
                format!("{} does not answer: {error}", question.url),
                format!("Start the application, or see to {}.", question.named),
            );
        }
    };
    if question.readers == Readers::SocketIo && !question.channel.starts_with("private-encrypted-") {
        return judge_for_socket_io(question, &response);
    }
    let credential = app.and_then(|app| app.credential.as_ref());
    match (judge(question, &response, socket_id, credential), &question.proxy) {
        (Err(complaint), Some(proxy)) if is_yes_without_a_signature(&question.channel, &response) => {
            let Ok(request) = question.request(proxy, socket_id) else { return Err(complaint) };
            let Ok(ours) = client.send(request, BOUNDS).await else { return Err(complaint) };
            if ours.status == 200 && judge(question, &ours, socket_id, credential).is_ok() {
                return Ok(format!(
                    "{}: the application says yes, and Fanfare signs that: Echo has to ask there, {}",
                    question.channel,
                    question.endpoint()
                ));
            }
            let said = repeated(&String::from_utf8_lossy(&ours.body), 200);
            let mend =
                format!("{}\nAsked there now, it answers {}: {said}", complaint.mend, ours.status.as_u16());
            Err(Complaint { mend, ..complaint })
        }
        (finding, _) => finding,
    }
}

impl Question {
    /// The option by which a page has Fanfare ask, for advice; another one for users whom a cookie names.
    fn endpoint(&self) -> String {
        let url = self.proxy.as_deref().unwrap_or("http(s)://SERVER/app/KEY/auth");
        let has_cookie = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        if !has_cookie {
            return format!("authEndpoint: '{url}'");
        }
        let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        let path = path.unwrap_or("/app/KEY/auth");
        let prefix = if path.starts_with("/app/") { "/ws" } else { "" };
        format!(
            "authEndpoint: '{prefix}{path}' on the page's own host, whose web server passes that path on to Fanfare, for \
             pusher-js sends cookies to no other origin (docs/authorization.md)"
        )
    }

    fn request(&self, url: &str, socket_id: &str) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let body = format!("socket_id={}&channel_name={}", part(socket_id), part(&self.channel));
        let mut request = Request::post(url).header("content-type", "application/x-www-form-urlencoded");
        if self.readers == Readers::SocketIo {
            request =
                request.header("accept", "application/json").header("x-requested-with", "XMLHttpRequest");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(body)))
    }
}

/// As Fanfare reads the answer, which asks for pages with Socket.IO.
fn judge_for_socket_io(question: &Question, response: &Response) -> Finding {
    let (channel, status) = (question.channel.as_str(), response.status.as_u16());
    let also = question.endpoint();
    match judged_by_us(channel, response) {
        None => complain(format!("{channel} is no name of a channel"), question.wording.see_channel()),
        Some(Ok(Yes::Signed(_))) => Ok(format!(
            "{channel}: the application says yes and signs; pages with Socket.IO and with pusher-js can subscribe"
        )),
        Some(Ok(Yes::Unsigned(_))) => Ok(format!(
            "{channel}: the application says yes; pages with Socket.IO can subscribe, those with pusher-js have to ask \
             Fanfare, {also}"
        )),
        Some(Err(denial)) => {
            let location = response.headers.get("location").and_then(|value| value.to_str().ok());
            let mend = match status {
                200 => "See what answers there: the callback in routes/channels.php must say yes, for a presence channel \
                        with an array that describes the user."
                    .to_owned(),
                status => refusal(status, location.unwrap_or_default(), question.wording),
            };
            complain(
                format!("{channel}: {denial}; Echo reports subscription_error with {}", denial.status()),
                format!("{mend}\nAsked was {} ({}).", question.url, question.named),
            )
        }
    }
}

fn judge(
    question: &Question,
    response: &Response,
    socket_id: &str,
    credential: Option<&Credential>,
) -> Finding {
    let status = response.status.as_u16();
    let channel = question.channel.as_str();
    if status != 200 {
        let location =
            response.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        return complain(
            format!("{channel}: the application answers {status}; pusher-js reports {}", reported(status)),
            refusal(status, location, question.wording),
        );
    }
    match serde_json::from_slice(&response.body) {
        Ok(Value::Object(answer)) if answer.get("auth").is_some_and(Value::is_string) => {
            signed(channel, &answer, socket_id, credential)
        }
        Ok(answer) => {
            let Complaint { what, mend } = unsigned(question, &answer);
            Err(Complaint { what, mend: format!("{mend}\n{}", of_ours(channel, response)) })
        }
        Err(_) if response.body.is_empty() => complain(
            format!(
                "{channel}: the application answers 200 with nothing; pusher-js reports `JSON … was invalid`"
            ),
            "That is the log or null broadcaster: set BROADCAST_CONNECTION (BROADCAST_DRIVER up to Laravel 10), then \
             `php artisan config:clear`.",
        ),
        Err(_) => complain(
            format!(
                "{channel}: the application answers 200 with a page, no JSON; pusher-js reports `JSON … was invalid`"
            ),
            format!(
                "Most likely a log-in page: {}. See that the page sends one, too. Or the URL is not that of \
                 Broadcast::routes().",
                question.wording.log_in()
            ),
        ),
    }
}

fn reported(status: u16) -> String {
    match status {
        300..=399 => "whatever is where that leads".to_owned(),
        _ => format!("pusher:subscription_error with {status}"),
    }
}

fn refusal(status: u16, location: &str, wording: Wording) -> String {
    let log_in = wording.log_in();
    match status {
        300..=399 => format!(
            "It leads to {}: the middleware takes nobody for logged in: {log_in}. A page of another origin sends no \
             cookies with pusher-js.",
            repeated(location, 200)
        ),
        401 => format!("Nobody is logged in: {log_in}."),
        403 => format!(
            "No: the application says so, or nobody is logged in: {log_in}. In Laravel the callback in routes/channels.php \
             says so, or no pattern there fits the channel: patterns are without private- and presence-, and {{x}} matches \
             no dot."
        ),
        419 => "The CSRF token is missing: from Laravel 8.16 on the route is exempt; before, Echo needs csrfToken or a \
                <meta name=\"csrf-token\">."
            .to_owned(),
        404 | 405 => "There is no such route: call Broadcast::routes() (withBroadcasting from Laravel 11 on), and mind its \
                      prefix."
            .to_owned(),
        429 => "The route is throttled.".to_owned(),
        500 => "The application has failed: see storage/logs/laravel.log. Often the callback throws, or an encrypted \
                channel has no encryption_master_key_base64."
            .to_owned(),
        _ => "See the application's log, and that of the proxy in front of it.".to_owned(),
    }
}

/// An answer that the application signed itself.
fn signed(
    channel: &str,
    answer: &serde_json::Map<String, Value>,
    socket_id: &str,
    credential: Option<&Credential>,
) -> Finding {
    let data = answer.get("channel_data");
    if channel.starts_with("presence-") && !data.is_some_and(Value::is_string) {
        return complain(
            format!(
                "{channel}: the answer has no channel_data that is a text; pusher-js throws or is refused"
            ),
            "Return from the callback an array that describes the user.",
        );
    }
    if channel.starts_with("private-encrypted-") && !answer.get("shared_secret").is_some_and(Value::is_string)
    {
        return complain(
            format!("{channel}: pusher-js reports `No shared_secret key in auth payload`"),
            "Set options.encryption_master_key_base64 in config/broadcasting.php.",
        );
    }
    let auth = answer.get("auth").and_then(Value::as_str).unwrap_or_default();
    if let Some(credential) = credential {
        let data = data.and_then(Value::as_str).map(|data| format!(":{data}")).unwrap_or_default();
        let right = credential.secret.sign(&[format!("{socket_id}:{channel}{data}").as_bytes()]);
        if auth.strip_prefix(credential.key.as_str()).and_then(|rest| rest.strip_prefix(':')) != Some(&*right)
        {
            return complain(
                format!(
                    "{channel}: the application signs with another key or secret; the server will refuse it"
                ),
                "Give PUSHER_APP_KEY and PUSHER_APP_SECRET the values of this server's app, then `php artisan \
                 config:clear`.",
            );
        }
    }
    Ok(format!("{channel}: the application says yes and signs; pusher-js can subscribe"))
}

/// How Fanfare's own endpoint, which asks on the client's behalf, would read the answer.
fn of_ours(channel: &str, response: &Response) -> String {
    match judged_by_us(channel, response) {
        None => "It is no name of a channel.".to_owned(),
        Some(Ok(_)) => "That would let the client in.".to_owned(),
        Some(Err(denial)) => format!("Of this answer even that would make {}: {denial}.", denial.status()),
    }
}

/// Whether the application said yes without signing, so that only Fanfare's own endpoint can use the answer.
fn is_yes_without_a_signature(channel: &str, response: &Response) -> bool {
    matches!(judged_by_us(channel, response), Some(Ok(Yes::Unsigned(_))))
}

/// `None` for an illegal channel name.
fn judged_by_us(channel: &str, response: &Response) -> Option<Result<Yes, Denial>> {
    let limits = Limits::default();
    let name = ChannelName::parse(channel, limits.channel_name).ok()?;
    let answered = Answered { status: response.status.as_u16(), location: None, body: &response.body };
    Some(judge_for_us(&answered, Subject::Channel(&name), None, &limits))
}

/// The answer of the redis broadcaster, and any other JSON without a signature.
fn unsigned(question: &Question, answer: &Value) -> Complaint {
    let channel = question.channel.as_str();
    let through_us = format!("Have Echo ask Fanfare, which signs: {}.", question.endpoint());
    let is_presence = channel.starts_with("presence-");
    let (what, mend) = match answer {
        Value::Bool(true) if channel.starts_with("private-encrypted-") => (
            "`true`; pusher-js reports `No shared_secret key in auth payload`",
            "The redis broadcaster does not encrypt: use the pusher driver for encrypted channels."
                .to_owned(),
        ),
        Value::Bool(true) if is_presence => (
            "`true`, which names nobody; pusher-js reports `AuthError`",
            "Return from the callback an array that describes the user.".to_owned(),
        ),
        Value::Bool(true) => (
            "`true`, as the redis broadcaster does; pusher-js subscribes without a signature, is refused, and the \
             channel stays pending for ever",
            through_us,
        ),
        Value::Object(object) if is_presence && object.get("channel_data").is_some_and(Value::is_object) => (
            "channel_data as an object, as the redis broadcaster does; pusher-js throws a SyntaxError",
            through_us,
        ),
        Value::Object(object) if object.contains_key("channel_data") => (
            "channel_data without a signature, as the redis broadcaster does; pusher-js is refused",
            through_us,
        ),
        _ => (
            "200 with JSON that has no `auth`; that is no yes, and pusher-js reports an error or is refused",
            "See what answers there: errors need a status of their own, such as 403.".to_owned(),
        ),
    };
    Complaint { what: format!("{channel}: the application answers {what}"), mend }
}
