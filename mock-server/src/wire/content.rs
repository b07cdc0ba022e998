//! The text of completions: seeded sentences, one word a token, and nothing that JSON would have to escape.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

/// Words in a sentence: short enough that most completions have several.
const SENTENCE_TOKENS: usize = 12;

/// Whole sentences and not single words, so that a completion is a few copies. A power of two of them, so that none is favoured.
static SENTENCES: [Sentence; 16] = [
    Sentence::new("A quantum bit holds several states at once until it is measured."),
    Sentence::new("Every gate turns these states together, so work is shared by all."),
    Sentence::new("When two particles are entangled, reading one tells about the other too."),
    Sentence::new("No message travels faster than light by this, whatever the headlines say."),
    Sentence::new("Noise from the outside world slowly washes the fragile state away again."),
    Sentence::new("Many physical bits together can guard one logical bit against such errors."),
    Sentence::new("Factoring large numbers is the task that made this idea so famous."),
    Sentence::new("Simulating molecules may well become the first use that really pays off."),
    Sentence::new("An interference pattern makes wrong answers fade and lets right ones stay."),
    Sentence::new("Each run gives one sample, and many runs show how they spread."),
    Sentence::new("Ordinary computers still win at nearly everything that people do every day."),
    Sentence::new("The hardware must be kept colder than the space between the stars."),
    Sentence::new("Good algorithms are few, and finding new ones takes years of thought."),
    Sentence::new("A classical machine prepares the problem and then reads the result back."),
    Sentence::new("Depth and width of a circuit decide whether the answer can survive."),
    Sentence::new("So the field moves on by small steps, each of them measured."),
];

/// A sentence with the blank before it, and where each of its tokens ends.
struct Sentence {
    bytes: [u8; 80],
    ends: [usize; SENTENCE_TOKENS],
}

impl Sentence {
    const fn new(text: &str) -> Self {
        let text = text.as_bytes();
        let mut sentence = Self { bytes: [b' '; 80], ends: [0; SENTENCE_TOKENS] };
        let (mut at, mut token) = (0, 0);
        while at < text.len() {
            if text[at] == b' ' {
                sentence.ends[token] = at + 1;
                token += 1;
            }
            sentence.bytes[at + 1] = text[at];
            at += 1;
        }
        assert!(token == SENTENCE_TOKENS - 1, "a sentence has twelve words");
        sentence.ends[token] = at + 1;
        sentence
    }

    /// Tokens `from` to `to`, each with the blank before it.
    fn tokens(&self, from: usize, to: usize) -> &[u8] {
        let begin = if from == 0 { 0 } else { self.ends[from - 1] };
        &self.bytes[begin..self.ends[to - 1]]
    }
}

/// The tokens of one completion, in order: each is a word with the blank before it and whatever stands behind it.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    stream: Pcg64Mcg,
    tokens: u32,
    written: u32,
    /// Which sentence, and how many of its tokens are written.
    sentence: usize,
    place: usize,
}

impl Content {
    pub(crate) fn new(stream: Pcg64Mcg, tokens: u32) -> Self {
        Self { stream, tokens, written: 0, sentence: 0, place: SENTENCE_TOKENS }
    }

    /// How many tokens are to come.
    pub(crate) fn remaining(&self) -> u32 {
        self.tokens - self.written
    }

    /// Appends the next token.
    pub(crate) fn write_token(&mut self, out: &mut Vec<u8>) {
        self.write(1, out);
    }

    /// Appends all that is to come.
    pub(crate) fn write_rest(&mut self, out: &mut Vec<u8>) {
        while self.remaining() > 0 {
            self.write(SENTENCE_TOKENS, out);
        }
    }

    /// Appends at most this many tokens, and no more than the sentence has left.
    fn write(&mut self, most: usize, out: &mut Vec<u8>) {
        if self.place == SENTENCE_TOKENS {
            self.sentence = self.stream.next_u64() as usize % SENTENCES.len();
            self.place = 0;
        }
        let count = most.min(SENTENCE_TOKENS - self.place).min(self.remaining() as usize);
        let text = SENTENCES[self.sentence].tokens(self.place, self.place + count);
        // The first token of all has nothing to be parted from.
        out.extend_from_slice(if self.written == 0 { &text[1..] } else { text });
        self.place += count;
        self.written += count as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Draws, Purpose};

    fn content(attempt: u64, tokens: u32) -> Content {
        Content::new(Draws::new(1, 2, attempt).stream(Purpose::Content), tokens)
    }

    fn text(attempt: u64, tokens: u32) -> String {
        let mut out = Vec::new();
        content(attempt, tokens).write_rest(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_token_is_a_word() {
        for tokens in [1, 2, 12, 13, 80] {
            assert_eq!(text(0, tokens).split(' ').count(), tokens as usize);
        }
    }

    #[test]
    fn token_by_token_the_text_is_the_same() {
        for tokens in [1, 11, 12, 13, 80] {
            let (mut content, mut out) = (content(3, tokens), Vec::new());
            while content.remaining() > 0 {
                content.write_token(&mut out);
            }
            assert_eq!(String::from_utf8(out).unwrap(), text(3, tokens));
        }
    }

    #[test]
    fn the_text_belongs_to_the_attempt() {
        assert_eq!(text(0, 50), text(0, 50));
        assert_ne!(text(0, 50), text(1, 50));
    }

    #[test]
    fn no_sentence_needs_escaping() {
        let text = |sentence: &Sentence| sentence.tokens(0, SENTENCE_TOKENS).to_vec();
        assert!(SENTENCES.iter().flat_map(text).all(|byte| (b' '..=b'z').contains(&byte) && !b"\"\\".contains(&byte)));
    }
}
