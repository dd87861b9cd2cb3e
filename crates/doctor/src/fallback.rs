//! The HTTP fallback's hop: a stream as pusher-js opens one where WebSockets are blocked (FALLBACK-011, FALLBACK-015).

use fanfare_protocol::error::NOTHING_AT;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

use super::answer::Answer;
use super::base_url::BaseUrl;
use super::bounds::PATIENCE;
use super::changed;
use super::hop::{Complaint, Outcome, repeated};
use super::reach::Io;
use super::redirect::{self, Sender};

/// The setting that Fanfare's own refusal names.
const SETTING: &str = "listen.fallback";

/// Most bytes that are read of a stream.
const MOST_BYTES: u64 = 16 * 1024;

/// How far a stream came.
enum Came {
    /// The head is not answered in time, or the first frame does not come.
    Nothing,
    /// The connection ended before a head.
    End,
    /// An answer that is no stream.
    Refused(Answer),
    /// A stream that ended without a session.
    NoSession,
    /// The app refuses its clients, for this reason.
    Closed(String),
    /// A session.
    Session,
}

/// Opens a session over a stream, and ends the session by leaving.
pub(super) async fn ask(
    place: &BaseUrl,
    key: &str,
    origin: Option<&str>,
    stream: Box<dyn Io>,
    has_socket: bool,
) -> Outcome {
    let path = path(place, key);
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    let request = format!(
        "POST {path}?protocol=7&client=js&version=8.4.0&t=0&n=1 HTTP/1.1\r\nHost: {}\r\nUser-Agent: \
         fanfare-doctor\r\nContent-Length: 0\r\n{origin}\r\n",
        place.authority()
    );
    let mut stream = BufReader::new(stream);
    let came = timeout(PATIENCE, exchange(&mut stream, &request)).await.unwrap_or(Came::Nothing);
    judge(place, &path, &came, has_socket)
}

/// A path of a session that nobody else has: another number and name each time (FALLBACK-010).
fn path(place: &BaseUrl, key: &str) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut bytes = [0; 8];
    // Without randomness the session may be another doctor's, who is then told that it was lost.
    let _ = getrandom::fill(&mut bytes);
    let name: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    format!("{}/pusher/app/{key}/0/{name}/xhr_streaming", place.prefix)
}

async fn exchange(stream: &mut BufReader<Box<dyn Io>>, request: &str) -> Came {
    if stream.write_all(request.as_bytes()).await.is_err() || stream.flush().await.is_err() {
        return Came::End;
    }
    let Some(answer) = Answer::head(stream).await else { return Came::End };
    if answer.status != 200 {
        return answer.with_body(stream).await.map_or(Came::End, Came::Refused);
    }
    // The lines between the frames are those of the chunked encoding, and padding.
    let mut lines = stream.take(MOST_BYTES).lines();
    let mut is_open = false;
    while let Ok(Some(line)) = lines.next_line().await {
        match line.trim_end() {
            "o" => is_open = true,
            line if is_open && line.starts_with("a[") => return Came::Session,
            line if is_open && line.starts_with("c[") => return Came::Closed(repeated(line, 200)),
            _ => {}
        }
    }
    Came::NoSession
}

fn judge(place: &BaseUrl, path: &str, came: &Came, has_socket: bool) -> Outcome {
    const SHORT: &str = "/pusher/app/…/xhr_streaming";
    let url = format!("{}{SHORT}", place.url("http"));
    let complain = |what: String, mend: &str| Outcome::Failed(Complaint { what, mend: mend.to_owned() });
    match came {
        Came::Session if has_socket => {
            Outcome::Passed(format!("{url} streams, for pages of networks where WebSockets are blocked"))
        }
        Came::Session => Outcome::Passed(format!(
            "{url} streams: no WebSocket gets through here, but pages with pusher-js do, by the fallback, if they set \
             httpHost and its ports beside wsHost"
        )),
        Came::Refused(answer) if answer.status == 404 && answer.body.contains(SETTING) => {
            Outcome::Noted(format!(
                "switched off ({SETTING} = false): where WebSockets are blocked, pages with pusher-js do not connect"
            ))
        }
        Came::Refused(answer) => Outcome::Failed(complaint(place, path, &url, answer)),
        Came::Closed(frame) => complain(
            format!("{url} streams, but the app refuses its clients: {frame}"),
            "The reason is as for a WebSocket: see the hop app key, or the server's log.",
        ),
        Came::Nothing => complain(
            format!("{url} is not answered in {} s, or nothing comes behind the head", PATIENCE.as_secs()),
            "A proxy holds back the answer's parts: switch off its buffering for /pusher/ (nginx: proxy_buffering off, and no \
             proxy_ignore_headers X-Accel-Buffering). Pages poll until then, after some seconds of waiting.",
        ),
        Came::End => complain(
            format!("{url}: the connection is closed, or what comes is not HTTP"),
            "See the proxy's log, and let POST requests to /pusher/ through.",
        ),
        Came::NoSession => complain(
            format!("{url} is answered 200, but not by a server of this fallback"),
            "Another server answers there, or a proxy does by itself: forward /pusher/ to this server.",
        ),
    }
}

fn complaint(place: &BaseUrl, path: &str, url: &str, answer: &Answer) -> Complaint {
    let Answer { status, body, .. } = answer;
    if let Some(complaint) = redirect::complaint(Sender::Fallback, *status, answer.header("location")) {
        return complaint;
    }
    let arrived = changed::path_without_route(body.trim()).and_then(|came| changed::path(path, came));
    let front = answer.header("server");
    let by = if front.is_empty() { String::new() } else { format!(" by {front}") };
    let prefix = &place.prefix;
    let mend = match status {
        404 if arrived.is_some() => arrived.unwrap_or_default(),
        404 if body.contains(NOTHING_AT) => format!(
            "The server is there, but not at {}: see to listen.path_prefix, httpPath of the client ('{prefix}/pusher'), and \
             whether the proxy takes a prefix off that the server waits for.",
            place.prefix_shown()
        ),
        404 => format!(
            "A proxy that forwards only some paths must forward {prefix}/pusher/ as well, as it forwards {prefix}/app/. Without \
             this path no page connects where WebSockets are blocked."
        ),
        502..=504 => "If a proxy answers so, it does not reach the server behind it.".to_owned(),
        _ => format!("A proxy in front must let POST requests to {prefix}/pusher/ through to this server."),
    };
    Complaint { what: format!("{url} is answered {status}{by}"), mend }
}
