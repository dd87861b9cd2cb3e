//! The body of an answer over HTTP/2: handed over piece by piece, so that progress is seen.
//!
//! The socket may accept bytes while the peer's window accepts none of an answer. Then the request waits for its peer, and
//! the connection is closed like one that does not read.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::super::activity::Activity;
use super::super::answer_body::AnswerBody;
use super::super::under_way::{Begun, UnderWay};

/// Most bytes of a piece: a frame's.
const PIECE: usize = 16 * 1024;

/// The body of an answer; its request is under way until all is handed over.
pub(super) struct Http2Body {
    body: AnswerBody,
    activity: Arc<Activity>,
    /// The request of a whole answer; streams hold theirs themselves.
    _request: Option<UnderWay>,
    /// Whether a piece was handed over that hyper keeps while the window does not open: hyper asks for the next behind it.
    is_stuck: bool,
}

impl Http2Body {
    pub(super) fn new(body: AnswerBody, begun: Begun<'_>) -> Self {
        let request = begun.goes_on();
        let activity = Arc::clone(request.activity());
        let request = match &body {
            AnswerBody::Whole(_) => Some(request),
            AnswerBody::Stream(stream) => {
                stream.carries(request);
                None
            }
        };
        Self { body, activity, _request: request, is_stuck: false }
    }

    fn free(&mut self) {
        if std::mem::take(&mut self.is_stuck) {
            self.activity.take_chunk();
        }
    }
}

impl Body for Http2Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.free();
        let polled = match &mut self.body {
            AnswerBody::Whole(bytes) if bytes.len() > PIECE => {
                Poll::Ready(Some(Ok(Frame::data(bytes.split_to(PIECE)))))
            }
            body => Pin::new(body).poll_frame(cx),
        };
        if matches!(polled, Poll::Ready(Some(_))) {
            self.is_stuck = true;
            self.activity.offer_chunk();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Http2Body {
    fn drop(&mut self) {
        self.free();
    }
}
