//! What a profile says of itself to those who compare.

use serde::Serialize;

use super::{Caps, Profile};
use crate::wire::dialect::Dialect;

/// How much a profile lets each ask for; none: as much as they like. Single keys and models may have other figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LimitFigures {
    /// Attempts a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Attempts a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_day: Option<u64>,
    /// Tokens of prompts and completions, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Tokens of prompts and completions, a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<u64>,
    /// Tokens of prompts, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens_per_minute: Option<u64>,
    /// Tokens of completions, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens_per_minute: Option<u64>,
    /// Attempts at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
}

impl Profile {
    /// How much each may ask for.
    pub fn limit_figures(&self) -> LimitFigures {
        self.limits.as_ref().map(|limits| figures(limits.all)).unwrap_or_default()
    }

    /// How much each may ask for of this model.
    pub fn limit_figures_of(&self, model: &str) -> LimitFigures {
        let Some(limits) = &self.limits else { return LimitFigures::default() };
        let place = self.models.iter().position(|known| **known == *model);
        let own = limits.models.iter().find(|(known, _)| Some(*known) == place);
        figures(own.map_or(limits.all, |(_, own)| limits.all.overridden_by(own)))
    }

    /// Whose errors and headers are spoken, as profiles write it.
    pub fn dialect(&self) -> &'static str {
        let named = Dialect::NAMED.iter().find(|(_, dialect)| *dialect == self.dialect);
        named.map_or("openai", |(name, _)| name)
    }

    /// The dialects there are, as profiles write them.
    pub fn dialects() -> impl Iterator<Item = &'static str> + Clone {
        Dialect::NAMED.iter().map(|(name, _)| *name)
    }
}

fn figures(caps: Caps) -> LimitFigures {
    // In the order of `RATES`.
    let [
        requests_per_minute,
        requests_per_day,
        tokens_per_minute,
        tokens_per_day,
        input_tokens_per_minute,
        output_tokens_per_minute,
    ] = caps.rates;
    LimitFigures {
        requests_per_minute,
        requests_per_day,
        tokens_per_minute,
        tokens_per_day,
        input_tokens_per_minute,
        output_tokens_per_minute,
        concurrency: caps.concurrency,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_tells_its_limits_and_its_dialect() {
        let limits = "dialect = \"groq\"\n[limits]\nrequests_per_minute = 1\nrequests_per_day = 2\ntokens_per_minute = 3\n\
                      tokens_per_day = 4\ninput_tokens_per_minute = 5\noutput_tokens_per_minute = 6\nconcurrency = 7\n";
        let profile: Profile = limits.parse().unwrap();
        let told = LimitFigures {
            requests_per_minute: Some(1),
            requests_per_day: Some(2),
            tokens_per_minute: Some(3),
            tokens_per_day: Some(4),
            input_tokens_per_minute: Some(5),
            output_tokens_per_minute: Some(6),
            concurrency: Some(7),
        };
        assert_eq!((profile.limit_figures(), profile.dialect()), (told, "groq"));
        let groq = Profile::load("groq").unwrap();
        let of = |model| groq.limit_figures_of(model).tokens_per_minute;
        assert_eq!((of("llama-3.3-70b-versatile"), of("llama-3.1-8b-instant")), (Some(12_000), Some(6_000)));
        assert_eq!(Profile::load("steady").unwrap().limit_figures(), LimitFigures::default());
    }
}
