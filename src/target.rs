//! Where a run's requests go: the embedded mock, or a live relay named by the environment.

use std::fmt;

use relaybench_mock::Profile;

use crate::client::{ApiKey, Catalog, Policy};
use crate::load::{Allowance, Scenario};
use crate::provider::Provider;

/// Where `run`, `cargo bench` and the live test send their requests; unset: to the embedded mock.
pub const BASE_URL: &str = "RELAYBENCH_BASE_URL";
/// The key of that endpoint.
pub const API_KEY: &str = "RELAYBENCH_API_KEY";
/// The model to ask there.
pub const MODEL: &str = "RELAYBENCH_MODEL";
/// The most requests a live run sends, shared out evenly over its stages.
pub const MAX_REQUESTS: &str = "RELAYBENCH_MAX_REQUESTS";
/// The most a live run may cost, in US dollars.
pub const MAX_COST_USD: &str = "RELAYBENCH_MAX_COST_USD";

const DEFAULT_MAX_REQUESTS: u64 = 200;
const DEFAULT_MAX_COST_USD: f64 = 1.0;

/// Where requests go.
#[derive(Clone, Debug)]
pub enum Target {
    /// A mock relay of our own over real sockets, started for the run.
    Mock(Profile),
    /// The same mock in memory and in virtual time.
    Virtual(Profile),
    /// An endpoint that is there already.
    Live(Live),
}

impl Target {
    /// `mock`, or the base URL.
    pub fn name(&self) -> &str {
        match self {
            Self::Mock(_) | Self::Virtual(_) => "mock",
            Self::Live(live) => &live.base_url,
        }
    }

    /// The embedded mock's profile.
    pub fn profile(&self) -> Option<&Profile> {
        match self {
            Self::Mock(profile) | Self::Virtual(profile) => Some(profile),
            Self::Live(_) => None,
        }
    }

    /// The models that exist there, as far as is known.
    pub fn catalog(&self) -> Catalog {
        self.catalog_within(&Catalog::default())
    }

    /// As [`catalog`](Self::catalog), with what this one knows of models: a mock has those of its profile, a live endpoint all.
    pub fn catalog_within(&self, known: &Catalog) -> Catalog {
        match self {
            Self::Mock(profile) | Self::Virtual(profile) => known.narrowed_to(profile.models()),
            Self::Live(_) => known.clone(),
        }
    }

    /// What a run of this scenario may send: everything to a mock, and within the caps to a live endpoint.
    pub fn allowance(&self, scenario: &Scenario, policy: &Policy) -> Allowance {
        match self {
            Self::Mock(_) | Self::Virtual(_) => Allowance::unlimited(),
            Self::Live(live) => {
                let worst_case_usd = worst_case_usd(scenario, policy);
                Allowance::new(live.requests_per_stage(scenario.stages.len()), live.max_cost_usd, worst_case_usd)
            }
        }
    }
}

/// What a live run may send and spend, to be read before it begins.
pub fn spending(live: &Live, scenario: &Scenario, policy: &Policy) -> String {
    let worst_usd = worst_case_usd(scenario, policy);
    let per_stage = live.requests_per_stage(scenario.stages.len());
    let requests = per_stage * scenario.stages.len() as u64;
    let model = scenario.request.models.names().collect::<Vec<_>>().join(", ");
    let price = if scenario.request.models.names().all(|model| scenario.request.prices.of(model).is_some()) {
        "known price"
    } else {
        "price unknown, the dearest of the catalog assumed"
    };
    format!(
        "live: at most {requests} requests ({per_stage} a stage, {MAX_REQUESTS}), each at most ${worst_usd:.4} ({model}, {price}); \
         at most ${:.2} in all ({MAX_COST_USD})",
        (worst_usd * requests as f64).min(live.max_cost_usd)
    )
}

/// The most that one logical request can cost: the longest prompt and answer, and every attempt billed.
pub fn worst_case_usd(scenario: &Scenario, policy: &Policy) -> f64 {
    scenario.worst_case_usd() * f64::from(policy.retry.attempts)
}

/// A live endpoint with its key and the caps of the run.
#[derive(Clone, Debug)]
pub struct Live {
    /// Like `https://host/v1`.
    pub base_url: String,
    /// Never printed.
    pub key: ApiKey,
    /// The model to ask instead of the scenario's.
    pub model: Option<String>,
    /// The most requests, over all stages.
    pub max_requests: u64,
    /// The most the run may cost.
    pub max_cost_usd: f64,
}

