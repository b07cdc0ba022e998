//! The bodies of answers: whole, or a stream whose chunks are made as they fall due.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use relaybench_clock::Sleep;

use super::Cut;
use super::attempt::{Attempt, Part};
use crate::relay::{Grant, Pace};
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

    pub(super) fn stream(attempt: Attempt, events: Events, pace: Pace, grant: Grant) -> Self {
        Self::Stream(Box::new(Streamed::new(attempt, events, pace, grant)))
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
                    let now = attempt.server().elapsed();
                    attempt.written(now, Part::Last);
                }
                Poll::Ready(Some(Ok(Frame::data(mem::take(bytes)))))
            }
            Self::Stream(stream) => stream.poll_chunk(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes, .. } => bytes.is_empty(),
            Self::Stream(stream) => stream.due.is_none(),
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
    pace: Pace,
    grant: Grant,
    /// When the next token is due, since the profile's start; none after the last.
    due: Option<Duration>,
    sleep: Sleep,
    is_begun: bool,
}

impl Streamed {
    fn new(attempt: Attempt, events: Events, mut pace: Pace, grant: Grant) -> Self {
        let due = pace.next().map(|delay| grant.from + delay);
        let sleep = relaybench_clock::sleep_until(attempt.server().instant(due.unwrap_or(grant.from)));
        Self { attempt, events, pace, grant, due, sleep, is_begun: false }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.due.is_none() {
            return Poll::Ready(None);
        }
        ready!(Pin::new(&mut self.sleep).poll(cx));
        let now = self.attempt.server().elapsed();
        let mut chunk = Vec::with_capacity(512);
        while let Some(due) = self.due.filter(|due| *due <= now && chunk.len() < FRAME_BYTES) {
            self.write_token(&mut chunk);
            self.due = self.pace.next().map(|delay| self.grant.from + delay).inspect(|next| debug_assert!(*next >= due));
        }
        match self.due {
            Some(due) => self.sleep.reset(self.attempt.server().instant(due)),
            None => self.events.write_end(&mut chunk),
        }
        self.attempt.written(now, if self.due.is_some() { Part::Early } else { Part::Last });
        Poll::Ready(Some(chunk.into()))
    }

    fn write_token(&mut self, chunk: &mut Vec<u8>) {
        if !mem::replace(&mut self.is_begun, true) {
            self.events.write_role(chunk);
        }
        self.events.write_token(chunk);
    }
}
