//! What becomes of an answer: a pure function of its pieces and the fault.

use std::num::NonZeroU32;
use std::time::Duration;

use memchr::memmem;

use super::Piece;
use crate::ledger::FaultOutcome;
use crate::profile::{FaultKind, Place};
use crate::wire::write_string;

/// An answer as it would have been.
pub(super) struct Answer<'a> {
    pub(super) pieces: Vec<Piece>,
    pub(super) is_stream: bool,
    /// What was asked, and what answers instead of it.
    pub(super) model: &'a str,
    pub(super) other_model: &'a str,
}

/// What is sent instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alteration {
    pub(super) head: Head,
    pub(super) framing: Framing,
    pub(super) pieces: Vec<Piece>,
    pub(super) pace: Option<NonZeroU32>,
    pub(super) ending: Ending,
    /// With which piece the fault begins; behind the last: with the ending.
    pub(super) struck: usize,
}

/// How the head is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    AtOnce,
    /// A line at a time, the last after this long.
    Slowly(Duration),
    Never,
}

/// What tells where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Its length.
    Length(u64),
    /// Its transfer coding.
    Chunked,
    /// Its transfer coding, up to the piece with which the fault begins: that has a size that is no number.
    ChunkedUpToFault,
}

/// What comes after the last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The end, as it should be.
    Complete,
    /// Nothing, ever.
    Hold,
    /// The end of the connection, although more was announced.
    BreakOff,
    /// The end of the connection, since the answer is complete.
    Close,
    /// A reset of the connection.
    Reset,
}

/// What becomes of an answer, or why nothing does.
pub(super) fn alter(kind: FaultKind, answer: Answer<'_>) -> Result<Alteration, FaultOutcome> {
    let Answer { pieces, is_stream, .. } = &answer;
    let length = pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
    let plain = Alteration {
        head: Head::AtOnce,
        framing: if *is_stream { Framing::Chunked } else { Framing::Length(length) },
        pieces: Vec::new(),
        pace: None,
        ending: Ending::Complete,
        struck: 0,
    };
    let needs = |stream: bool| match stream == *is_stream {
        true => Ok(()),
        false if stream => Err(FaultOutcome::NeedsStream),
        false => Err(FaultOutcome::NeedsWhole),
    };
    match kind {
        FaultKind::Status(_) | FaultKind::TooMany(_) | FaultKind::Html(_) | FaultKind::Hang => Err(FaultOutcome::NotReached),
        FaultKind::SlowHeaders(time) => {
            Ok(Alteration { head: Head::Slowly(time), pieces: answer.pieces, ending: Ending::Close, ..plain })
        }
        FaultKind::Stall(place) => Ok(cut(answer, place)?.ending(Ending::Hold, plain)),
        FaultKind::Drip(rate) => Ok(Alteration { pieces: answer.pieces, pace: Some(rate), ..plain }),
        FaultKind::Truncate(place) => Ok(cut(answer, place)?.ending(Ending::BreakOff, plain)),
        FaultKind::Reset => Ok(Alteration { head: Head::Never, ending: Ending::Reset, ..plain }),
        FaultKind::ResetMidBody(place) => Ok(cut(answer, place)?.ending(Ending::Reset, plain)),
        FaultKind::ShortLength if length < 2 => Err(FaultOutcome::NothingThere),
        FaultKind::ShortLength => {
            Ok(Alteration { framing: Framing::Length(length / 2), pieces: answer.pieces, ending: Ending::Close, ..plain })
        }
        FaultKind::LongLength => {
            let framing = Framing::Length(2 * length.max(1));
            Ok(Alteration { framing, struck: pieces.len(), pieces: answer.pieces, ending: Ending::BreakOff, ..plain })
        }
        FaultKind::MalformedJson => {
            needs(false)?;
            let Cut { before, .. } = cut(answer, Place::HALF)?;
            let framing = Framing::Length(before.iter().map(|piece| piece.bytes.len() as u64).sum());
            Ok(Alteration { framing, pieces: before, ..plain })
        }
        FaultKind::MalformedChunk => {
            needs(true)?;
            let (pieces, struck) = with_broken_chunk(answer.pieces)?;
            Ok(Alteration { pieces, struck, ..plain })
        }
        FaultKind::BadChunkSize => {
            let Cut { before, after } = cut(answer, Place::HALF)?;
            let (struck, framing) = (before.len(), Framing::ChunkedUpToFault);
            let pieces = before.into_iter().chain(after).collect();
            Ok(Alteration { framing, pieces, struck, ending: Ending::BreakOff, ..plain })
        }
        FaultKind::ErrorEvent => {
            needs(true)?;
            // It is the last of the pieces already.
            Ok(Alteration { struck: pieces.len().saturating_sub(1), pieces: answer.pieces, ..plain })
        }
        FaultKind::NoDone => {
            needs(true)?;
            let pieces = without_last_event(answer.pieces)?;
            Ok(Alteration { struck: pieces.len().saturating_sub(1), pieces, ..plain })
        }
        FaultKind::NeverClose => {
            let (framing, struck) = (Framing::Chunked, pieces.len());
            Ok(Alteration { framing, struck, pieces: answer.pieces, ending: Ending::Hold, ..plain })
        }
        FaultKind::Close => Ok(Alteration { struck: pieces.len(), pieces: answer.pieces, ending: Ending::Close, ..plain }),
        FaultKind::ErrorIn200 => Ok(Alteration { framing: Framing::Length(length), pieces: answer.pieces, ..plain }),
        FaultKind::WrongModel => {
            let pieces = renamed(answer)?;
            let framing = match plain.framing {
                Framing::Length(_) => Framing::Length(pieces.iter().map(|piece| piece.bytes.len() as u64).sum()),
                framing => framing,
            };
            Ok(Alteration { pieces, framing, ..plain })
        }
    }
}

