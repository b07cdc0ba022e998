//! The sentences of seeded completions: nothing in them that JSON would have to escape, and nothing that runs together with its
//! neighbours in any encoding.

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
    /// How many bytes the blank has.
    pub(crate) const BLANK: usize = 1;

    /// `lengths` parts a text into tokens, and gives the bytes of each.
    #[cfg(feature = "exact-tokens")]
    pub(super) fn new(text: &'static str, lengths: impl Fn(&str) -> Box<[u8]>) -> Self {
        let (first, later) = (lengths(&text[Self::BLANK..]), lengths(text));
        Self { text, first: Ends::new(Self::BLANK, &first), later: Ends::new(0, &later) }
    }

    /// Its text.
    pub(crate) fn bytes(&self) -> &'static [u8] {
        self.text.as_bytes()
    }
}

/// Where the tokens of a sentence end, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    ends: [u8; Self::MOST],
    count: u8,
}

impl Ends {
    /// More tokens than any sentence has in any encoding.
    const MOST: usize = 24;
    const NONE: Self = Self { ends: [0; Self::MOST], count: 0 };

    #[cfg(feature = "exact-tokens")]
    fn new(begin: usize, lengths: &[u8]) -> Self {
        assert!(lengths.len() <= Self::MOST, "a sentence has {} tokens", lengths.len());
        let mut ends = Self { count: lengths.len() as u8, ..Self::NONE };
        lengths.iter().zip(&mut ends.ends).fold(begin as u8, |sum, (length, end)| {
            *end = sum + length;
            *end
        });
        ends
    }

    /// How many tokens there are.
    pub(crate) fn count(&self) -> usize {
        self.count.into()
    }

    /// Where so many tokens end, at least one.
    pub(crate) fn after(&self, tokens: usize) -> usize {
        self.ends[tokens - 1].into()
    }
}

const fn word_by_word() -> Sentences {
    let mut sentences = [const { Sentence { text: "", first: Ends::NONE, later: Ends::NONE } }; SENTENCES.len()];
    let mut i = 0;
    while i < sentences.len() {
        let ends = words(SENTENCES[i].as_bytes());
        sentences[i] = Sentence { text: SENTENCES[i], first: ends, later: ends };
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
    fn a_word_is_a_token_with_the_blank_before_it() {
        for sentence in &WORD_BY_WORD {
            for ends in [sentence.first, sentence.later] {
                assert_eq!(ends.count(), 12);
                assert_eq!(ends.after(12), sentence.text.len());
                assert!((1..12).all(|word| sentence.text[ends.after(word)..].starts_with(' ')));
            }
            assert_eq!(sentence.text.matches(' ').count(), 12);
        }
    }
}
