//! The spans that a collector gets, decoded with OpenTelemetry's own messages.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use parking_lot::Mutex;
use prost::Message as _;

use crate::support::api::Request;
use crate::support::application::{Application, Question, Reply};
use crate::support::authorization::Post;
use crate::support::receiver::Receiver;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A publish, as its spans are named.
const PUBLISH: &str = "POST /apps/{app}/events";

/// Head and body of a request.
type Received = (String, Vec<u8>);

/// A collector over HTTP/1.1 that keeps what comes.
struct Collector {
    addr: SocketAddr,
    requests: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    fn start() -> Self {
        Self::saying(Some(ExportTraceServiceResponse::default()))
    }

    /// A collector with this answer to every request, or that never answers.
    fn saying(answer: Option<ExportTraceServiceResponse>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a listener has an address");
        let requests = Arc::<Mutex<Vec<Received>>>::default();
        let kept = Arc::clone(&requests);
        let answer = answer.map(|answer| answer.encode_to_vec());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, answer) = (Arc::clone(&kept), answer.clone());
                thread::spawn(move || serve(stream, answer.as_deref(), &kept));
            }
        });
        Self { addr, requests }
    }

    fn setting(&self, more: &str) -> String {
        setting(self.addr, more)
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock();
        let messages = requests.iter().map(|(_, body)| {
            ExportTraceServiceRequest::decode(&body[..]).expect("a body is a request of OTLP")
        });
        messages
            .flat_map(|message| message.resource_spans)
            .flat_map(|of| of.scope_spans)
            .flat_map(|of| of.spans)
            .collect()
    }

    /// Waits for a span of this name.
    #[track_caller]
    fn expect(&self, name: &str) -> Span {
        eventually(&format!("a span {name}"), || self.spans().into_iter().find(|span| span.name == name))
    }
}

fn setting(addr: SocketAddr, more: &str) -> String {
    format!("[telemetry]\notlp_endpoint = \"http://{addr}\"\n{more}")
}

fn serve(mut stream: TcpStream, answer: Option<&[u8]>, kept: &Mutex<Vec<Received>>) {
    let (mut bytes, mut some) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut some) {
        bytes.extend_from_slice(&some[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).expect("a request has a length");
        let Some(answer) = answer.filter(|_| bytes.len() >= end + 4 + length) else { continue };
        let rest = bytes.split_off(end + 4 + length);
        kept.lock().push((head, bytes[end + 4..].to_vec()));
        bytes = rest;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
        if stream.write_all(&[head.as_bytes(), answer].concat()).is_err() {
            return;
        }
    }
}

fn event() -> Request {
    Request::post(
        "/apps/3/events",
        r#"{"name":"secret-event","channel":"secret-channel","data":"secret-data"}"#,
    )
}

fn attribute(span: &Span, name: &str) -> Option<Value> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == name)?;
    attribute.value.as_ref()?.value.clone()
}

#[track_caller]
fn expect_text(span: &Span, name: &str, text: &str) {
    assert_eq!(attribute(span, name), Some(Value::StringValue(text.to_owned())), "{name}: {span:?}");
}

#[track_caller]
fn expect_number(span: &Span, name: &str, number: i64) {
    assert_eq!(attribute(span, name), Some(Value::IntValue(number)), "{name}: {span:?}");
}

#[track_caller]
fn expect_failed(span: &Span, why: &str) {
    expect_text(span, "error.type", why);
    let code = span.status.as_ref().map(|status| status.code);
    assert_eq!(code, Some(StatusCode::Error.into()), "{span:?}");
}

