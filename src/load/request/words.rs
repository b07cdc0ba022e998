//! Synthetic prompts: words without meaning, of a given length.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

/// Three letters and a blank are the four bytes of a token.
const WORDS: [&[u8; 4]; 32] = [
    b"sea ", b"map ", b"oak ", b"ink ", b"fog ", b"bee ", b"jar ", b"hut ", b"elm ", b"cup ", b"dew ", b"owl ", b"ice ", b"tin ",
    b"rye ", b"fox ", b"gem ", b"hay ", b"ivy ", b"kit ", b"log ", b"mud ", b"net ", b"oat ", b"pie ", b"ray ", b"sun ", b"toy ",
    b"urn ", b"van ", b"web ", b"yew ",
];

/// What the mock counts of a request with one message beyond the message's text.
const AROUND: u32 = 6;

/// A text that, with what surrounds it, is a prompt of so many tokens. The shortest such prompt has seven.
pub(super) fn text(tokens: u32, stream: &mut Pcg64Mcg) -> String {
    let count = tokens.saturating_sub(AROUND).max(1) as usize;
    let mut text = String::with_capacity(4 * count);
    let mut bits = 0;
    for place in 0..count {
        // Twelve words of five bits from each draw.
        if place % 12 == 0 {
            bits = stream.next_u64();
        }
        let word = WORDS[(bits & 31) as usize];
        bits >>= 5;
        text.extend(word.iter().map(|letter| char::from(*letter)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::draw::{Key, Purpose};

    #[test]
    fn a_token_is_four_bytes() {
        for (tokens, bytes) in [(0, 4), (7, 4), (8, 8), (1000, 3976)] {
            let mut stream = Key { seed: 1, stage: 0 }.stream(Purpose::Words, 0);
            assert_eq!(text(tokens, &mut stream).len(), bytes, "{tokens}");
        }
    }
}
