//! One test, because a process has one recorder.

use super::*;

const PARENT: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Makes a span that is over at once.
fn over(work: Work) {
    Span::within(work).end();
}

/// The bytes that a span takes.
fn bytes_of(span: &FinishedSpan) -> usize {
    let texts = span.attributes.iter().map(|(_, value)| match value {
        Value::Text(text) => text.len(),
        Value::Number(_) => 0,
    });
    let list = span.attributes.capacity() * size_of::<(&'static str, Value)>();
    size_of::<FinishedSpan>() + span.name.len() + list + texts.sum::<usize>()
}

fn parts_of_each_other(spans: &mut Spans) {
    let mut request = Span::of_request(Work::Request, || Some(PARENT));
    request.admit();
    {
        let _entered = request.enter();
        over(Work::Publish);
    }
    over(Work::Subscribe);
    request.named(|| "POST /apps/{app}/events".to_owned());
    request.text("app", || "é".repeat(200));
    request.number("status", || 500);
    request.failed(|| "500");
    let passed_on = request.traceparent().unwrap();
    request.end();
    let [publish, subscribe, request] = [(); 3].map(|()| spans.try_recv().unwrap());
    assert_eq!((publish.trace, publish.parent), (request.trace, Some(request.span)));
    assert_eq!((request.trace[0], request.parent.unwrap()[0]), (0x0a, 0xb7));
    assert!(subscribe.trace != request.trace && subscribe.parent.is_none());
    assert!(request.has_failed && request.ended >= request.begun);
    assert_eq!((&*request.name, &*publish.name), ("POST /apps/{app}/events", "publish"));
    assert_eq!(request.attributes[0].1, Value::Text("é".repeat(100).into()));
    assert_eq!(request.attributes[2], ("error.type", Value::Text("500".into())));
    let parent = TraceParent::parse(passed_on.as_bytes()).unwrap();
    assert_eq!((parent.trace, parent.span, parent.is_sampled), (request.trace, request.span, true));
}

fn nothing_of_an_unkept_trace_or_of_a_stranger(spans: &mut Spans) {
    let unkept = [&PARENT[..53], b"00"].concat();
    let mut span = Span::of_request(Work::Request, || Some(&unkept));
    span.admit();
    {
        let _entered = span.enter();
        over(Work::Publish);
    }
    assert!(span.traceparent().unwrap().ends_with("-00"));
    span.end();
    Span::of_request(Work::Request, || Some(PARENT)).end();
    Span::of_request(Work::Request, || None).end();
    assert!(spans.try_recv().is_err());
}

fn a_full_queue(spans: &mut Spans) {
    for _ in 0..MOST_QUEUED_OF_CLIENTS + 3 {
        over(Work::Subscribe);
    }
    assert_eq!((dropped(), spans.len()), (3, MOST_QUEUED_OF_CLIENTS), "clients leave room for back ends");
    for _ in 0..MOST_QUEUED - MOST_QUEUED_OF_CLIENTS + 7 {
        over(Work::Publish);
    }
    assert_eq!((dropped(), spans.len()), (3 + 7, MOST_QUEUED));
    while spans.try_recv().is_ok() {}

    for _ in 0..MOST_QUEUED {
        let mut large = Span::within(Work::Webhook);
        large.named(|| "n".repeat(5000));
        for _ in 0..50 {
            large.text("text", || "t".repeat(5000));
        }
    }
    let mut bytes = 0;
    while let Ok(span) = spans.try_recv() {
        bytes += bytes_of(&span);
    }
    assert!(bytes > 1_000_000 && bytes <= LARGEST * MOST_QUEUED, "{bytes}");
}

#[test]
fn spans_are_parts_of_each_other_and_go_into_a_queue_that_drops_what_is_too_much() {
    over(Work::Publish);
    let mut spans = record(1000).expect("nobody records yet");
    assert!(record(1000).is_none());
    assert!(spans.try_recv().is_err(), "nothing was recorded before");
    parts_of_each_other(&mut spans);
    nothing_of_an_unkept_trace_or_of_a_stranger(&mut spans);
    a_full_queue(&mut spans);
}