fn trace_of(span: &Span) -> String {
    span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The header that makes spans of another server parts of this one.
fn traceparent_of(span: &Span) -> String {
    let number: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("00-{}-{number}-01", trace_of(span))
}

fn port(addr: SocketAddr) -> i64 {
    addr.port().into()
}

#[test]
fn a_publish_is_a_part_of_the_back_ends_trace_and_no_span_has_a_secret_a_name_or_a_payload() {
    let collector = Collector::start();
    let receiver = Receiver::new();
    let application = Application::saying(200, "true");
    let settings = format!("{}{}", application.settings(), receiver.setting(&["channel_existence"]));
    let setup = Setup::with_app(&settings);
    let file = setup.folder().join("headers");
    std::fs::write(&file, "X-Tenant: shop\n").expect("the folder is there");
    let more = format!("otlp_headers_file = {file:?}\nservice_name = \"live-events\"");
    let server = setup.config(&collector.setting(&more)).start();

    let mut socket = server.connect();
    socket.subscribe("secret-channel");
    server.api().send(&event().header("traceparent", PARENT)).expect("{}");
    Post::channel("private-orders").send(&server);

    let request = collector.expect(PUBLISH);
    assert_eq!(trace_of(&request), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(request.parent_span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
    assert_eq!(request.kind, i32::from(SpanKind::Server));
    expect_number(&request, "http.response.status_code", 200);
    for (name, text) in [
        ("http.request.method", "POST"),
        ("http.route", "/apps/{app}/events"),
        ("url.scheme", "http"),
        ("fanfare.app", "3"),
    ] {
        expect_text(&request, name, text);
    }
    let publish = collector.expect("publish");
    assert_eq!((&publish.trace_id, &publish.parent_span_id), (&request.trace_id, &request.span_id));
    expect_number(&publish, "fanfare.deliveries", 1);
    let subscribe = collector.expect("subscribe");
    assert_eq!(subscribe.kind, i32::from(SpanKind::Server));
    let asked = ["POST webhook", "POST authorization"].map(|name| collector.expect(name));
    let addr = receiver.host().parse().expect("an address");
    for (span, port) in asked.iter().zip([port(addr), port(application.addr)]) {
        assert_eq!(span.kind, i32::from(SpanKind::Client));
        expect_text(span, "server.address", "127.0.0.1");
        expect_number(span, "server.port", port);
        expect_text(span, "fanfare.app", "3");
    }
    for span in asked.iter().chain([&subscribe, &request, &publish]) {
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.status.is_none(), "{span:?}");
    }
    let header = |question: &Question| question.header("traceparent");
    assert_eq!(header(&receiver.requests(1)[0]), Some(traceparent_of(&asked[0])));
    assert_eq!(header(&application.questions()[0]), Some(traceparent_of(&asked[1])));
    for (head, body) in &*collector.requests.lock() {
        assert!(head.starts_with("post /v1/traces") && head.contains("x-tenant: shop"), "{head}");
        let text = String::from_utf8_lossy(body);
        assert!(text.contains("live-events") && !text.contains("secret-"), "{text}");
        for secret in [APP.secret, APP.key, "auth_signature", "orders", "/hook"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[test]
fn what_fails_says_why_in_a_word() {
    let collector = Collector::start();
    let receiver = Receiver::saying(|_| Reply::Body(503, "no"));
    let application = Application::saying(403, "no");
    let settings = format!("{}{}", application.settings(), receiver.setting(&["channel_existence"]));
    let server = Setup::with_app(&settings).config(&collector.setting("")).start();
    Post::channel("private-orders").send(&server);
    expect_failed(&collector.expect("POST authorization"), "denied");
    let mut socket = server.connect();
    socket.subscribe("room");
    expect_failed(&collector.expect("POST webhook"), "503");
    socket.send(r#"{"event":"pusher:subscribe","data":{"channel":"private-orders"}}"#);
    let refused =
        || collector.spans().into_iter().find(|span| span.name == "subscribe" && span.status.is_some());
    expect_failed(&eventually("a refused subscription", refused), "unsigned");
}

#[test]
fn strangers_have_no_spans_made_and_a_back_end_has_its_own_traces_kept() {
    let collector = Collector::start();
    let server = Setup::new().config(&collector.setting("sampled_per_thousand = 0")).start();
    let mut api = server.api();
    let unsigned = event().header("traceparent", PARENT).auth(|auth| auth.signature = Some("0".repeat(64)));
    assert_eq!(api.send(&unsigned).head.status, 401);
    api.send(&event()).expect("{}");
    api.send(&event().header("traceparent", &PARENT.replace("0af7", "0bf7"))).expect("{}");
    collector.expect(PUBLISH);
    let _ = server.stop();
    let kept: BTreeSet<String> = collector.spans().iter().map(trace_of).collect();
    assert_eq!(kept, BTreeSet::from(["0bf7651916cd43dd8448eb211c80319c".to_owned()]));
}

#[test]
fn a_back_end_that_does_not_keep_its_trace_has_nothing_kept_here() {
    let collector = Collector::start();
    let server = Setup::new().config(&collector.setting("")).start();
    let mut api = server.api();
    api.send(&event().header("traceparent", &PARENT.replace("-01", "-00"))).expect("{}");
    api.send(&event().header("traceparent", "nonsense")).expect("{}");
    let _ = server.stop();
    let spans = collector.spans();
    assert_eq!(spans.iter().filter(|span| span.name == PUBLISH).count(), 1, "{spans:?}");
    assert!(spans.iter().all(|span| !trace_of(span).starts_with("0af7")), "{spans:?}");
}

#[test]
fn a_shutdown_sends_the_last_spans() {
    let collector = Collector::start();
    let server = Setup::new().config(&collector.setting("")).start();
    server.api().send(&event()).expect("{}");
    let _ = server.stop();
    let names: Vec<String> = collector.spans().into_iter().map(|span| span.name).collect();
    assert!(names.iter().any(|name| name == "publish"), "{names:?}");
}

#[test]
fn a_collector_that_does_not_answer_delays_no_event_and_what_is_too_much_is_counted() {
    let collector = Collector::saying(None);
    let server = Setup::new().config(&collector.setting("")).start();
    let mut socket = server.connect();
    socket.subscribe("secret-channel");
    let mut api = server.api();
    eventually("a full queue", || {
        for _ in 0..200 {
            api.send(&event()).expect("{}");
            socket.expect_event("secret-channel", "secret-event", "secret-data");
        }
        (server.metric("fanfare_spans_dropped_total") > 0.0).then_some(())
    });
    let _ = server.stop();
}

#[test]
fn a_collector_that_is_away_is_counted_and_logged() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it has one");
    let server = Setup::new().config(&setting(nobody, "")).start();
    server.api().send(&event()).expect("{}");
    server.process.log_line("the collector's absence", |line| {
        line.contains("the collector takes no spans").then_some(())
    });
    server.expect_metric("fanfare_spans_failed_total", 2.0);
    server.expect_metric("fanfare_spans_sent_total", 0.0);
}

#[test]
fn spans_that_a_collector_rejects_are_counted_and_its_words_logged() {
    let partial_success =
        ExportTracePartialSuccess { rejected_spans: 1, error_message: "too many".to_owned() };
    let collector =
        Collector::saying(Some(ExportTraceServiceResponse { partial_success: Some(partial_success) }));
    let server = Setup::new().config(&collector.setting("")).start();
    server.api().send(&event()).expect("{}");
    server.process.log_line("the collector's words", |line| line.contains("too many").then_some(()));
    server.expect_metric("fanfare_spans_failed_total", 1.0);
    server.expect_metric("fanfare_spans_sent_total", 1.0);
}
