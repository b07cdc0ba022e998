//! What limits are called: as the profile calls them.

use serde::{Deserialize, Serialize};

use super::{LimitReached, Period, Resource};

/// A limit, by its key in a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitName {
    /// `limits.requests_per_minute`
    RequestsPerMinute,
    /// `limits.requests_per_day`
    RequestsPerDay,
    /// `limits.tokens_per_minute`
    TokensPerMinute,
    /// `limits.tokens_per_day`
    TokensPerDay,
    /// `limits.input_tokens_per_minute`
    InputTokensPerMinute,
    /// `limits.output_tokens_per_minute`
    OutputTokensPerMinute,
    /// `limits.concurrency`
    Concurrency,
}

impl LimitReached {
    /// Which limit it was.
    pub fn name(&self) -> LimitName {
        let (resource, period) = match self {
            Self::Rate { resource, period, .. } | Self::TooLarge { resource, period, .. } => (resource, period),
            Self::Concurrency { .. } => return LimitName::Concurrency,
        };
        match (resource, period) {
            (Resource::Requests, Period::Minute) => LimitName::RequestsPerMinute,
            (Resource::Requests, Period::Day) => LimitName::RequestsPerDay,
            (Resource::Tokens, Period::Minute) => LimitName::TokensPerMinute,
            (Resource::Tokens, Period::Day) => LimitName::TokensPerDay,
            // These have no days.
            (Resource::InputTokens, _) => LimitName::InputTokensPerMinute,
            (Resource::OutputTokens, _) => LimitName::OutputTokensPerMinute,
        }
    }
}