/// An answer in two parts.
struct Cut {
    before: Vec<Piece>,
    after: Vec<Piece>,
}

impl Cut {
    /// The first part, and what comes instead of the second.
    fn ending(self, ending: Ending, plain: Alteration) -> Alteration {
        Alteration { struck: self.before.len(), pieces: self.before, ending, ..plain }
    }
}

/// Cuts an answer at a place within it.
fn cut(answer: Answer<'_>, place: Place) -> Result<Cut, FaultOutcome> {
    let length: u64 = answer.pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
    let at = match place {
        Place::Byte(bytes) => u64::from(bytes),
        Place::Share(percent) => length * u64::from(percent) / 100,
        Place::Chunk(chunks) if answer.is_stream => {
            let chunks = chunks as usize;
            if answer.pieces.iter().filter(|piece| piece.is_chunk).count() < chunks {
                return Err(FaultOutcome::NothingThere);
            }
            answer.pieces.iter().take(chunks).map(|piece| piece.bytes.len() as u64).sum()
        }
        Place::Chunk(_) => return Err(FaultOutcome::NeedsStream),
    };
    if at >= length {
        return Err(FaultOutcome::NothingThere);
    }
    let (mut before, mut after, mut left) = (Vec::new(), Vec::new(), at as usize);
    for mut piece in answer.pieces {
        if left == 0 {
            after.push(piece);
            continue;
        }
        let rest = piece.bytes.split_off(left.min(piece.bytes.len()));
        left -= piece.bytes.len();
        if !rest.is_empty() {
            after.push(Piece { bytes: rest, ..piece });
        }
        before.push(piece);
    }
    Ok(Cut { before, after })
}

/// The JSON of the last event of the chunk in the middle breaks off at its half.
fn with_broken_chunk(mut pieces: Vec<Piece>) -> Result<(Vec<Piece>, usize), FaultOutcome> {
    let chunks = pieces.iter().filter(|piece| piece.is_chunk).count();
    let middle = chunks / 2;
    let piece = pieces.get_mut(middle).filter(|piece| piece.is_chunk).ok_or(FaultOutcome::NothingThere)?;
    let json = memmem::rfind(&piece.bytes, b"data: {").ok_or(FaultOutcome::NothingThere)? + b"data: ".len();
    let end = piece.bytes.len().saturating_sub(b"\n\n".len());
    piece.bytes.truncate(json + end.saturating_sub(json) / 2);
    piece.bytes.extend_from_slice(b"\n\n");
    Ok((pieces, middle))
}

/// The mark of a stream's end is its last event, in every dialect.
fn without_last_event(mut pieces: Vec<Piece>) -> Result<Vec<Piece>, FaultOutcome> {
    let last = pieces.last_mut().filter(|piece| !piece.is_chunk).ok_or(FaultOutcome::NothingThere)?;
    let events = last.bytes.strip_suffix(b"\n\n").ok_or(FaultOutcome::NothingThere)?;
    let begin = memmem::rfind(events, b"\n\n").map_or(0, |end| end + b"\n\n".len());
    last.bytes.truncate(begin);
    Ok(pieces)
}

/// Every object that names its model names the other one. What is said cannot be taken for a name: its quotes are escaped.
fn renamed(answer: Answer<'_>) -> Result<Vec<Piece>, FaultOutcome> {
    let named = |model| {
        let mut named = b"\"model\":".to_vec();
        write_string(model, &mut named);
        named
    };
    let (right, wrong) = (named(answer.model), named(answer.other_model));
    let mut is_named = false;
    let renamed = answer.pieces.into_iter().map(|piece| {
        let (mut bytes, mut copied) = (Vec::with_capacity(piece.bytes.len() + 64), 0);
        for place in memmem::find_iter(&piece.bytes, &right) {
            bytes.extend_from_slice(&piece.bytes[copied..place]);
            bytes.extend_from_slice(&wrong);
            copied = place + right.len();
            is_named = true;
        }
        bytes.extend_from_slice(&piece.bytes[copied..]);
        Piece { bytes, ..piece }
    });
    let renamed = renamed.collect();
    if is_named { Ok(renamed) } else { Err(FaultOutcome::NothingThere) }
}
