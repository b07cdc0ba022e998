//! What becomes of an answer: a pure function of its pieces and the fault.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::edit::{Edit, Edited, Names, begin_of_json, begin_of_last_event};
use super::piece::{Piece, Pieces};
use crate::ledger::FaultOutcome;
use crate::profile::{FaultKind, Place};
use crate::wire::write_string;

/// An answer as it would have been.
pub(super) struct Answer<'a> {
    pub(super) pieces: Pieces,
    pub(super) is_stream: bool,
    /// What was asked, and what answers instead of it.
    pub(super) model: &'a str,
    pub(super) other_model: &'a str,
}

/// What is sent instead.
#[derive(Debug)]
pub(super) struct Alteration {
    pub(super) head: Head,
    pub(super) framing: Framing,
    pub(super) pieces: Edited,
    pub(super) pace: Option<NonZeroU32>,
    pub(super) ending: Ending,
    pub(super) begins: Begins,
}

/// When the fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    AtOnce,
    /// With the first piece that says so.
    Within,
    WithTheEnding,
}

impl Begins {
    /// Whether it has begun when this piece is sent.
    pub(super) fn with(self, piece: &Piece) -> bool {
        match self {
            Self::AtOnce => true,
            Self::Within => piece.is_struck,
            Self::WithTheEnding => false,
        }
    }
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
    /// The end of the connection, as in HTTP/1.0.
    UpToTheEnd,
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
    let Answer { pieces, is_stream, model, other_model } = answer;
    let changed = |edit| {
        let pieces = Edited::new(pieces.clone(), edit);
        // That of a stream is not told.
        let framing = if is_stream { Framing::Chunked } else { Framing::Length(length(pieces.clone())) };
        Alteration { head: Head::AtOnce, framing, pieces, pace: None, ending: Ending::Complete, begins: Begins::AtOnce }
    };
    let plain = || changed(Edit::None);
    let cut = |place, ending| {
        let at = place_in(&pieces, is_stream, place)?;
        let begins = if at == 0 { Begins::AtOnce } else { Begins::WithTheEnding };
        Ok(Alteration { framing: plain().framing, ending, begins, ..changed(Edit::UpTo(at)) })
    };
    let needs = |stream: bool| match stream == is_stream {
        true => Ok(()),
        false if stream => Err(FaultOutcome::NeedsStream),
        false => Err(FaultOutcome::NeedsWhole),
    };
    match kind {
        FaultKind::Status(_) | FaultKind::TooMany(_) | FaultKind::Html(_) | FaultKind::Hang => Err(FaultOutcome::NotReached),
        FaultKind::SlowHeaders(time) => Ok(Alteration { head: Head::Slowly(time), ending: Ending::Close, ..plain() }),
        FaultKind::Stall(place) => cut(place, Ending::Hold),
        FaultKind::Drip(rate) => Ok(Alteration { pace: Some(rate), ..plain() }),
        FaultKind::Truncate(place) => cut(place, Ending::BreakOff),
        FaultKind::Reset => Ok(Alteration { head: Head::Never, ending: Ending::Reset, ..changed(Edit::UpTo(0)) }),
        FaultKind::ResetMidBody(place) => cut(place, Ending::Reset),
        FaultKind::ShortLength => match length(pieces.clone()) {
            ..2 => Err(FaultOutcome::NothingThere),
            length => Ok(Alteration { framing: Framing::Length(length / 2), ending: Ending::Close, ..plain() }),
        },
        FaultKind::LongLength => {
            let framing = Framing::Length(2 * length(pieces.clone()).max(1));
            Ok(Alteration { framing, begins: Begins::WithTheEnding, ending: Ending::BreakOff, ..plain() })
        }
        FaultKind::MalformedJson => {
            needs(false)?;
            Ok(changed(Edit::UpTo(place_in(&pieces, is_stream, Place::HALF)?)))
        }
        FaultKind::MalformedChunk => {
            needs(true)?;
            let middle = pieces.clone().filter(|piece| piece.is_chunk).count() / 2;
            let piece = pieces.clone().nth(middle).filter(|piece| piece.is_chunk).ok_or(FaultOutcome::NothingThere)?;
            begin_of_json(&piece.bytes).ok_or(FaultOutcome::NothingThere)?;
            Ok(Alteration { begins: Begins::Within, ..changed(Edit::Broken(middle)) })
        }
        FaultKind::BadChunkSize => {
            let struck = Edit::StruckBehind(place_in(&pieces, is_stream, Place::HALF)?);
            let (framing, ending) = (Framing::ChunkedUpToFault, Ending::BreakOff);
            Ok(Alteration { framing, ending, begins: Begins::Within, ..changed(struck) })
        }
        FaultKind::ErrorEvent => {
            needs(true)?;
            // It is the last of the pieces already.
            Ok(Alteration { begins: Begins::Within, ..plain() })
        }
        FaultKind::NoDone => {
            needs(true)?;
            let last = pieces.clone().last().filter(|piece| !piece.is_chunk).ok_or(FaultOutcome::NothingThere)?;
            begin_of_last_event(&last.bytes).ok_or(FaultOutcome::NothingThere)?;
            Ok(Alteration { begins: Begins::Within, ..changed(Edit::NoLastEvent) })
        }
        FaultKind::NeverClose => {
            let (framing, begins) = (Framing::Chunked, Begins::WithTheEnding);
            Ok(Alteration { framing, begins, ending: Ending::Hold, ..plain() })
        }
        FaultKind::Close => Ok(Alteration { begins: Begins::WithTheEnding, ending: Ending::Close, ..plain() }),
        FaultKind::ErrorIn200 => Ok(Alteration { framing: Framing::Length(length(pieces.clone())), ..plain() }),
        FaultKind::WrongModel => {
            let names = Names { right: named(model), wrong: named(other_model) };
            match pieces.clone().any(|piece| names.are_in(&piece.bytes)) {
                true => Ok(changed(Edit::Renamed(names))),
                false => Err(FaultOutcome::NothingThere),
            }
        }
    }
}

/// Of all pieces together.
fn length(pieces: impl Iterator<Item = Piece>) -> u64 {
    pieces.map(|piece| piece.bytes.len() as u64).sum()
}

/// How many bytes come before a place within the body.
fn place_in(pieces: &Pieces, is_stream: bool, place: Place) -> Result<u64, FaultOutcome> {
    let whole = || length(pieces.clone());
    let (at, length) = match place {
        Place::Byte(bytes) => (u64::from(bytes), whole()),
        Place::Share(percent) => {
            let length = whole();
            (length * u64::from(percent) / 100, length)
        }
        Place::Chunk(chunks) if is_stream => {
            let (mut rest, mut at) = (pieces.clone(), 0);
            for _ in 0..chunks {
                let chunk = rest.next().filter(|piece| piece.is_chunk).ok_or(FaultOutcome::NothingThere)?;
                at += chunk.bytes.len() as u64;
            }
            (at, at + rest.next().map_or(0, |piece| piece.bytes.len() as u64))
        }
        Place::Chunk(_) => return Err(FaultOutcome::NeedsStream),
    };
    if at < length { Ok(at) } else { Err(FaultOutcome::NothingThere) }
}

/// As objects name their model.
fn named(model: &str) -> Arc<[u8]> {
    let mut named = b"\"model\":".to_vec();
    write_string(model, &mut named);
    named.into()
}
