//! What a request costs.

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Prompt tokens.
    pub input_usd_per_mtok: f64,
    /// Completion tokens.
    pub output_usd_per_mtok: f64,
}

/// The relay's prices as published in 2025, one for both directions where only one is named; for the models without one there, the
/// vendor's own list price of the same year.
const PRICES: [(&str, Price); 8] = [
    ("gpt-4.1", flat(8.0)),
    ("gpt-4o", Price { input_usd_per_mtok: 2.5, output_usd_per_mtok: 10.0 }),
    ("gpt-4o-mini", Price { input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6 }),
    ("claude-sonnet-4-20250514", flat(15.0)),
    ("claude-3-5-sonnet-20241022", Price { input_usd_per_mtok: 3.0, output_usd_per_mtok: 15.0 }),
    ("gemini-2.5-flash", flat(2.5)),
    ("deepseek-v3.2", flat(0.42)),
    ("deepseek-chat", Price { input_usd_per_mtok: 0.27, output_usd_per_mtok: 1.1 }),
];

const fn flat(usd_per_mtok: f64) -> Price {
    Price { input_usd_per_mtok: usd_per_mtok, output_usd_per_mtok: usd_per_mtok }
}

impl Price {
    /// The price of a model of the catalog.
    pub fn of(model: &str) -> Option<Self> {
        PRICES.iter().find(|(name, _)| *name == model).map(|(_, price)| *price)
    }

    /// The dearest price known, to bound what a model without a known price may cost.
    pub fn dearest() -> Self {
        let highest = |of: fn(&Price) -> f64| PRICES.iter().map(|(_, price)| of(price)).fold(0.0, f64::max);
        Self {
            input_usd_per_mtok: highest(|price| price.input_usd_per_mtok),
            output_usd_per_mtok: highest(|price| price.output_usd_per_mtok),
        }
    }

    /// What so many tokens cost, in US dollars.
    pub fn cost_usd(self, prompt_tokens: u64, completion_tokens: u64) -> f64 {
        (prompt_tokens as f64 * self.input_usd_per_mtok + completion_tokens as f64 * self.output_usd_per_mtok) / 1e6
    }
}

/// The most tokens a prompt can have: a token is at least one byte, and a chat message adds a few of its own.
pub fn most_prompt_tokens(prompt: &str) -> u64 {
    /// Role, separators and the start of the answer; providers document three to seven.
    const OF_A_MESSAGE: u64 = 16;
    prompt.len() as u64 + OF_A_MESSAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_equal_the_calculation_by_hand() {
        let price = Price::of("gpt-4.1").unwrap();
        assert_eq!(price.cost_usd(0, 10_000_000), 80.0);
        assert_eq!(price.cost_usd(1_000_000, 1_000_000), 16.0);
        assert_eq!(Price::of("gpt-5"), None);
    }

    #[test]
    fn an_unknown_model_is_bounded_by_the_dearest() {
        assert_eq!(Price::dearest(), flat(15.0));
    }
}
