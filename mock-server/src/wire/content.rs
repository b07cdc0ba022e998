//! The content of an answer, token by token.

use std::sync::Arc;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

use super::write_string;
use crate::tokens::{Counter, Ends, Place, Sentence, Sentences, Text};

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
    Text { text: Arc<Text>, place: Place },
}

impl Content {
    /// Sentences that the stream of numbers chooses.
    pub(crate) fn seeded(stream: Pcg64Mcg, tokens: u32, counter: Counter) -> Self {
        Self { source: Source::Seeded(Seeded::new(stream, counter.sentences())), tokens, written: 0 }
    }

    /// The first tokens of a text, at most as many as it has.
    pub(crate) fn text(text: Arc<Text>, tokens: u32) -> Self {
        Self { source: Source::Text { text, place: Place::default() }, tokens, written: 0 }
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
            Source::Text { text, .. } => text.len(),
        }
    }

    /// Whether the next so many tokens have no text: some complete no character.
    pub(crate) fn is_silent(&self, tokens: u32) -> bool {
        match &self.source {
            Source::Seeded(_) => tokens == 0,
            Source::Text { text, place } => text.after(*place, tokens).0.is_empty(),
        }
    }

    /// So many of the tokens to come, or more where these are silent, or as many as there are.
    pub(crate) fn at_least(&self, tokens: u32) -> u32 {
        (tokens..self.remaining()).find(|tokens| !self.is_silent(*tokens)).unwrap_or(self.remaining())
    }

    /// Leaves out the next so many tokens, which are silent.
    pub(crate) fn pass(&mut self, tokens: u32) {
        if let Source::Text { text, place } = &mut self.source {
            *place = text.after(*place, tokens).1;
        }
        self.written += tokens;
    }

    /// Appends the next so many tokens as a JSON string.
    pub(crate) fn write(&mut self, tokens: u32, out: &mut Vec<u8>) {
        match &mut self.source {
            Source::Seeded(seeded) => {
                out.push(b'"');
                seeded.write(tokens as usize, out);
                out.push(b'"');
            }
            Source::Text { text, place } => {
                let (said, behind) = text.after(*place, tokens);
                write_string(said, out);
                *place = behind;
            }
        }
        self.written += tokens;
    }
}

/// Sentences as they are drawn.
#[derive(Clone, Debug)]
struct Seeded {
    stream: Pcg64Mcg,
    sentences: &'static Sentences,
    /// Which is being written, where its tokens end, and how many of them are written.
    sentence: &'static Sentence,
    ends: &'static Ends,
    place: usize,
}

impl Seeded {
    fn new(mut stream: Pcg64Mcg, sentences: &'static Sentences) -> Self {
        let sentence = draw(&mut stream, sentences);
        Self { stream, sentences, sentence, ends: &sentence.first, place: 0 }
    }

    fn write(&mut self, tokens: usize, out: &mut Vec<u8>) {
        let mut left = tokens;
        while left > 0 {
            if self.place == self.ends.count() {
                self.sentence = draw(&mut self.stream, self.sentences);
                self.ends = &self.sentence.later;
                self.place = 0;
            }
            // Whole sentences and not single tokens, so that a completion is a few copies.
            let to = self.ends.count().min(self.place + left);
            out.extend_from_slice(self.sentence.bytes(self.ends.tokens(self.place..to)));
            left -= to - self.place;
            self.place = to;
        }
    }
}

fn draw(stream: &mut Pcg64Mcg, sentences: &'static Sentences) -> &'static Sentence {
    &sentences[stream.next_u64() as usize % sentences.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Draws, Purpose};

    fn seeded(attempt: u64, tokens: u32) -> Content {
        Content::seeded(Draws::new(1, 2, attempt).stream(Purpose::Content), tokens, Counter::Approximate)
    }

    fn said(mut content: Content, piece: u32) -> String {
        let mut said = String::new();
        while content.remaining() > 0 {
            let mut out = Vec::new();
            content.write(piece.min(content.remaining()), &mut out);
            said.push_str(&serde_json::from_slice::<String>(&out).unwrap());
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
