//! An answer in pieces.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use crate::wire::dialect::Dialect;
use crate::wire::events::Events;
use crate::wire::reply::Reply;

/// What of an answer's body is due at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Piece {
    /// The number of the token with which it is due.
    pub(in crate::http) token: u32,
    pub(in crate::http) bytes: Vec<u8>,
    /// Whether it is a chunk of a stream's content.
    pub(in crate::http) is_chunk: bool,
    /// Whether the fault has begun with it, where the fault begins within the body.
    pub(super) is_struck: bool,
}

/// The pieces of an answer, each made when it is its turn: all of a long one would fill the memory, however slowly it is sent.
#[derive(Clone, Debug)]
pub(in crate::http) enum Pieces {
    /// An answer in one piece.
    Whole(Option<Bytes>),
    Stream {
        events: Events,
        /// The number of the last token that was passed.
        token: u32,
        end: End,
    },
}

/// How a stream ends.
#[derive(Clone, Debug)]
pub(in crate::http) enum End {
    /// As it should.
    Proper,
    /// With an error, after so many more chunks.
    Error { after: usize, dialect: Dialect, error: Arc<Reply> },
    /// It has.
    Past,
}

impl Pieces {
    pub(in crate::http) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    /// Nothing.
    pub(in crate::http) fn none() -> Self {
        Self::Whole(None)
    }

    pub(in crate::http) fn stream(events: Events, token: u32) -> Self {
        Self::Stream { events, token, end: End::Proper }
    }

    /// The first half of a stream's chunks, at least one, and the error with which it breaks off.
    pub(in crate::http) fn breaking_off(events: Events, token: u32, dialect: Dialect, error: Reply) -> Self {
        let chunks = Self::stream(events.clone(), token).filter(|piece| piece.is_chunk).count();
        Self::Stream { events, token, end: End::Error { after: (chunks / 2).max(1), dialect, error: Arc::new(error) } }
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let (events, token, end) = match self {
            Self::Whole(bytes) => {
                let bytes = bytes.take()?.to_vec();
                return Some(Piece { token: 1, bytes, is_chunk: false, is_struck: false });
            }
            Self::Stream { events, token, end } => (events, token, end),
        };
        let goes_on = !matches!(end, End::Error { after: 0, .. } | End::Past);
        if let Some(tokens) = events.next_chunk().filter(|_| goes_on) {
            *token += tokens;
            let mut bytes = Vec::with_capacity(512);
            events.write_chunk(&mut bytes);
            if let End::Error { after, .. } = end {
                *after -= 1;
            }
            return Some(Piece { token: *token, bytes, is_chunk: true, is_struck: false });
        }
        let mut bytes = Vec::new();
        let is_struck = match mem::replace(end, End::Past) {
            End::Past => return None,
            End::Proper => {
                events.write_end(&mut bytes);
                false
            }
            End::Error { dialect, error, .. } => {
                events.write_error(dialect, &error, &mut bytes);
                // Instead of the next chunk, if there was to be one.
                *token += events.next_chunk().unwrap_or(0);
                true
            }
        };
        Some(Piece { token: *token, bytes, is_chunk: false, is_struck })
    }
}
