//! What somebody claims.

mod raw;

use relaybench_mock::config::{self, ConfigError, LoadError};
use serde::Deserialize;

use super::figure::Figure;

/// Published claims. [`Claims::load`] makes them of a name or a TOML file; `docs/audit.md` has all keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// What the claims are called.
    pub name: String,
    /// Who published them, and where.
    pub source: Option<String>,
    /// Measured load levels.
    pub load: Option<LoadClaims>,
    /// The figures that are put first.
    pub headline: Option<Headline>,
    /// What share of the time, or of requests, is served, in percent.
    pub availability_percent: Option<Figure>,
    /// What that is a share of.
    pub availability_of: AvailabilityOf,
    /// Prices beside the official ones.
    pub prices: Vec<PriceClaim>,
    /// Whether these are the prices of all models that there are.
    pub are_all_models_priced: bool,
    /// What moving is said to save.
    pub savings: Vec<SavingClaim>,
    /// Named providers, compared.
    pub providers: Vec<ProviderClaim>,
    /// What no arithmetic can check.
    pub others: Vec<String>,
}

/// Load levels, and how they were measured.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadClaims {
    /// How requests were sent.
    pub method: Method,
    /// The most connections that the client could have.
    pub connections: Option<u64>,
    /// What was spoken over them.
    pub protocol: Protocol,
    /// How often each level was measured.
    pub repeats: Option<u64>,
    /// What counted as a success.
    pub success: SuccessClaim,
    /// What time the throughput was counted over.
    pub throughput_over: ThroughputOver,
    /// Which requests the throughput counts.
    pub throughput_counts: ThroughputCounts,
    /// A row for each level.
    pub rows: Vec<Row>,
}

/// How requests were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// So many in flight, each followed by the next when it ends.
    Closed,
    /// So many at once, then none until all have ended.
    Waves,
    /// At times of their own; latency counts from these, and concurrency bounds nothing.
    Open,
    /// It is not told; but no more than so many were in flight.
    #[default]
    Unstated,
}

/// What counted as a success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuccessClaim {
    /// An answer that is complete and proper.
    Complete,
    /// Status 200, whatever came with it.
    #[serde(rename = "status-200")]
    Status200,
    /// Any body that is JSON, whatever the status.
    AnyJson,
    /// Any response at all.
    AnyResponse,
    /// It is not told.
    #[default]
    Unstated,
}

/// What time a throughput was counted over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThroughputOver {
    /// From the first send to the last end.
    #[default]
    Whole,
    /// That without each slot's first request and without the drain.
    Window,
}

/// Which requests a throughput counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThroughputCounts {
    /// Those that succeeded, which the latencies are of too.
    Succeeded,
    /// All that ended.
    All,
    /// It is not told.
    #[default]
    Unstated,
}

/// What a client speaks over its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Protocol {
    /// One request at a time on each connection.
    #[serde(rename = "http/1.1")]
    Http1,
    /// Many at a time.
    #[serde(rename = "http/2")]
    Http2,
    /// It is not told.
    #[default]
    #[serde(rename = "unstated")]
    Unstated,
}

/// What an availability is a share of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AvailabilityOf {
    /// Of requests, whenever they are sent.
    Requests,
    /// Of the time: an outage may be as long as a measurement.
    Time,
    /// It is not told.
    #[default]
    Unstated,
}

/// One load level.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Requests in flight.
    pub concurrency: Option<u64>,
    /// Requests in each measurement of the level.
    pub requests: Option<u64>,
    /// Mean latency.
    pub mean_ms: Option<Figure>,
    /// Median latency.
    pub p50_ms: Option<Figure>,
    /// 95th percentile of latency.
    pub p95_ms: Option<Figure>,
    /// 99th percentile of latency.
    pub p99_ms: Option<Figure>,
    /// The longest latency.
    pub max_ms: Option<Figure>,
    /// Requests completed in a second; at a provider those that succeeded.
    pub throughput_rps: Option<Figure>,
    /// Share of requests that succeeded, in percent.
    pub success_percent: Option<Figure>,
}

/// The figures that are put first.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// Figures of a load level.
    pub row: Row,
    /// By how many percent prices are below the official ones.
    pub cheaper_percent: Option<Figure>,
    /// The model that the percent is of, if it is one.
    pub cheaper_model: Option<String>,
    /// Whether every model is said to be cheaper.
    pub is_all_cheaper: bool,
}

/// A model's price, one for both directions, in US dollars for a million tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceClaim {
    /// Which model.
    pub model: String,
    /// The official price.
    pub official: Option<Figure>,
    /// The relay's price.
    pub relay: Option<Figure>,
}

/// What moving is said to save, in US dollars.
#[derive(Clone, Debug, PartialEq)]
pub struct SavingClaim {
    /// Which case.
    pub name: String,
    /// The model that is used, if it is one.
    pub model: Option<String>,
    /// How many million tokens.
    pub mtok: Option<Figure>,
    /// What they cost officially.
    pub official: Option<Figure>,
    /// What they cost through the relay.
    pub relay: Option<Figure>,
    /// The difference.
    pub saved: Option<Figure>,
    /// The difference, in percent of the official cost.
    pub saved_percent: Option<Figure>,
}

/// A provider's figures.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderClaim {
    /// Who.
    pub name: String,
    /// Latency, throughput, and what else is told of its load.
    pub row: Row,
    /// A limit that has no figure, in the words that were published.
    pub limit: Option<String>,
    /// How many requests are let through in a minute.
    pub requests_per_minute: Option<Figure>,
    /// How many tokens are let through in a minute.
    pub tokens_per_minute: Option<Figure>,
    /// How many tokens a request had, on average of the measured ones that succeeded.
    pub tokens_per_request: Option<Figure>,
}

/// The claims compiled in: name and text.
const BUILT_IN: [(&str, &str); 1] = [("holysheep-2025", include_str!("../../fixtures/published/holysheep-2025.toml"))];

impl Claims {
    /// The names of the claims that are compiled in.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Built-in claims by name, or some from a file: what contains a slash or ends in `.toml` is a file.
    ///
    /// # Errors
    ///
    /// An unknown name, an unreadable file, or a file that is wrong: one line that says where and what would be right.
    pub fn load(name_or_file: &str) -> Result<Self, LoadError> {
        config::load("claims", name_or_file, &BUILT_IN, Self::parse)
    }

    /// Reads claims from TOML. `origin` is the file named in errors.
    ///
    /// # Errors
    ///
    /// As for [`Claims::load`].
    pub fn parse(text: &str, origin: &str) -> Result<Self, ConfigError> {
        config::parse_valid(text, origin, |raw: raw::RawClaims| raw.validate(text))
    }

    /// The row of a model's prices.
    pub(super) fn price(&self, model: &str) -> Option<&PriceClaim> {
        self.prices.iter().find(|price| price.model == model)
    }
}
