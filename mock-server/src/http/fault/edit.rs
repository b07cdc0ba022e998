//! What is changed of an answer's pieces, one after the other as they are made.

use std::sync::Arc;

use memchr::memmem;

use super::piece::{Piece, Pieces};

/// An answer's pieces with a change.
#[derive(Clone, Debug)]
pub(super) struct Edited {
    pieces: Pieces,
    edit: Edit,
    /// The rest of a piece that was divided.
    rest: Option<Piece>,
}

/// A change.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    None,
    /// It ends after so many more bytes.
    UpTo(u64),
    /// The fault begins after so many more bytes.
    StruckBehind(u64),
    /// After so many more pieces the JSON of a piece's last event breaks off at its half.
    Broken(usize),
    /// The last event is missing: in every dialect the mark of the end.
    NoLastEvent,
    /// Every object that names its model names another one.
    Renamed(Names),
}

/// How a model is named, and how it is to be.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) right: Arc<[u8]>,
    pub(super) wrong: Arc<[u8]>,
}

impl Edited {
    pub(super) fn new(pieces: Pieces, edit: Edit) -> Self {
        Self { pieces, edit, rest: None }
    }
}

impl Iterator for Edited {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if matches!(self.edit, Edit::UpTo(0)) {
            return None;
        }
        let mut piece = match self.rest.take() {
            Some(rest) => rest,
            None => self.pieces.next()?,
        };
        match &mut self.edit {
            Edit::None => {}
            Edit::UpTo(left) => {
                piece.bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= piece.bytes.len() as u64;
            }
            Edit::StruckBehind(0) => piece.is_struck = true,
            Edit::StruckBehind(left) => {
                let rest = piece.bytes.split_off((*left as usize).min(piece.bytes.len()));
                *left -= piece.bytes.len() as u64;
                self.rest = (!rest.is_empty()).then_some(Piece { bytes: rest, ..piece });
            }
            Edit::Broken(left) => {
                if *left == 0 {
                    break_off(&mut piece.bytes);
                    piece.is_struck = true;
                }
                *left = left.wrapping_sub(1);
            }
            Edit::NoLastEvent if !piece.is_chunk => {
                piece.bytes.truncate(begin_of_last_event(&piece.bytes).unwrap_or(piece.bytes.len()));
                piece.is_struck = true;
            }
            Edit::NoLastEvent => {}
            Edit::Renamed(names) => piece.bytes = names.change(&piece.bytes),
        }
        Some(piece)
    }
}

/// Where the JSON of the last event begins.
pub(super) fn begin_of_json(events: &[u8]) -> Option<usize> {
    memmem::rfind(events, b"data: {").map(|begin| begin + b"data: ".len())
}

fn break_off(events: &mut Vec<u8>) {
    let Some(json) = begin_of_json(events) else { return };
    let end = events.len().saturating_sub(b"\n\n".len());
    events.truncate(json + end.saturating_sub(json) / 2);
    events.extend_from_slice(b"\n\n");
}

/// Where the last event begins, if there is one.
pub(super) fn begin_of_last_event(events: &[u8]) -> Option<usize> {
    let events = events.strip_suffix(b"\n\n")?;
    Some(memmem::rfind(events, b"\n\n").map_or(0, |end| end + b"\n\n".len()))
}

impl Names {
    /// What is said cannot be taken for a name: its quotes are escaped.
    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        memmem::find(bytes, &self.right).is_some()
    }

    fn change(&self, bytes: &[u8]) -> Vec<u8> {
        let (mut changed, mut copied) = (Vec::with_capacity(bytes.len() + 64), 0);
        for place in memmem::find_iter(bytes, &self.right) {
            changed.extend_from_slice(&bytes[copied..place]);
            changed.extend_from_slice(&self.wrong);
            copied = place + self.right.len();
        }
        changed.extend_from_slice(&bytes[copied..]);
        changed
    }
}