impl Live {
    /// The live endpoint that the command line (`flag`) or the environment names, if one does. `variable` reads the environment.
    ///
    /// # Errors
    ///
    /// A base URL without a key, and a cap that is no number.
    pub fn from_environment(flag: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, TargetError> {
        let set = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let Some(base_url) = flag.map(str::to_owned).or_else(|| set(BASE_URL)) else { return Ok(None) };
        check_base_url(&base_url)?;
        let key = set(API_KEY).ok_or_else(|| TargetError::NoKey { base_url: base_url.clone() })?;
        Self::within_caps(base_url, key, set).map(Some)
    }

    /// A provider's own endpoint, with the key that the environment has under the provider's name for it. `variable` reads the
    /// environment.
    ///
    /// # Errors
    ///
    /// A key or a part of the base URL that the environment does not have, and a cap that is no number.
    pub fn at(provider: &Provider, variable: impl Fn(&str) -> Option<String>) -> Result<Self, TargetError> {
        let set = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let unset = |variable: &str| TargetError::Unset { provider: provider.name.clone(), variable: variable.to_owned() };
        let base_url = provider.base_url_with(set).map_err(|missing| unset(&missing))?;
        check_base_url(&base_url)?;
        let key = set(&provider.key_variable).ok_or_else(|| unset(&provider.key_variable))?;
        Self::within_caps(base_url, key, set)
    }

    fn within_caps(base_url: String, key: String, set: impl Fn(&str) -> Option<String> + Copy) -> Result<Self, TargetError> {
        Ok(Self {
            base_url,
            key: ApiKey::from(key),
            model: set(MODEL),
            max_requests: cap(set, MAX_REQUESTS, "a whole number such as 200", DEFAULT_MAX_REQUESTS, |_| true)?,
            max_cost_usd: cap(set, MAX_COST_USD, "US dollars such as 1.5", DEFAULT_MAX_COST_USD, |usd: &f64| {
                usd.is_finite() && *usd >= 0.0
            })?,
        })
    }

    /// The same with an equal share of the caps, where so many endpoints are asked by one command.
    #[must_use]
    pub fn shared_by(self, endpoints: usize) -> Self {
        let endpoints = endpoints.max(1);
        Self { max_requests: self.max_requests / endpoints as u64, max_cost_usd: self.max_cost_usd / endpoints as f64, ..self }
    }

    /// The request cap, shared out evenly.
    pub fn requests_per_stage(&self, stages: usize) -> u64 {
        self.max_requests / (stages.max(1) as u64)
    }
}

/// Before any message quotes it.
fn check_base_url(base_url: &str) -> Result<(), TargetError> {
    if base_url.contains('@') {
        return Err(TargetError::Credentials);
    }
    if base_url.contains(['?', '#']) {
        return Err(TargetError::Query);
    }
    Ok(())
}

fn cap<T: std::str::FromStr>(
    set: impl Fn(&str) -> Option<String>,
    name: &'static str,
    right: &'static str,
    default: T,
    makes_sense: impl Fn(&T) -> bool,
) -> Result<T, TargetError> {
    let Some(value) = set(name) else { return Ok(default) };
    value.parse().ok().filter(makes_sense).ok_or(TargetError::Cap { name, value, right })
}

/// Why there is no target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetError {
    /// A base URL with a user or password in it, which is not repeated.
    Credentials,
    /// A base URL with a query or a fragment, which may hold a key and is not repeated.
    Query,
    /// A base URL without a key.
    NoKey {
        /// The endpoint that needs one.
        base_url: String,
    },
    /// What a provider's endpoint needs of the environment, and it does not have.
    Unset {
        /// The provider.
        provider: String,
        /// The variable.
        variable: String,
    },
    /// A cap that is no number.
    Cap {
        /// The variable.
        name: &'static str,
        /// What it says.
        value: String,
        /// What would be right.
        right: &'static str,
    },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials => {
                write!(f, "the base URL must not hold a user or password; write it like https://host/v1, the key in {API_KEY}")
            }
            Self::Query => {
                write!(
                    f,
                    "the base URL must end with its path, without a query; write it like https://host/v1, the key in {API_KEY}"
                )
            }
            Self::NoKey { base_url } => {
                write!(f, "no key for {base_url}: set {API_KEY} (for a local mock without keys any text will do)")
            }
            Self::Unset { provider, variable } => write!(f, "{provider}: {variable} is not set, which its live endpoint needs"),
            Self::Cap { name, value, right } => write!(f, "{name}: \"{value}\" is not {right}"),
        }
    }
}

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<Live>, TargetError> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Live::from_environment(flag, find)
    }

    #[test]
    fn nothing_set_means_the_embedded_mock() {
        assert!(live(None, &[]).unwrap().is_none());
        assert!(live(None, &[(BASE_URL, ""), (API_KEY, "sk-secret")]).unwrap().is_none());
    }

    #[test]
    fn the_flag_wins_over_the_environment_and_the_caps_have_defaults() {
        let found = live(Some("https://a/v1"), &[(BASE_URL, "https://b/v1"), (API_KEY, "sk-secret")]).unwrap().unwrap();
        assert_eq!((found.base_url.as_str(), found.max_requests, found.max_cost_usd), ("https://a/v1", 200, 1.0));
        assert!(!format!("{found:?}").contains("sk-secret"));
    }

    #[test]
    fn a_password_in_the_base_url_is_refused_and_not_repeated() {
        let error = live(Some("https://me:sk-secret@host/v1"), &[]).unwrap_err().to_string();
        assert!(error.contains("user or password") && !error.contains("sk-secret"), "{error}");
    }

    #[test]
    fn a_query_in_the_base_url_is_refused_and_not_repeated() {
        for url in ["https://host/v1?key=sk-secret", "https://host/v1#sk-secret"] {
            let error = live(Some(url), &[]).unwrap_err().to_string();
            assert!(error.contains("query") && !error.contains("sk-secret"), "{error}");
        }
    }

    #[test]
    fn a_missing_key_and_a_cap_that_is_no_number_are_refused_by_name() {
        let error = live(None, &[(BASE_URL, "https://a/v1")]).unwrap_err().to_string();
        assert!(error.contains("https://a/v1") && error.contains(API_KEY), "{error}");
        for (name, value) in [(MAX_REQUESTS, "many"), (MAX_COST_USD, "-1"), (MAX_COST_USD, "NaN")] {
            let error = live(None, &[(BASE_URL, "https://a/v1"), (API_KEY, "k"), (name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
