//! Spans that are made: which trace each belongs to, whether the trace is kept, and the queue of finished ones.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::SystemTime;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::Work;
use crate::traceparent::TraceParent;

/// Most finished spans that wait to be sent: at most [`LARGEST`] bytes each, 6 MB together.
pub const MOST_QUEUED: usize = 2048;

/// Most finished spans that wait when one of a client's is added: clients, who are strangers, take no room from back ends.
const MOST_QUEUED_OF_CLIENTS: usize = MOST_QUEUED / 2;

/// Most attributes of a span; further ones are left out.
const MOST_ATTRIBUTES: usize = 10;

/// Most bytes of an attribute's text, and of a name; the rest is cut off.
const MOST_TEXT: usize = 200;

/// Most bytes that a span takes: itself, its name, the list of its attributes, and their texts.
const LARGEST: usize = size_of::<FinishedSpan>()
    + MOST_TEXT
    + MOST_ATTRIBUTES * (size_of::<(&'static str, Value)>() + MOST_TEXT);

const _: () = assert!(LARGEST * MOST_QUEUED <= 6_000_000);

/// The process's recorder, once there is one.
static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// Spans that were dropped, because the queue was full.
static DROPPED: AtomicU64 = AtomicU64::new(0);

struct Recorder {
    /// A trace whose lower half is below this is kept.
    below: u64,
    queue: Sender<FinishedSpan>,
}

/// The finished spans, for whoever sends them.
pub type Spans = Receiver<FinishedSpan>;

/// A number of an attribute.
pub type Number = u64;

/// What an attribute says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text of at most 200 bytes.
    Text(Box<str>),
    /// A number.
    Number(Number),
}

/// A span that is over.
#[derive(Debug)]
pub struct FinishedSpan {
    /// What the span is about.
    pub work: Work,
    /// The name.
    pub name: Cow<'static, str>,
    /// The trace.
    pub trace: [u8; 16],
    /// The number of the span.
    pub span: [u8; 8],
    /// The span that this one is a part of.
    pub parent: Option<[u8; 8]>,
    /// When the work began.
    pub begun: SystemTime,
    /// When the work was over.
    pub ended: SystemTime,
    /// What was said of the work.
    pub attributes: Vec<(&'static str, Value)>,
    /// Whether the work has failed.
    pub has_failed: bool,
}

/// Records spans from now on, of `per_thousand` of a thousand traces that begin here; the queue of finished ones. `None` if
/// the process records already.
pub fn record(per_thousand: u64) -> Option<Spans> {
    let (queue, spans) = channel(MOST_QUEUED);
    let below = if per_thousand >= 1000 { u64::MAX } else { u64::MAX / 1000 * per_thousand };
    RECORDER.set(Recorder { below, queue }).is_ok().then_some(spans)
}

/// How many spans were dropped because the queue was full.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The place of a span in a trace.
#[derive(Clone, Copy, Debug)]
struct Place {
    trace: [u8; 16],
    span: [u8; 8],
    is_kept: bool,
}

thread_local! {
    /// What the thread does now.
    static NOW: Cell<Option<Place>> = const { Cell::new(None) };
    /// Numbers that no other thread has, for ids, which need not be secret.
    static NUMBERS: (RandomState, Cell<u64>) = (RandomState::new(), Cell::new(0));
}

/// A number that is not zero, and different each time.
fn number() -> u64 {
    NUMBERS.with(|(random, last)| {
        last.set(last.get() + 1);
        random.hash_one(last.get()).max(1)
    })
}

/// A span that goes on; over when dropped.
#[derive(Debug)]
pub struct Span {
    place: Option<Place>,
    /// What is going to be sent, if the trace is kept.
    open: Option<Box<FinishedSpan>>,
    /// Whether whoever asked may ask: the span of a request is not sent before.
    is_admitted: bool,
}

impl Span {
    /// A part of what the thread does; the beginning of a trace if the thread does nothing that has a span.
    #[must_use]
    pub fn within(work: Work) -> Self {
        match (RECORDER.get(), NOW.get()) {
            (None, _) => Self::none(),
            (Some(_), Some(Place { trace, span, is_kept })) => Self::new(work, trace, Some(span), is_kept),
            (Some(recorder), None) => Self::first(work, recorder),
        }
    }

    /// What somebody else asks for, with their header `traceparent`: a part of their trace, kept if they keep the trace. Sent
    /// only if [`Self::admit`] was called: a stranger cannot have spans made.
    #[must_use]
    pub fn of_request<'a>(work: Work, traceparent: impl FnOnce() -> Option<&'a [u8]>) -> Self {
        let Some(recorder) = RECORDER.get() else { return Self::none() };
        let mut span = match traceparent().and_then(TraceParent::parse) {
            Some(TraceParent { trace, span, is_sampled }) => Self::new(work, trace, Some(span), is_sampled),
            None => Self::first(work, recorder),
        };
        span.is_admitted = false;
        span
    }

    const fn none() -> Self {
        Self { place: None, open: None, is_admitted: true }
    }

    fn first(work: Work, recorder: &Recorder) -> Self {
        let mut trace = [0; 16];
        trace[..8].copy_from_slice(&number().to_be_bytes());
        trace[8..].copy_from_slice(&number().to_be_bytes());
        Self::new(work, trace, None, recorder.keeps(trace))
    }

    fn new(work: Work, trace: [u8; 16], parent: Option<[u8; 8]>, is_kept: bool) -> Self {
        let span = number().to_be_bytes();
        let open = is_kept.then(|| {
            let begun = SystemTime::now();
            let attributes = Vec::with_capacity(MOST_ATTRIBUTES);
            Box::new(FinishedSpan {
                work,
                name: work.name().into(),
                trace,
                span,
                parent,
                begun,
                ended: begun,
                attributes,
                has_failed: false,
            })
        });
        Self { place: Some(Place { trace, span, is_kept }), open, is_admitted: true }
    }

    /// Gives the span a name, of which there are few.
    pub fn named(&mut self, name: impl FnOnce() -> String) {
        if let Some(open) = &mut self.open {
            open.name = beginning(&name()).to_owned().into();
        }
    }

    /// Says something in words; never a payload or a secret.
    pub fn text<T: AsRef<str>>(&mut self, name: &'static str, value: impl FnOnce() -> T) {
        self.say(name, || Value::Text(beginning(value().as_ref()).into()));
    }

    /// Says a number.
    pub fn number(&mut self, name: &'static str, value: impl FnOnce() -> Number) {
        self.say(name, || Value::Number(value()));
    }

    fn say(&mut self, name: &'static str, value: impl FnOnce() -> Value) {
        if let Some(open) = self.open.as_mut().filter(|open| open.attributes.len() < MOST_ATTRIBUTES) {
            open.attributes.push((name, value()));
        }
    }

    /// The work has failed, for this reason in a word: a status, or a name of which there are few.
    pub fn failed<T: AsRef<str>>(&mut self, why: impl FnOnce() -> T) {
        self.text("error.type", why);
        if let Some(open) = &mut self.open {
            open.has_failed = true;
        }
    }

    /// Whoever asked may ask.
    pub const fn admit(&mut self) {
        self.is_admitted = true;
    }

    /// The header `traceparent` of a request that is a part of the span; `None` if no spans are recorded.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        let Place { trace, span, is_kept } = self.place?;
        let mut header = String::with_capacity(55);
        header.push_str("00-");
        for byte in trace {
            let _ = write!(header, "{byte:02x}");
        }
        header.push('-');
        for byte in span {
            let _ = write!(header, "{byte:02x}");
        }
        header.push_str(if is_kept { "-01" } else { "-00" });
        Some(header)
    }

    /// The work is over.
    pub fn end(self) {}

    /// Spans that the thread makes meanwhile are parts of this one.
    #[must_use]
    pub fn enter(&self) -> Entered<'_> {
        Entered { before: NOW.replace(self.place), span: PhantomData }
    }

    /// Spans that a future makes are parts of this one.
    pub fn around<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        Around { place: self.place, future: Box::pin(future) }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some((mut open, recorder)) = self.open.take().zip(RECORDER.get()) else { return };
        if !self.is_admitted {
            return;
        }
        open.ended = SystemTime::now();
        let waiting = MOST_QUEUED - recorder.queue.capacity();
        let is_too_much = open.work.is_of_clients() && waiting >= MOST_QUEUED_OF_CLIENTS;
        if is_too_much || recorder.queue.try_send(*open).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The beginning of a text, if the text is too long.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_TEXT)]
}

impl Recorder {
    fn keeps(&self, trace: [u8; 16]) -> bool {
        let [.., a, b, c, d, e, f, g, h] = trace;
        let lower = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        self.below == u64::MAX || lower < self.below
    }
}

/// While this lives, the thread's spans are parts of another. Not sent to other threads.
#[derive(Debug)]
pub struct Entered<'a> {
    before: Option<Place>,
    span: PhantomData<(&'a Span, *const ())>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        NOW.set(self.before);
    }
}

/// A future during whose polls the thread's spans are parts of another.
struct Around<F> {
    place: Option<Place>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Around<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = Entered { before: NOW.replace(self.place), span: PhantomData };
        self.future.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests;
