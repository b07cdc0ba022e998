//! The encodings of OpenAI's models.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::{fmt, ptr};

use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};
use tiktoken_rs::{CoreBPE, Rank};

use super::sentence::{SENTENCES, Sentence, Sentences};
use super::text::boundary;

/// A vocabulary, and the seeded sentences in its tokens.
pub(crate) struct Encoding {
    vocabulary: &'static CoreBPE,
    sentences: Sentences,
}

impl Encoding {
    /// The encoding of a model, `o200k_base` where no other is known. The first call for each encoding takes some 100 ms.
    pub(crate) fn of_model(model: &str) -> Option<&'static Self> {
        static O200K: OnceLock<Encoding> = OnceLock::new();
        static CL100K: OnceLock<Encoding> = OnceLock::new();
        static P50K: OnceLock<Encoding> = OnceLock::new();
        static R50K: OnceLock<Encoding> = OnceLock::new();
        // Encodings of one line differ in their special tokens alone.
        let (loaded, load): (_, fn() -> &'static CoreBPE) = match get_tokenizer(model) {
            Some(Tokenizer::O200kBase | Tokenizer::O200kHarmony) | None => (&O200K, tiktoken_rs::o200k_base_singleton),
            Some(Tokenizer::Cl100kBase) => (&CL100K, tiktoken_rs::cl100k_base_singleton),
            Some(Tokenizer::P50kBase | Tokenizer::P50kEdit) => (&P50K, tiktoken_rs::p50k_base_singleton),
            Some(Tokenizer::R50kBase | Tokenizer::Gpt2) => (&R50K, tiktoken_rs::r50k_base_singleton),
        };
        Some(loaded.get_or_init(|| Self::new(load())))
    }

    fn new(vocabulary: &'static CoreBPE) -> Self {
        let sentences = SENTENCES.map(|sentence| Sentence::new(sentence, |text| lengths(vocabulary, text)));
        Self { vocabulary, sentences }
    }

    /// How many tokens a text has.
    pub(crate) fn count(&self, text: &str) -> usize {
        ranks(self.vocabulary, text).len()
    }

    /// The length of each token in bytes. One that ends within a character leaves that to the token in which the character ends.
    pub(crate) fn lengths(&self, text: &str) -> Box<[u8]> {
        lengths(self.vocabulary, text)
    }

    /// The seeded sentences, and where their tokens end.
    pub(crate) fn sentences(&self) -> &Sentences {
        &self.sentences
    }
}

fn lengths(vocabulary: &CoreBPE, text: &str) -> Box<[u8]> {
    let (mut end, mut begin) = (0, 0);
    let length = |rank| {
        end += vocabulary.decode_bytes(&[rank]).expect("the vocabulary has what it encoded").len();
        let length = boundary(text, end) - begin;
        begin += length;
        u8::try_from(length).expect("the longest token of any vocabulary has 128 bytes, and a character's rest three more")
    };
    ranks(vocabulary, text).into_iter().map(length).collect()
}

fn ranks(vocabulary: &CoreBPE, text: &str) -> Vec<Rank> {
    // Not `encode_ordinary`, which panics where this fails.
    match vocabulary.encode(text, &HashSet::new()) {
        Ok((ranks, _)) => ranks,
        // The expression that finds words gives up on a million blanks in a row. Each half is easier.
        Err(_) => {
            let (front, back) = text.split_at(boundary(text, text.len() / 2));
            [ranks(vocabulary, front), ranks(vocabulary, back)].concat()
        }
    }
}

/// There is one of each.
impl PartialEq for Encoding {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

impl Eq for Encoding {}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoding").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Ends;

    /// A model of each encoding, from the newest to the oldest.
    const MODELS: [&str; 4] = ["gpt-4o", "gpt-4", "text-davinci-003", "gpt2"];

    fn encodings() -> impl Iterator<Item = &'static Encoding> {
        MODELS.into_iter().map(|model| Encoding::of_model(model).unwrap())
    }

    #[test]
    fn counts_are_those_that_are_published() {
        // From the OpenAI cookbook, "How to count tokens with tiktoken".
        let published =
            [("antidisestablishmentarianism", [6, 6, 5, 5]), ("2 + 2 = 4", [7, 7, 5, 5]), ("お誕生日おめでとう", [8, 9, 14, 14])];
        for (text, expected) in published {
            let counted: Vec<usize> = encodings().map(|encoding| encoding.count(text)).collect();
            assert_eq!(counted, expected, "{text}");
        }
    }

    #[test]
    fn a_model_that_nobody_knows_is_counted_by_the_newest() {
        let of = |model| Encoding::of_model(model).unwrap();
        assert_eq!(of("deepseek-chat"), of("gpt-4.1"));
        assert_ne!(of("gpt-4"), of("gpt-4.1"));
    }

    #[test]
    fn cut_anywhere_every_pair_of_sentences_has_as_many_tokens_as_it_is_said_to_have() {
        for encoding in encodings() {
            for first in encoding.sentences() {
                let front = text(first, Sentence::BLANK, &first.first, first.first.count());
                for later in encoding.sentences() {
                    for count in 0..=later.later.count() {
                        let said = front.clone() + &text(later, 0, &later.later, count);
                        assert_eq!(encoding.count(&said), first.first.count() + count, "{said}");
                    }
                }
                for count in 0..first.first.count() {
                    let said = text(first, Sentence::BLANK, &first.first, count);
                    assert_eq!(encoding.count(&said), count, "{said}");
                }
            }
        }
    }

    fn text(sentence: &Sentence, begin: usize, ends: &Ends, count: usize) -> String {
        let end = if count == 0 { begin } else { ends.after(count) };
        String::from_utf8(sentence.bytes()[begin..end].to_vec()).unwrap()
    }

    #[test]
    fn more_blanks_in_a_row_than_can_be_parted_at_once_are_counted_all_the_same() {
        let encoding = Encoding::of_model("gpt-4o").unwrap();
        let blanks = " ".repeat(1_000_010);
        assert!(encoding.vocabulary.encode(&blanks, &HashSet::new()).is_err());
        assert!(encoding.count(&blanks) >= blanks.len() / 128);
    }

    #[test]
    fn lengths_add_up_to_whole_characters() {
        for encoding in encodings() {
            for text in ["", "a", "𐌀𐌁 é漢字😀👩‍👩‍👧‍👦\n\n  x", &"\u{10330}".repeat(50)] {
                let lengths = encoding.lengths(text);
                assert_eq!(lengths.len(), encoding.count(text));
                let ends = lengths.iter().scan(0, |end, length| {
                    *end += usize::from(*length);
                    Some(*end)
                });
                assert!(ends.clone().all(|end| text.is_char_boundary(end)));
                assert_eq!(ends.last().unwrap_or(0), text.len());
            }
        }
    }
}
