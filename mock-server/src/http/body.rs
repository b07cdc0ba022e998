//! The bodies of answers: whole, or a stream whose chunks are made as they fall due.

use std::io::Cursor;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, SizeHint};

use super::Cut;
use super::attempt::{Attempt, Part};
use super::fault::{Altered, Piece};
use super::patience::Patience;
use super::production::Production;
use crate::wire::events::Events;
use crate::wire::reply::Reply;

/// Chunks that are due together go out together, up to about this many bytes.
const FRAME_BYTES: usize = 16 * 1024;

/// What is handed to hyper at a time. `Bytes` would take an allocation more, to be shared, which these never are.
pub(super) type Chunk = Cursor<Vec<u8>>;

/// The body of an answer. It holds the attempt until it has been written.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    Whole {
        bytes: Vec<u8>,
        attempt: Option<Box<Attempt>>,
    },
    Stream(Box<Streamed>),
    /// A fault befalls it.
    Altered(Box<Altered>),
}

impl AnswerBody {
    pub(super) fn whole(attempt: Box<Attempt>, bytes: Vec<u8>) -> Self {
        Self::Whole { bytes, attempt: Some(attempt) }
    }

    /// For answers to what is no attempt.
    pub(super) fn unrecorded(bytes: Vec<u8>) -> Self {
        Self::Whole { bytes, attempt: None }
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

    /// All that it will be.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Whole { bytes, .. } => vec![Piece::whole(bytes.clone())],
            Self::Stream(stream) => stream.pieces(),
            Self::Altered(_) => Vec::new(),
        }
    }

    /// The first half of a stream's chunks, at least one, and the error with which it breaks off.
    pub(super) fn pieces_up_to(&self, error: &Reply) -> Vec<Piece> {
        match self {
            Self::Stream(stream) => stream.pieces_up_to(error),
            Self::Whole { .. } | Self::Altered(_) => Vec::new(),
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

impl Body for AnswerBody {
    type Data = Chunk;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, Cut>>> {
        match &mut *self {
            Self::Whole { bytes, .. } if bytes.is_empty() => Poll::Ready(None),
            Self::Whole { bytes, attempt } => {
                if let Some(attempt) = attempt {
                    attempt.written(Part::Last);
                }
                Poll::Ready(Some(Ok(Frame::data(Chunk::new(mem::take(bytes))))))
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
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
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
        Poll::Ready(Some(Chunk::new(chunk)))
    }

    /// Ends with an error, and nothing else.
    fn fail(&mut self, failure: &Reply) -> Chunk {
        let mut event = Vec::new();
        self.events.write_error(self.attempt.dialect(), failure, &mut event);
        self.events.abandon();
        self.attempt.settle();
        self.attempt.failed(200);
        self.attempt.written(Part::Last);
        Chunk::new(event)
    }

    fn pieces(&self) -> Vec<Piece> {
        let (mut events, mut token) = (self.events.clone(), self.written);
        let mut pieces: Vec<Piece> = std::iter::from_fn(|| next_piece(&mut events, &mut token)).collect();
        let mut bytes = Vec::new();
        events.write_end(&mut bytes);
        pieces.push(Piece { token, bytes, is_chunk: false });
        pieces
    }

    fn pieces_up_to(&self, error: &Reply) -> Vec<Piece> {
        let chunks = self.pieces().len() - 1;
        let (mut events, mut token) = (self.events.clone(), self.written);
        let mut pieces: Vec<Piece> =
            std::iter::from_fn(|| next_piece(&mut events, &mut token)).take((chunks / 2).max(1)).collect();
        let mut bytes = Vec::new();
        events.write_error(self.attempt.dialect(), error, &mut bytes);
        // Instead of the next chunk, if there was to be one.
        token += events.next_chunk().unwrap_or(0);
        pieces.push(Piece { token, bytes, is_chunk: false });
        pieces
    }

    /// Whether all is written: the end goes out with the last chunk.
    fn is_over(&self) -> bool {
        self.events.next_chunk().is_none()
    }
}

/// The next chunk, with the number of the token that completes it.
fn next_piece(events: &mut Events, token: &mut u32) -> Option<Piece> {
    *token += events.next_chunk()?;
    let mut bytes = Vec::with_capacity(512);
    events.write_chunk(&mut bytes);
    // There may be hundreds of thousands of them.
    bytes.shrink_to_fit();
    Some(Piece { token: *token, bytes, is_chunk: true })
}
