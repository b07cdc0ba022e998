//! What a token is: about four bytes of text, or exactly what a model's encoding makes of it.

#[cfg(feature = "exact-tokens")]
mod exact;
#[cfg(not(feature = "exact-tokens"))]
mod not_built;
mod sentence;
mod text;

#[cfg(feature = "exact-tokens")]
pub(crate) use exact::Encoding;
#[cfg(not(feature = "exact-tokens"))]
pub(crate) use not_built::Encoding;
pub(crate) use sentence::{Ends, Sentence, Sentences};
pub(crate) use text::{Place, Text};

/// How tokens are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    /// A token for every four bytes begun.
    Approximate,
    /// The tokens of an encoding. What looks like a special token, such as `<|endoftext|>`, is text like any other.
    Exact(&'static Encoding),
}

/// The bytes of an approximate token.
const TOKEN_BYTES: usize = 4;

impl Counter {
    /// How many tokens a text has.
    pub(crate) fn count(self, text: &str) -> u32 {
        let tokens = match self {
            Self::Approximate => text.len().div_ceil(TOKEN_BYTES),
            Self::Exact(encoding) => encoding.count(text),
        };
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }

    /// The sentences of seeded completions, and where their tokens end. Approximately, each word is one.
    pub(crate) fn sentences(self) -> &'static Sentences {
        match self {
            Self::Approximate => &sentence::WORD_BY_WORD,
            Self::Exact(encoding) => encoding.sentences(),
        }
    }
}
