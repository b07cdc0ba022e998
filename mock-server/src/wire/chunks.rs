//! How many tokens the chunks of a stream have.

use std::sync::Arc;

use rand_pcg::Pcg64Mcg;

use crate::dist::Distribution;
use crate::draw::{self, Draws, Purpose};

/// The lengths of the chunks after the first, in tokens.
#[derive(Clone, Debug)]
pub(crate) enum Chunks {
    /// All the same.
    Fixed(u32),
    /// Each drawn anew.
    Drawn { tokens: Arc<Distribution>, stream: Pcg64Mcg },
}

impl Chunks {
    pub(crate) fn new(tokens: &Arc<Distribution>, draws: Draws) -> Self {
        match **tokens {
            Distribution::Fixed(tokens) => Self::Fixed(tokens as u32),
            _ => Self::Drawn { tokens: Arc::clone(tokens), stream: draws.stream(Purpose::Chunks) },
        }
    }

    /// The length of the next, at least 1.
    pub(crate) fn next(&mut self) -> u32 {
        match self {
            Self::Fixed(tokens) => *tokens,
            Self::Drawn { tokens, stream } => tokens.draw_count(draw::uniform(stream)).max(1),
        }
    }
}
