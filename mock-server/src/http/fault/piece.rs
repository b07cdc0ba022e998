//! An answer in pieces.

/// What of an answer's body is due at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Piece {
    /// The number of the token with which it is due.
    pub(in crate::http) token: u32,
    pub(in crate::http) bytes: Vec<u8>,
    /// Whether it is a chunk of a stream's content.
    pub(in crate::http) is_chunk: bool,
}

impl Piece {
    /// An answer in one piece.
    pub(in crate::http) fn whole(bytes: Vec<u8>) -> Self {
        Self { token: 1, bytes, is_chunk: false }
    }
}
