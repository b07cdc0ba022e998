//! The text of completions: seeded, one word a token, and nothing that JSON would have to escape.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

/// A power of two of them, so that a word costs five bits of randomness.
static WORDS: [Word; 32] = words([
    "the", "a", "state", "of", "each", "particle", "is", "in", "several", "places", "at", "once", "until", "measured", "and",
    "result", "then", "holds", "for", "every", "other", "one", "that", "was", "with", "it", "before", "light", "waves", "become",
    "numbers", "here",
]);

/// A word with the blank before it, padded: copying a constant number of bytes and cutting the rest off takes half the time.
#[derive(Clone, Copy)]
struct Word {
    padded: [u8; 12],
    length: usize,
}

const fn words<const N: usize>(texts: [&str; N]) -> [Word; N] {
    let mut words = [Word { padded: [b' '; 12], length: 1 }; N];
    let mut i = 0;
    while i < N {
        let text = texts[i].as_bytes();
        while words[i].length <= text.len() {
            words[i].padded[words[i].length] = text[words[i].length - 1];
            words[i].length += 1;
        }
        i += 1;
    }
    words
}

/// Sentences are this long; the last one may be shorter.
const SENTENCE: u32 = 12;

/// The tokens of one completion, in order: each is a word with the blank before it and the full stop after it.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    stream: Pcg64Mcg,
    tokens: u32,
    written: u32,
    /// Randomness that is left over from earlier words, and how many bits of it.
    bits: u64,
    left: u32,
}

impl Content {
    pub(crate) fn new(stream: Pcg64Mcg, tokens: u32) -> Self {
        Self { stream, tokens, written: 0, bits: 0, left: 0 }
    }

    /// How many tokens are to come.
    pub(crate) fn remaining(&self) -> u32 {
        self.tokens - self.written
    }

    /// Appends the next token.
    pub(crate) fn write_token(&mut self, out: &mut Vec<u8>) {
        let word = WORDS[self.index()];
        let begin = out.len();
        out.extend_from_slice(&word.padded);
        out.truncate(begin + word.length);
        let place = self.written % SENTENCE;
        if place == 0 {
            out[begin + 1].make_ascii_uppercase();
        }
        if self.written == 0 {
            out.remove(begin);
        }
        self.written += 1;
        if place == SENTENCE - 1 || self.remaining() == 0 {
            out.push(b'.');
        }
    }

    fn index(&mut self) -> usize {
        const BITS: u32 = WORDS.len().ilog2();
        if self.left < BITS {
            (self.bits, self.left) = (self.stream.next_u64(), u64::BITS);
        }
        let index = self.bits as usize % WORDS.len();
        self.bits >>= BITS;
        self.left -= BITS;
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Draws, Purpose};

    fn text(attempt: u64, tokens: u32) -> String {
        let mut content = Content::new(Draws::new(1, 2, attempt).stream(Purpose::Content), tokens);
        let mut out = Vec::new();
        while content.remaining() > 0 {
            content.write_token(&mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_token_is_a_word() {
        for tokens in [1, 2, 12, 13, 80] {
            assert_eq!(text(0, tokens).split(' ').count(), tokens as usize);
        }
    }

    #[test]
    fn the_text_belongs_to_the_attempt() {
        assert_eq!(text(0, 50), text(0, 50));
        assert_ne!(text(0, 50), text(1, 50));
    }

    #[test]
    fn no_word_needs_escaping() {
        assert!(WORDS.iter().all(|word| word.padded[1..word.length].iter().all(u8::is_ascii_lowercase)));
    }
}
