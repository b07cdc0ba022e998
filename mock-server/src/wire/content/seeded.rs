//! Seeded text: sentences as they are drawn.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

use crate::tokens::{Ends, Sentence, Sentences};

/// As many sentences as are needed.
#[derive(Clone, Debug)]
pub(super) struct Seeded {
    stream: Pcg64Mcg,
    sentences: &'static Sentences,
    sentence: &'static Sentence,
    /// Where the tokens of that sentence end, how many of them are written, and where the next begins.
    ends: &'static Ends,
    token: usize,
    byte: usize,
}

impl Seeded {
    pub(super) fn new(mut stream: Pcg64Mcg, sentences: &'static Sentences) -> Self {
        let sentence = draw(&mut stream, sentences);
        Self { stream, sentences, sentence, ends: &sentence.first, token: 0, byte: Sentence::BLANK }
    }

    /// Appends the next so many tokens, in which nothing needs escaping.
    pub(super) fn write(&mut self, tokens: usize, out: &mut Vec<u8>) {
        let mut left = tokens;
        while left > 0 {
            if self.token == self.ends.count() {
                self.sentence = draw(&mut self.stream, self.sentences);
                self.ends = &self.sentence.later;
                (self.token, self.byte) = (0, 0);
            }
            // Whole sentences and not single tokens, so that a completion is a few copies.
            let token = self.ends.count().min(self.token + left);
            let byte = self.ends.after(token);
            out.extend_from_slice(&self.sentence.bytes()[self.byte..byte]);
            left -= token - self.token;
            (self.token, self.byte) = (token, byte);
        }
    }
}

fn draw(stream: &mut Pcg64Mcg, sentences: &'static Sentences) -> &'static Sentence {
    &sentences[stream.next_u64() as usize % sentences.len()]
}
