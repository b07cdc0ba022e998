//! A text as it is said.

use std::sync::Arc;

use crate::tokens::{Place, Text};
use crate::wire::write_string;

/// A text, and how far it is said. What is done to it is kept out of line, so that seeded text, the common case, stays fast.
#[derive(Clone, Debug)]
pub(super) struct Recital {
    text: Arc<Text>,
    place: Place,
}

impl Recital {
    pub(super) fn new(text: Arc<Text>) -> Self {
        Self { text, place: Place::default() }
    }

    /// How many bytes the whole text has.
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }

    /// Whether the next so many tokens complete no character.
    #[inline(never)]
    pub(super) fn is_silent(&self, tokens: u32) -> bool {
        self.text.after(self.place, tokens).0.is_empty()
    }

    /// So many of the next tokens, or as many more as complete a character, but not above `most`.
    #[inline(never)]
    pub(super) fn at_least(&self, tokens: u32, most: u32) -> u32 {
        (tokens..most).find(|tokens| !self.is_silent(*tokens)).unwrap_or(most)
    }

    /// Goes on without a word.
    #[inline(never)]
    pub(super) fn pass(&mut self, tokens: u32) {
        self.place = self.text.after(self.place, tokens).1;
    }

    /// Appends the next so many tokens to a JSON string that is open.
    #[inline(never)]
    pub(super) fn write(&mut self, tokens: u32, out: &mut Vec<u8>) {
        let (said, behind) = self.text.after(self.place, tokens);
        let begin = out.len();
        write_string(said, out);
        // The quotes around it are not for a part of a string.
        out.pop();
        out.remove(begin);
        self.place = behind;
    }
}
