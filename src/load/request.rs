//! What is asked: models by weight, prompts, and lengths. Which of them a request gets depends on its index alone.

mod compose;
mod prompt_file;
mod words;

use std::sync::Arc;

use relaybench_mock::dist::Distribution;

use super::draw::{Key, Purpose};
use crate::pricing::{Price, Prices, most_prompt_tokens};

pub(super) use compose::{Composer, Conversation};
pub use prompt_file::{PromptFile, PromptFileError};

/// What is asked of the relay.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestSpec {
    /// Which models are asked.
    pub models: Models,
    /// What is said.
    pub prompt: Prompt,
    /// The most tokens an answer may have.
    pub max_tokens: Length,
    /// Sampling temperature, 0 to 2.
    pub temperature: f64,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// What the models cost.
    pub prices: Prices,
}

impl Default for RequestSpec {
    fn default() -> Self {
        Self {
            models: Models::only("gpt-4.1"),
            prompt: Prompt::Text("Explain quantum computing in 2 sentences.".into()),
            max_tokens: Length::Fixed(500),
            temperature: 0.7,
            stream: false,
            prices: Prices::built_in().clone(),
        }
    }
}

/// Models, each asked as often as its weight is of the sum of all. There is at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Models {
    /// Name, and the sum of the weights up to and with it.
    up_to: Vec<(Arc<str>, f64)>,
}

impl Models {
    /// One model.
    pub fn only(name: &str) -> Self {
        Self { up_to: vec![(name.into(), 1.0)] }
    }

    /// Several, each with its weight above 0. None, where there is no model or a weight is none.
    pub fn weighted<'a>(models: impl IntoIterator<Item = (&'a str, f64)>) -> Option<Self> {
        let mut up_to: Vec<(Arc<str>, f64)> = Vec::new();
        for (name, weight) in models {
            let before = up_to.last().map_or(0.0, |(_, sum)| *sum);
            let sum = before + weight;
            if !(sum.is_finite() && sum > before) {
                return None;
            }
            up_to.push((name.into(), sum));
        }
        (!up_to.is_empty()).then_some(Self { up_to })
    }

    /// The same weights, for the models under other names.
    #[must_use]
    pub fn renamed<'a>(&'a self, name: impl Fn(&'a str) -> &'a str) -> Self {
        Self { up_to: self.up_to.iter().map(|(model, up_to)| (name(model).into(), *up_to)).collect() }
    }

    /// The first: the only one, where there is one.
    pub fn first(&self) -> &str {
        &self.up_to[0].0
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.up_to.iter().map(|(name, _)| &**name)
    }

    /// Whether requests differ in their models.
    pub fn are_several(&self) -> bool {
        self.up_to.len() > 1
    }

    fn of(&self, key: Key, index: u64) -> &Arc<str> {
        let [.., (last, sum)] = self.up_to.as_slice() else { unreachable!("there is at least one model") };
        let drawn = if self.are_several() { key.uniform(Purpose::Model, index) * sum } else { 0.0 };
        self.up_to.iter().find(|(_, up_to)| drawn < *up_to).map_or(last, |(name, _)| name)
    }
}

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// The same to all.
    Text(Arc<str>),
    /// One of a file's, each as likely as any other.
    File(PromptFile),
    /// Words without meaning, as many tokens as are drawn; see [`Prompt::BYTES_A_TOKEN`].
    Synthetic(Distribution),
}

impl Prompt {
    /// What a token of a synthetic prompt is taken to be, as the mock counts by default.
    pub const BYTES_A_TOKEN: u32 = 4;

    /// How many turns a conversation has at most; none where it can go on for ever.
    pub(super) fn turns(&self, key: Key, session: u64) -> Option<u32> {
        match self {
            Self::File(file) if file.has_conversations() => Some(file.of(key, session).turns.len() as u32),
            Self::File(_) | Self::Text(_) | Self::Synthetic(_) => None,
        }
    }

    pub(super) fn most_tokens(&self) -> u64 {
        match self {
            Self::Text(text) => most_prompt_tokens(text),
            Self::File(file) => file.most_bytes(),
            Self::Synthetic(distribution) => u64::from(distribution.most_count().max(1)) * u64::from(Self::BYTES_A_TOKEN),
        }
    }
}

/// A number of tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Length {
    /// The same for all.
    Fixed(u32),
    /// Drawn, at least 1.
    Drawn(Distribution),
}

impl Length {
    fn of(&self, key: Key, index: u64) -> u32 {
        match self {
            Self::Fixed(tokens) => *tokens,
            Self::Drawn(distribution) => distribution.draw_count(key.uniform(Purpose::MaxTokens, index)).max(1),
        }
    }

    /// The most that can be drawn.
    pub fn most(&self) -> u32 {
        match self {
            Self::Fixed(tokens) => *tokens,
            Self::Drawn(distribution) => distribution.most_count().max(1),
        }
    }
}

impl RequestSpec {
    /// The longest answer.
    pub(super) fn most_answer_tokens(&self) -> u64 {
        let of_a_line = if let Prompt::File(file) = &self.prompt { file.most_answer_tokens() } else { 0 };
        self.max_tokens.most().max(of_a_line).into()
    }

    /// What an attempt with such a prompt and such an answer costs, in US dollars, with the dearest of the models.
    pub(super) fn dearest_usd(&self, prompt_tokens: u64, answer_tokens: u64) -> f64 {
        let price = |name| self.prices.of(name).unwrap_or_else(|| self.prices.dearest().or_dearer(Price::dearest()));
        self.models.names().map(|name| price(name).cost_usd(prompt_tokens, answer_tokens)).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_asked_by_their_weights() {
        let models = Models::weighted([("a", 1.0), ("b", 3.0)]).unwrap();
        let asked = (0..10_000).filter(|index| &**models.of(Key { seed: 1, stage: 0 }, *index) == "b").count();
        // Three standard errors are 130.
        assert!((7_370..=7_630).contains(&asked), "{asked}");
    }

    #[test]
    fn a_weight_that_is_none_is_refused() {
        for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Models::weighted([("a", 1.0), ("b", weight)]), None, "{weight}");
        }
        assert_eq!(Models::weighted([]), None);
    }

    #[test]
    fn the_worst_case_is_that_of_the_dearest_model() {
        let request = |models: Models| RequestSpec { models, ..RequestSpec::default() };
        let [cheap, dear] = ["gpt-4o-mini", "gpt-4.1"].map(|name| request(Models::only(name)).dearest_usd(100, 100));
        let both = request(Models::weighted([("gpt-4o-mini", 9.0), ("gpt-4.1", 1.0)]).unwrap()).dearest_usd(100, 100);
        assert!(cheap < dear && both == dear, "{both} for {cheap} and {dear}");
    }
}
