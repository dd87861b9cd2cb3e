//! The request to a collector: spans as OTLP writes them in protobuf.

use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_protocol::close::shortened;
use fanfare_spans::{FinishedSpan, Side, Value};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Said;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

/// Most bytes of a collector's words that are repeated.
const MOST_WORDS: usize = 200;

/// The body of a request with these spans; `resource` says whose they are.
pub(super) fn body(resource: &Resource, spans: Vec<FinishedSpan>) -> Vec<u8> {
    let name = env!("CARGO_PKG_NAME").to_owned();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let scope = Some(InstrumentationScope { name, version, ..InstrumentationScope::default() });
    let spans = spans.into_iter().map(one).collect();
    let scope_spans = vec![ScopeSpans { scope, spans, schema_url: String::new() }];
    let resource = Some(resource.clone());
    let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// How many spans a collector that took the request has rejected, and why in its words.
pub(super) fn rejected(answer: &[u8]) -> (u64, String) {
    // Some collectors answer with an empty object of JSON, or nothing.
    let partly = ExportTraceServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
    let count = partly.as_ref().map_or(0, |partly| u64::try_from(partly.rejected_spans).unwrap_or(0));
    let words = partly.map(|partly| partly.error_message.replace(char::is_control, " ")).unwrap_or_default();
    (count, shortened(&words, MOST_WORDS).into_owned())
}

/// Whose spans they are: the service's name, its version and the node.
pub(super) fn resource(service: &str, node: &str) -> Resource {
    let said = [
        ("service.name", service),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", node),
    ];
    let attributes = said.map(|(name, text)| attribute(name, Said::StringValue(text.to_owned())));
    Resource { attributes: attributes.into(), ..Resource::default() }
}

fn attribute(name: &str, value: Said) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn one(span: FinishedSpan) -> Span {
    let FinishedSpan { work, name, trace, span, parent, begun, ended, attributes, has_failed } = span;
    let kind = match work.side() {
        Side::Internal => SpanKind::Internal,
        Side::Server => SpanKind::Server,
        Side::Client => SpanKind::Client,
    };
    let said = |(name, value)| {
        let value = match value {
            Value::Text(text) => Said::StringValue(text.into()),
            Value::Number(number) => Said::IntValue(i64::try_from(number).unwrap_or(i64::MAX)),
        };
        attribute(name, value)
    };
    let failed = || Status { message: String::new(), code: StatusCode::Error.into() };
    Span {
        trace_id: trace.into(),
        span_id: span.into(),
        parent_span_id: parent.map(Into::into).unwrap_or_default(),
        name: name.into_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanoseconds(begun),
        end_time_unix_nano: nanoseconds(ended),
        attributes: attributes.into_iter().map(said).collect(),
        status: has_failed.then(failed),
        ..Span::default()
    }
}

fn nanoseconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
