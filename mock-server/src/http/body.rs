//! The bodies of answers: whole, or a stream whose chunks are made as they fall due.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::Cut;
use super::attempt::{Attempt, Part};
use super::production::Production;
use crate::wire::events::Events;

/// Chunks that are due together go out together, up to about this many bytes.
const FRAME_BYTES: usize = 16 * 1024;

/// The body of an answer. It holds the attempt until it has been written.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    Whole { bytes: Bytes, attempt: Option<Box<Attempt>> },
    Stream(Box<Streamed>),
}

impl AnswerBody {
    pub(super) fn whole(attempt: Box<Attempt>, bytes: Vec<u8>) -> Self {
        Self::Whole { bytes: bytes.into(), attempt: Some(attempt) }
    }

    /// For answers to what is no attempt.
    pub(super) fn unrecorded(bytes: Vec<u8>) -> Self {
        Self::Whole { bytes: bytes.into(), attempt: None }
    }

    /// A stream whose first token is due.
    pub(super) fn stream(attempt: Box<Attempt>, events: Events, production: Production) -> Self {
        Self::Stream(Box::new(Streamed { attempt, events, production, written: 0 }))
    }
}

impl AnswerBody {
    /// Whose it is; none for answers to what is no attempt.
    pub(super) fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Whole { attempt, .. } => attempt.as_deref(),
            Self::Stream(stream) => Some(&stream.attempt),
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Self::Whole { bytes, .. } if bytes.is_empty() => Poll::Ready(None),
            Self::Whole { bytes, attempt } => {
                if let Some(attempt) = attempt {
                    attempt.written(Part::Last);
                }
                Poll::Ready(Some(Ok(Frame::data(mem::take(bytes)))))
            }
            Self::Stream(stream) => stream.poll_chunk(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes, .. } => bytes.is_empty(),
            Self::Stream(stream) => stream.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// A completion in the course of being streamed.
#[derive(Debug)]
pub(crate) struct Streamed {
    attempt: Box<Attempt>,
    events: Events,
    production: Production,
    /// How many tokens the chunks have that were written.
    written: u32,
}

impl Streamed {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        let mut chunk = Vec::new();
        while let Some(tokens) = self.events.next_chunk().filter(|_| chunk.len() < FRAME_BYTES) {
            // A chunk is due with its last token.
            if self.production.poll_token(self.written + tokens, &mut self.attempt, cx).is_pending() {
                break;
            }
            // Room for one event and what may come before it or after it.
            chunk.reserve(512);
            self.events.write_chunk(&mut chunk);
            self.written += tokens;
            self.attempt.sent(tokens);
        }
        if self.is_over() {
            self.attempt.settle();
            self.events.write_end(&mut chunk);
        } else if chunk.is_empty() {
            return Poll::Pending;
        }
        self.attempt.written(if self.is_over() { Part::Last } else { Part::Early });
        Poll::Ready(Some(chunk.into()))
    }

    /// Whether all is written: the end goes out with the last chunk.
    fn is_over(&self) -> bool {
        self.events.next_chunk().is_none()
    }
}
