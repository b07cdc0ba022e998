//! What a request costs.

#[cfg(feature = "bench")]
mod book;
#[cfg(feature = "bench")]
pub(crate) mod raw;

use serde::{Deserialize, Serialize};

#[cfg(feature = "bench")]
pub use book::Prices;

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// Prompt tokens.
    pub input_usd_per_mtok: f64,
    /// Prompt tokens that the provider had seen before; none where nothing is known to be cheaper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_usd_per_mtok: Option<f64>,
    /// Completion tokens.
    pub output_usd_per_mtok: f64,
}

impl Price {
    /// One price for both directions.
    pub const fn flat(usd_per_mtok: f64) -> Self {
        Self { input_usd_per_mtok: usd_per_mtok, cached_input_usd_per_mtok: None, output_usd_per_mtok: usd_per_mtok }
    }

    /// The dearer of two, each direction by itself.
    #[must_use]
    pub fn or_dearer(self, other: Self) -> Self {
        Self {
            input_usd_per_mtok: self.input_usd_per_mtok.max(other.input_usd_per_mtok),
            cached_input_usd_per_mtok: None,
            output_usd_per_mtok: self.output_usd_per_mtok.max(other.output_usd_per_mtok),
        }
    }

    /// What so many tokens cost, in US dollars, none of them cached.
    pub fn cost_usd(self, prompt_tokens: u64, completion_tokens: u64) -> f64 {
        (prompt_tokens as f64 * self.input_usd_per_mtok + completion_tokens as f64 * self.output_usd_per_mtok) / 1e6
    }
}

/// A price, and who said so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quote {
    /// What it costs.
    #[serde(flatten)]
    pub price: Price,
    /// Who published it, and where.
    pub source: String,
    /// When it held, as far as is known: `2025`, `2025-04` or `2025-04-14`.
    pub date: String,
}

/// The most tokens a prompt can have: a token is at least one byte, and a chat message adds a few of its own.
pub fn most_prompt_tokens(prompt: &str) -> u64 {
    /// Role, separators and the start of the answer; providers document three to seven.
    const OF_A_MESSAGE: u64 = 16;
    prompt.len() as u64 + OF_A_MESSAGE
}
