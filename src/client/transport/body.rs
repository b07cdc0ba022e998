//! The request's body: bytes that are shared between attempts, and the moment they were taken.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::scope::Scope;

/// A body of one piece. Taking it tells the scope that the request is leaving: the connection asks for it after it was chosen
/// and has encoded the head.
pub(crate) struct RequestBody {
    bytes: Option<Bytes>,
    scope: Scope,
}

impl RequestBody {
    pub(crate) fn new(bytes: Bytes, scope: Scope) -> Self {
        Self { bytes: (!bytes.is_empty()).then_some(bytes), scope }
    }
}

/// The attempt had ended before its request was sent. A connection of HTTP/2 that had no free stream for it does not know.
#[derive(Debug)]
pub(crate) struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the attempt had ended before it was sent")
    }
}

impl Error for Ended {}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        let bytes = self.bytes.take();
        if bytes.is_some() && !self.scope.record_sent() {
            return Poll::Ready(Some(Err(Ended)));
        }
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        if self.bytes.is_none() {
            // Nobody takes an empty body; but the connection asks for it when it encodes the head.
            self.scope.record_sent();
        }
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
