//! The rules: what each looks at, in the order in which they are shown.

use serde::Serialize;

use super::claims::Claims;
use super::finding::Finding;
use super::{connections, headline, limits, little, order, others, prices, samples, savings, success};

/// A rule. None knows whose claims it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Throughput against concurrency and latency.
    LittlesLaw,
    /// Percentiles, mean and maximum against each other.
    Percentiles,
    /// Percentiles against the number of samples.
    Samples,
    /// The connections that the client had against the concurrency.
    Connections,
    /// What counted as a success.
    Success,
    /// Availability against the shares that succeeded.
    Availability,
    /// The headline against the row that it quotes.
    Headline,
    /// Each price against being cheaper.
    Cheaper,
    /// By how much cheaper, against the prices.
    Discount,
    /// Savings against themselves.
    Savings,
    /// Savings against tokens and prices.
    Costs,
    /// Throughput against rate limits.
    Limits,
    /// Providers' throughput against their latency.
    Providers,
    /// What no arithmetic can check.
    Others,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::LittlesLaw,
        Self::Percentiles,
        Self::Samples,
        Self::Connections,
        Self::Success,
        Self::Availability,
        Self::Headline,
        Self::Cheaper,
        Self::Discount,
        Self::Savings,
        Self::Costs,
        Self::Limits,
        Self::Providers,
        Self::Others,
    ];

    /// What it looks at, in a line.
    pub fn title(self) -> &'static str {
        match self {
            Self::LittlesLaw => "throughput of a level, by its concurrency and latency (Little's law)",
            Self::Percentiles => "percentiles, mean and longest of a level, by each other",
            Self::Samples => "percentiles of a level, by how many samples they rest on",
            Self::Connections => "concurrency of a level, by the connections that the client could have",
            Self::Success => "success rates, by what counted as a success",
            Self::Availability => "availability, by the shares that succeeded",
            Self::Headline => "the headline, by the level that it names",
            Self::Cheaper => "\"cheaper than official\", by each price",
            Self::Discount => "how much cheaper, by the prices",
            Self::Savings => "savings, by their own amounts",
            Self::Costs => "costs, by tokens and prices",
            Self::Limits => "a provider's throughput, by its rate limit",
            Self::Providers => "a provider's throughput, by its concurrency and latency (Little's law)",
            Self::Others => "claims without figures that arithmetic could check",
        }
    }

    /// What it says of the claims; none where nothing is claimed that it looks at.
    pub fn check(self, claims: &Claims) -> Option<Finding> {
        let lines = match self {
            Self::LittlesLaw => little::levels(claims),
            Self::Percentiles => order::levels(claims),
            Self::Samples => samples::levels(claims),
            Self::Connections => connections::levels(claims),
            Self::Success => success::definition(claims),
            Self::Availability => success::availability(claims),
            Self::Headline => headline::quoted(claims),
            Self::Cheaper => prices::cheaper(claims),
            Self::Discount => prices::discount(claims),
            Self::Savings => savings::amounts(claims),
            Self::Costs => savings::costs(claims),
            Self::Limits => limits::providers(claims),
            Self::Providers => little::providers(claims),
            Self::Others => others::told(claims),
        };
        Finding::of(self, lines)
    }
}
