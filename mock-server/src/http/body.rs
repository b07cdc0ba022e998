//! The bodies of answers: whole, or a stream whose chunks are made as they fall due.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::Cut;
use super::attempt::{Attempt, Part};
use super::production::Production;
use crate::wire::openai::stream::Events;

/// Chunks that are due together go out together, up to about this many bytes.
const FRAME_BYTES: usize = 16 * 1024;

/// The body of an answer. It holds the attempt until it has been written.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    Whole { bytes: Bytes, attempt: Option<Box<Attempt>> },
    Stream(Box<Streamed>),
}

impl AnswerBody {
    pub(super) fn whole(attempt: Attempt, bytes: Vec<u8>) -> Self {
        Self::Whole { bytes: bytes.into(), attempt: Some(Box::new(attempt)) }
    }

    /// For answers to what is no attempt.
    pub(super) fn unrecorded(bytes: Vec<u8>) -> Self {
        Self::Whole { bytes: bytes.into(), attempt: None }
    }

    /// A stream whose first token is due.
    pub(super) fn stream(attempt: Attempt, events: Events, production: Production) -> Self {
        Self::Stream(Box::new(Streamed { attempt, events, production, written: 0, stage: Stage::Beginning }))
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
            Self::Stream(stream) => stream.stage == Stage::Over,
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
    attempt: Attempt,
    events: Events,
    production: Production,
    /// How many tokens have been written.
    written: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Beginning,
    Tokens,
    Over,
}

impl Streamed {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.stage == Stage::Over {
            return Poll::Ready(None);
        }
        let mut chunk = Vec::new();
        while self.stage != Stage::Over && chunk.len() < FRAME_BYTES {
            if self.production.poll_token(self.written + 1, &mut self.attempt, cx).is_pending() {
                break;
            }
            self.write_token(&mut chunk);
        }
        if chunk.is_empty() {
            return Poll::Pending;
        }
        self.attempt.written(if self.stage == Stage::Over { Part::Last } else { Part::Early });
        Poll::Ready(Some(chunk.into()))
    }

    fn write_token(&mut self, chunk: &mut Vec<u8>) {
        // Room for one event and what may come before it or after it.
        chunk.reserve(512);
        if self.stage == Stage::Beginning {
            self.stage = Stage::Tokens;
            self.events.write_role(chunk);
        }
        self.events.write_token(chunk);
        self.written += 1;
        if self.events.remaining() == 0 {
            self.events.write_end(chunk);
            self.stage = Stage::Over;
        }
    }
}
