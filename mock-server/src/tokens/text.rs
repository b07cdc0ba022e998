//! A text in tokens.

use super::{Counter, TOKEN_BYTES};

/// A text that is to be said, and where its tokens end.
#[derive(Debug)]
pub(crate) struct Text {
    text: Box<str>,
    tokens: Tokens,
}

#[derive(Debug)]
enum Tokens {
    /// A token ends after every four bytes, or before the character that these would split: no such end comes twice, and up to
    /// each the text counts as many tokens.
    Approximate,
    /// The length of each in bytes, 0 where it completes no character.
    Exact(Box<[u8]>),
}

/// A place between two tokens of a text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    token: u32,
    byte: usize,
}

impl Text {
    pub(crate) fn new(text: String, counter: Counter) -> Self {
        let tokens = match counter {
            Counter::Approximate => Tokens::Approximate,
            Counter::Exact(encoding) => Tokens::Exact(encoding.lengths(&text)),
        };
        Self { text: text.into(), tokens }
    }

    /// How many tokens it has.
    pub(crate) fn tokens(&self) -> u32 {
        match &self.tokens {
            Tokens::Approximate => Counter::Approximate.count(&self.text),
            Tokens::Exact(lengths) => u32::try_from(lengths.len()).unwrap_or(u32::MAX),
        }
    }

    /// How many tokens are left of it when it is cut so that at most so many remain. That may be fewer: a character is not cut,
    /// and what is left must have as many tokens by itself as it had within the whole.
    pub(crate) fn cut(&self, most: u32, counter: Counter) -> u32 {
        let all = self.tokens();
        if most >= all {
            return all;
        }
        let stands_alone = |tokens: &u32| counter.count(self.after(Place::default(), *tokens).0) == *tokens;
        (1..=most).rev().find(stands_alone).unwrap_or(0)
    }

    /// The next so many tokens after a place, and the place behind them.
    pub(crate) fn after(&self, place: Place, tokens: u32) -> (&str, Place) {
        let token = place.token + tokens;
        let byte = match &self.tokens {
            Tokens::Approximate => boundary(&self.text, TOKEN_BYTES.saturating_mul(token as usize)),
            Tokens::Exact(lengths) => {
                let passed = &lengths[place.token as usize..token as usize];
                place.byte + passed.iter().map(|length| usize::from(*length)).sum::<usize>()
            }
        };
        (&self.text[place.byte..byte], Place { token, byte })
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }
}

/// The last boundary of a character up to this byte.
pub(super) fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &Text, tokens: u32, piece: u32) -> Vec<&str> {
        let (mut place, mut pieces) = (Place::default(), Vec::new());
        while place.token < tokens {
            let (said, behind) = text.after(place, piece.min(tokens - place.token));
            pieces.push(said);
            place = behind;
        }
        pieces
    }

    proptest! {
        #[test]
        fn up_to_every_token_the_text_has_as_many(said in any::<String>(), most in 0_u32..60, piece in 1_u32..7) {
            let text = Text::new(said.clone(), Counter::Approximate);
            prop_assert_eq!(text.tokens() as usize, said.len().div_ceil(4));
            let tokens = text.cut(most, Counter::Approximate);
            prop_assert_eq!(tokens, most.min(text.tokens()));
            let pieces = pieces(&text, tokens, piece);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert!(said.starts_with(&pieces.concat()));
            prop_assert_eq!(Counter::Approximate.count(&pieces.concat()), tokens);
        }
    }

    #[test]
    fn a_token_is_four_bytes_or_up_to_three_less_where_these_would_split_a_character() {
        let text = Text::new("abcdéfg漢字".to_owned(), Counter::Approximate);
        assert_eq!(pieces(&text, text.tokens(), 1), ["abcd", "éfg", "漢", "字"]);
    }
}
