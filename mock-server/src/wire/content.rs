//! The content of an answer, token by token.

mod choices;
mod recital;
mod seeded;

use std::sync::Arc;

use rand_pcg::Pcg64Mcg;

pub(crate) use self::choices::Choices;
use self::recital::Recital;
use self::seeded::Seeded;
use crate::tokens::{Counter, Text};

/// What an answer says, in so many tokens.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    source: Source,
    tokens: u32,
    written: u32,
}

#[derive(Clone, Debug)]
enum Source {
    Seeded(Seeded),
    Text(Recital),
}

impl Content {
    /// Sentences that the stream of numbers chooses.
    pub(crate) fn seeded(stream: Pcg64Mcg, tokens: u32, counter: Counter) -> Self {
        Self { source: Source::Seeded(Seeded::new(stream, counter.sentences())), tokens, written: 0 }
    }

    /// The first tokens of a text, at most as many as it has.
    pub(crate) fn text(text: Arc<Text>, tokens: u32) -> Self {
        Self { source: Source::Text(Recital::new(text)), tokens, written: 0 }
    }

    /// Whether nothing is written yet.
    pub(crate) fn is_untouched(&self) -> bool {
        self.written == 0
    }

    /// How many tokens are to come.
    pub(crate) fn remaining(&self) -> u32 {
        self.tokens - self.written
    }

    /// About how many bytes all its tokens take.
    pub(crate) fn size(&self) -> usize {
        match &self.source {
            Source::Seeded(_) => 8 * self.tokens as usize,
            Source::Text(recital) => recital.size(),
        }
    }

    /// Whether the next so many tokens have no text: some complete no character.
    pub(crate) fn is_silent(&self, tokens: u32) -> bool {
        match &self.source {
            Source::Seeded(_) => tokens == 0,
            Source::Text(recital) => recital.is_silent(tokens),
        }
    }

    /// So many of the tokens to come, or more where these are silent, or as many as there are.
    pub(crate) fn at_least(&self, tokens: u32) -> u32 {
        match &self.source {
            Source::Seeded(_) => tokens.min(self.remaining()),
            Source::Text(recital) => recital.at_least(tokens, self.remaining()),
        }
    }

    /// Leaves out the next so many tokens, which are silent.
    pub(crate) fn pass(&mut self, tokens: u32) {
        if let Source::Text(recital) = &mut self.source {
            recital.pass(tokens);
        }
        self.written += tokens;
    }

    /// Appends the next so many tokens to a JSON string that is open.
    pub(crate) fn write(&mut self, tokens: u32, out: &mut Vec<u8>) {
        match &mut self.source {
            Source::Seeded(seeded) => seeded.write(tokens as usize, out),
            Source::Text(recital) => recital.write(tokens, out),
        }
        self.written += tokens;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Draws, Purpose};

    fn seeded(attempt: u64, tokens: u32) -> Content {
        Content::seeded(Draws::new(1, 2, attempt).stream(Purpose::Content(0)), tokens, Counter::Approximate)
    }

    fn said(mut content: Content, piece: u32) -> String {
        let mut said = String::new();
        while content.remaining() > 0 {
            let mut out = Vec::new();
            content.write(piece.min(content.remaining()), &mut out);
            said.push_str(std::str::from_utf8(&out).unwrap());
        }
        said
    }

    #[test]
    fn a_token_of_seeded_text_is_a_word() {
        for tokens in [1, 2, 12, 13, 80] {
            assert_eq!(said(seeded(0, tokens), u32::MAX).split(' ').count(), tokens as usize);
        }
    }

    #[test]
    fn in_pieces_of_any_size_the_text_is_the_same() {
        for tokens in [1, 11, 12, 13, 80] {
            for piece in [1, 2, 5, 12, 30] {
                assert_eq!(said(seeded(3, tokens), piece), said(seeded(3, tokens), u32::MAX));
            }
        }
    }

    #[test]
    fn seeded_text_belongs_to_the_attempt() {
        assert_eq!(said(seeded(0, 50), 1), said(seeded(0, 50), 1));
        assert_ne!(said(seeded(0, 50), 1), said(seeded(1, 50), 1));
    }
}
