//! Randomness that belongs to an attempt, not to the order in which attempts arrive.
//!
//! Every draw is a function of (profile seed, request key, attempt number, purpose). The same attempt draws the same whenever it
//! comes, whoever else is there, on any worker and after a restart; and a further purpose never shifts the draws of the others.

mod occurrences;

pub use occurrences::Occurrences;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

/// What a draw decides. The numbers are part of what a seed means: they may be added to, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The total latency, or that of the first token.
    Latency,
    /// The gaps between tokens.
    Gaps,
    /// How long the completion is.
    Tokens,
    /// Whether a burst (by its place in the profile) turns the attempt away.
    Burst(u32),
    /// Whether the attempt fails under load.
    Failure,
    /// Whether a fault (by its place in the profile) befalls the attempt.
    Fault(u32),
    /// The text of the completion's choice with this number.
    Content(u32),
    /// The identifiers in the answer.
    Identity,
    /// How many tokens each chunk of a stream has.
    Chunks,
    /// Whether the fault of a phase (by its place in the profile) befalls the attempt.
    PhaseFault(u32),
    /// Whether a fault (by its place in the profile) befalls a connection.
    ListenerFault(u32),
    /// The direction of an embedding, which belongs to a text and not to an attempt.
    Embedding,
    /// Whether an answer of Azure's is vague about when limits are there again, and how.
    VagueReset,
    /// Whether a refusal of Azure's lacks its `retry-after`.
    MissingRetryAfter,
}

impl Purpose {
    fn number(self) -> u64 {
        // The lower half tells the kind, the upper half which of several.
        let (kind, which) = match self {
            Self::Latency => (1, 0),
            Self::Gaps => (2, 0),
            Self::Tokens => (3, 0),
            Self::Burst(which) => (4, which),
            Self::Failure => (5, 0),
            Self::Fault(which) => (6, which),
            Self::Content(choice) => (7, choice),
            Self::Identity => (8, 0),
            Self::Chunks => (9, 0),
            Self::PhaseFault(which) => (10, which),
            Self::ListenerFault(which) => (11, which),
            Self::VagueReset => (12, 0),
            Self::MissingRetryAfter => (13, 0),
            Self::Embedding => (20, 0),
        };
        u64::from(which) << 32 | kind
    }
}

/// The randomness of one attempt: an independent stream for each purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    key: u64,
}

impl Draws {
    /// `request` is the [`hash`] of whatever tells the request from others, `attempt` which try of it this is, from 0.
    pub fn new(seed: u64, request: u64, attempt: u64) -> Self {
        Self { key: mix(mix(mix(FIRST, seed), request), attempt) }
    }

    /// A number above 0 and below 1.
    pub fn uniform(self, purpose: Purpose) -> f64 {
        uniform(&mut self.stream(purpose))
    }

    /// As many numbers as are needed.
    pub fn stream(self, purpose: Purpose) -> Pcg64Mcg {
        let key = mix(self.key, purpose.number());
        Pcg64Mcg::new(u128::from(key) << 64 | u128::from(mix(key, FIRST)))
    }
}

/// The next number of a stream, above 0 and below 1: the midpoint of one of 2⁵² equal steps, since a quantile function may be
/// infinite at the ends.
pub fn uniform(stream: &mut Pcg64Mcg) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 52) as f64;
    ((stream.next_u64() >> 12) as f64 + 0.5) * STEP
}

/// A portable hash of a request's id or body: the same on every platform, in every version.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let mut state = mix(FIRST, bytes.len() as u64);
    for word in &mut words {
        state = mix(state, word.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    }
    mix(state, words.remainder().iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Odd constants with about as many ones as zeros: the fractions of the golden ratio and of √2, so that nobody chose them.
const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0x6a09_e667_f3bc_c909;

/// Takes a word into a hash. Each step can be undone, so that neither two states nor two words ever fall together.
fn mix(state: u64, word: u64) -> u64 {
    let mut hash = (state ^ word.wrapping_mul(FIRST)).wrapping_add(SECOND);
    hash = (hash ^ hash >> 32).wrapping_mul(FIRST);
    hash = (hash ^ hash >> 29).wrapping_mul(SECOND);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_draws_hold_to_the_bit() {
        let draws = Draws::new(1, hash(b"a-request-id"), 2);
        let bits = [Purpose::Latency, Purpose::Tokens, Purpose::Burst(0), Purpose::Fault(3)].map(|p| draws.uniform(p).to_bits());
        let golden = [0x3fe5_e6ed_afdb_05a9, 0x3fc9_8920_e361_58e4, 0x3fc4_e7f1_6fba_4b4c, 0x3fbe_5090_e7d6_acc8];
        assert_eq!(bits, golden, "{bits:#x?}");
        assert_eq!(hash(b""), 0x70d7_98cb_7cee_680b, "{:#x}", hash(b""));
    }

    #[test]
    fn every_part_of_the_key_changes_the_draw() {
        let draw = |seed, id: &str, attempt| Draws::new(seed, hash(id.as_bytes()), attempt).uniform(Purpose::Latency);
        let all = [draw(1, "a", 0), draw(2, "a", 0), draw(1, "b", 0), draw(1, "a", 1), draw(1, "a\0", 0), draw(1, "a\0\0", 0)];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b), "{all:?}");
        }
    }

    #[test]
    fn purposes_and_neighbouring_attempts_are_uncorrelated() {
        const N: u64 = 100_000;
        let correlation = |pair: &dyn Fn(u64) -> (f64, f64)| {
            let sum: f64 = (0..N).map(pair).map(|(a, b)| (a - 0.5) * (b - 0.5)).sum();
            // The variance of a uniform number is 1/12.
            12.0 * sum / N as f64
        };
        let of = |request, attempt| Draws::new(9, request, attempt);
        // Three standard errors of a true zero are 0.0095.
        let purposes = correlation(&|i| (of(i, 0).uniform(Purpose::Latency), of(i, 0).uniform(Purpose::Tokens)));
        let attempts = correlation(&|i| (of(i, 0).uniform(Purpose::Latency), of(i, 1).uniform(Purpose::Latency)));
        let requests = correlation(&|i| (of(i, 0).uniform(Purpose::Latency), of(i + 1, 0).uniform(Purpose::Latency)));
        assert!([purposes, attempts, requests].iter().all(|c| c.abs() < 0.0095), "{purposes} {attempts} {requests}");
    }
}
