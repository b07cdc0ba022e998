//! The sentences of seeded completions: nothing in them that JSON would have to escape, and nothing that runs together with its
//! neighbours in any encoding.

use std::ops::Range;

/// Twelve words each: short enough that most completions have several. A power of two of them, so that none is favoured.
pub(crate) const SENTENCES: [&str; 16] = [
    " A quantum bit holds several states at once until it is measured.",
    " Every gate turns these states together, so work is shared by all.",
    " When two particles are entangled, reading one tells about the other too.",
    " No message travels faster than light by this, whatever the headlines say.",
    " Noise from the outside world slowly washes the fragile state away again.",
    " Many physical bits together can guard one logical bit against such errors.",
    " Factoring large numbers is the task that made this idea so famous.",
    " Simulating molecules may well become the first use that really pays off.",
    " An interference pattern makes wrong answers fade and lets right ones stay.",
    " Each run gives one sample, and many runs show how they spread.",
    " Ordinary computers still win at nearly everything that people do every day.",
    " The hardware must be kept colder than the space between the stars.",
    " Good algorithms are few, and finding new ones takes years of thought.",
    " A classical machine prepares the problem and then reads the result back.",
    " Depth and width of a circuit decide whether the answer can survive.",
    " So the field moves on by small steps, each of them measured.",
];

/// All sentences, in the tokens of one encoding.
pub(crate) type Sentences = [Sentence; SENTENCES.len()];

/// The sentences in words.
pub(super) static WORD_BY_WORD: Sentences = word_by_word();

/// A sentence in tokens. It begins with the blank that parts it from the one before.
#[derive(Debug)]
pub(crate) struct Sentence {
    text: &'static str,
    /// As the first of a completion, without that blank: an encoding may part the first word otherwise.
    pub(crate) first: Ends,
    /// As any other.
    pub(crate) later: Ends,
}

impl Sentence {
    /// `lengths` parts a text into tokens, and gives the bytes of each.
    #[cfg(feature = "exact-tokens")]
    pub(super) fn new(text: &'static str, lengths: impl Fn(&str) -> Box<[u8]>) -> Self {
        Self { text, first: Ends::new(1, &lengths(&text[1..])), later: Ends::new(0, &lengths(text)) }
    }

    /// A range of its bytes, as [`Ends::tokens`] gives it.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &'static [u8] {
        &self.text.as_bytes()[range]
    }
}

/// Where the tokens of a sentence end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    begin: u8,
    ends: [u8; Self::MOST],
    count: u8,
}

impl Ends {
    /// More tokens than any sentence has in any encoding.
    const MOST: usize = 24;
    const NONE: Self = Self { begin: 0, ends: [0; Self::MOST], count: 0 };

    #[cfg(feature = "exact-tokens")]
    fn new(begin: u8, lengths: &[u8]) -> Self {
        assert!(lengths.len() <= Self::MOST, "a sentence has {} tokens", lengths.len());
        let mut ends = Self { begin, count: lengths.len() as u8, ..Self::NONE };
        lengths.iter().zip(&mut ends.ends).fold(begin, |sum, (length, end)| {
            *end = sum + length;
            *end
        });
        ends
    }

    /// How many tokens there are.
    pub(crate) fn count(&self) -> usize {
        self.count.into()
    }

    /// Where tokens are, in bytes of the sentence.
    pub(crate) fn tokens(&self, tokens: Range<usize>) -> Range<usize> {
        let begin = if tokens.start == 0 { self.begin } else { self.ends[tokens.start - 1] };
        begin.into()..self.ends[tokens.end - 1].into()
    }
}

const fn word_by_word() -> Sentences {
    let mut sentences = [const { Sentence { text: "", first: Ends::NONE, later: Ends::NONE } }; SENTENCES.len()];
    let mut i = 0;
    while i < sentences.len() {
        let later = words(SENTENCES[i].as_bytes());
        sentences[i] = Sentence { text: SENTENCES[i], first: Ends { begin: 1, ..later }, later };
        i += 1;
    }
    sentences
}

/// A word with the blank before it and whatever stands behind it is a token.
const fn words(text: &[u8]) -> Ends {
    let mut words = Ends::NONE;
    let mut at = 1;
    while at <= text.len() {
        if at == text.len() || text[at] == b' ' {
            words.ends[words.count as usize] = at as u8;
            words.count += 1;
        }
        at += 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sentence_needs_escaping() {
        let mut bytes = SENTENCES.iter().flat_map(|sentence| sentence.bytes());
        assert!(bytes.all(|byte| (b' '..=b'z').contains(&byte) && !b"\"\\".contains(&byte)));
    }

    #[test]
    fn a_word_is_a_token_with_or_without_its_blank() {
        for sentence in &WORD_BY_WORD {
            for (ends, begin) in [(sentence.first, 1), (sentence.later, 0)] {
                assert_eq!(ends.count(), 12);
                let words: Vec<_> = (0..12).map(|word| sentence.text[ends.tokens(word..word + 1)].to_owned()).collect();
                assert_eq!(words.concat(), sentence.text[begin..]);
                assert!(words[1..].iter().all(|word| word.starts_with(' ') && word.matches(' ').count() == 1), "{words:?}");
            }
        }
    }
}
