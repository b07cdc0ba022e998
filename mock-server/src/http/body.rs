//! The bodies of answers: whole, or a stream whose chunks are made as they fall due.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::Cut;
use super::attempt::{Attempt, Part};
use super::connection::GiveUp;
use super::fault::{Altered, Pieces};
use super::patience::Patience;
use super::production::Production;
use crate::relay::limits::Standing;
use crate::wire::events::Events;
use crate::wire::reply::Reply;

/// Chunks that are due together go out together, up to about this many bytes.
const FRAME_BYTES: usize = 16 * 1024;

/// The body of an answer. It holds the attempt until it has been written.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    Whole {
        bytes: Bytes,
        attempt: Option<Box<Attempt>>,
    },
    Stream(Box<Streamed>),
    /// A fault befalls it.
    Altered(Box<Altered>),
}

impl AnswerBody {
    pub(super) fn whole(attempt: Box<Attempt>, bytes: Vec<u8>) -> Self {
        Self::Whole { bytes: bytes.into(), attempt: Some(attempt) }
    }

    /// For answers to what is no attempt.
    pub(super) fn unrecorded(bytes: Vec<u8>) -> Self {
        Self::Whole { bytes: bytes.into(), attempt: None }
    }

    /// Nothing, where only the head is wanted.
    pub(super) fn left_out(self) -> Self {
        Self::Whole { bytes: Bytes::new(), attempt: self.into_attempt().map(|(attempt, _)| attempt) }
    }

    /// A stream whose first token is due, or one that has the patience to wait for it.
    pub(super) fn stream(attempt: Box<Attempt>, events: Events, production: Production, patience: Option<Box<Patience>>) -> Self {
        Self::Stream(Box::new(Streamed { attempt, events, production, patience, written: 0 }))
    }

    /// The attempt that it answers; none where it answers what is no attempt.
    pub(super) fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Whole { attempt, .. } => attempt.as_deref(),
            Self::Stream(stream) => Some(&stream.attempt),
            Self::Altered(altered) => Some(altered.attempt()),
        }
    }

    /// The same, to be changed, as long as nothing befell it.
    pub(super) fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match self {
            Self::Whole { attempt, .. } => attempt.as_deref_mut(),
            Self::Stream(stream) => Some(&mut stream.attempt),
            Self::Altered(_) => None,
        }
    }

    /// How far the limits of whoever reads it are used up now. What is whole is all that its attempt uses.
    pub(super) fn standings(&mut self) -> Vec<Standing> {
        match self {
            Self::Whole { attempt, .. } => attempt.as_mut().map_or_else(Vec::new, |attempt| attempt.settled_standings()),
            Self::Stream(stream) => stream.attempt.standings(),
            Self::Altered(altered) => altered.attempt().standings(),
        }
    }

    /// All that it will be.
    pub(super) fn pieces(&self) -> Pieces {
        match self {
            Self::Whole { bytes, .. } => Pieces::whole(bytes.clone()),
            Self::Stream(stream) => Pieces::stream(stream.events.clone(), stream.written),
            Self::Altered(_) => Pieces::none(),
        }
    }

    /// The first half of a stream's chunks, at least one, and the error with which it breaks off.
    pub(super) fn pieces_up_to(&self, error: Reply) -> Pieces {
        match self {
            Self::Stream(stream) => Pieces::breaking_off(stream.events.clone(), stream.written, stream.attempt.dialect(), error),
            Self::Whole { .. } | Self::Altered(_) => Pieces::none(),
        }
    }

    /// The attempt without its answer, and when that was due if not at once.
    pub(super) fn into_attempt(self) -> Option<(Box<Attempt>, Option<Production>)> {
        match self {
            Self::Whole { attempt, .. } => attempt.map(|attempt| (attempt, None)),
            Self::Stream(stream) => Some((stream.attempt, Some(stream.production))),
            Self::Altered(_) => None,
        }
    }
}

impl GiveUp for AnswerBody {
    fn is_given_up(&mut self) {
        match self {
            Self::Altered(altered) => altered.attempt_mut().is_given_up(None),
            other => {
                if let Some(attempt) = other.attempt_mut() {
                    attempt.is_given_up(None);
                }
            }
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
            Self::Altered(altered) => altered.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes, .. } => bytes.is_empty(),
            Self::Stream(stream) => stream.is_over(),
            Self::Altered(altered) => altered.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
            Self::Altered(altered) => altered.size_hint(),
        }
    }
}

/// A completion in the course of being streamed.
#[derive(Debug)]
pub(crate) struct Streamed {
    attempt: Box<Attempt>,
    events: Events,
    production: Production,
    /// None for most, and from the first token on.
    patience: Option<Box<Patience>>,
    /// How many tokens the chunks have that were written.
    written: u32,
}

impl Streamed {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        if let Some(patience) = &mut self.patience {
            if self.production.poll_token(1, &mut self.attempt, cx).is_pending() {
                let comment = ready!(patience.poll_comment(cx));
                self.attempt.written(Part::Early);
                return Poll::Ready(Some(comment));
            }
            if let Some(failure) = self.patience.take().and_then(|patience| patience.failure) {
                return Poll::Ready(Some(self.fail(&failure)));
            }
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
            self.attempt.sent(self.written);
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

    /// Ends with an error, and nothing else.
    fn fail(&mut self, failure: &Reply) -> Bytes {
        let mut event = Vec::new();
        self.events.write_error(self.attempt.dialect(), failure, &mut event);
        self.events.abandon();
        self.attempt.settle();
        self.attempt.failed(200);
        self.attempt.written(Part::Last);
        event.into()
    }

    /// Whether all is written: the end goes out with the last chunk.
    fn is_over(&self) -> bool {
        self.events.next_chunk().is_none()
    }
}
