//! What load is offered, and by which client policy.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use relaybench_mock::config::{self, ConfigError, LoadError, Problem, Spanned, Time};
use serde::{Deserialize, Serialize};

use crate::client::Policy;

/// A scenario: one or more stages under one policy. [`Scenario::load`] makes one of a name or a TOML file.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `name` | shown in reports | required |
/// | `profile` | the mock's profile, by name or file, when the target is the embedded mock | `"holysheep"` |
/// | `policy` | the client's policy, by name | `"resilient"` |
/// | `seed` | keys the request ids, and by them the mock's draws | 1 |
/// | `success` | `"complete"`, or `"any-json"`: any JSON body, whatever the status | `"complete"` |
/// | `request` | `model`, `prompt`, `max_tokens`, `temperature`, `stream` | the tutorial's request, not streamed |
/// | `[[stage]]` | `load` and either `requests` or `duration`; `name`, `warm_up`, `published` | at least one |
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Shown in reports.
    pub name: String,
    /// The mock's profile, when the target is the embedded mock.
    pub profile: String,
    /// The client's policy.
    pub policy: String,
    /// Keys the request ids.
    pub seed: u64,
    /// What counts as a success.
    pub success: SuccessRule,
    /// What is asked.
    pub request: RequestSpec,
    /// The load levels, in order.
    pub stages: Vec<Stage>,
}

/// What is asked of the relay.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestSpec {
    /// The model's name.
    pub model: String,
    /// The one user message.
    pub prompt: String,
    /// The most tokens an answer may have.
    pub max_tokens: u32,
    /// Sampling temperature, 0 to 2.
    pub temperature: f64,
    /// Whether the answer is streamed.
    pub stream: bool,
}

impl Default for RequestSpec {
    fn default() -> Self {
        Self {
            model: "gpt-4.1".to_owned(),
            prompt: "Explain quantum computing in 2 sentences.".to_owned(),
            max_tokens: 500,
            temperature: 0.7,
            stream: false,
        }
    }
}

/// What counts as a success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuccessRule {
    /// The response is complete, has the expected shape and finished properly.
    #[default]
    Complete,
    /// A JSON body arrived, whatever the status: how the tutorial counts. A 429 or 500 with a JSON body is then a success.
    AnyJson,
}

/// One load level.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Unique in the scenario, like `closed-50`.
    pub name: String,
    /// The load offered.
    pub load: Load,
    /// How much of it.
    pub extent: Extent,
    /// Requests sent so soon after the start belong to the ramp.
    pub warm_up: Duration,
    /// What somebody published for this load.
    pub published: Option<Published>,
}

/// The kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Load {
    /// `concurrency` slots, each sending its next request when its last has ended.
    Closed {
        /// Requests in flight.
        concurrency: NonZeroUsize,
    },
    /// `concurrency` requests at once, then none until all have ended: a gather in a loop.
    Waves {
        /// Requests in a wave.
        concurrency: NonZeroUsize,
    },
}

impl Load {
    /// The most requests in flight.
    pub fn concurrency(self) -> usize {
        match self {
            Self::Closed { concurrency } | Self::Waves { concurrency } => concurrency.get(),
        }
    }

    /// The same kind of load at another level.
    pub fn at(self, concurrency: NonZeroUsize) -> Self {
        match self {
            Self::Closed { .. } => Self::Closed { concurrency },
            Self::Waves { .. } => Self::Waves { concurrency },
        }
    }

    /// The name of the kind, as a scenario writes it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Waves { .. } => "waves",
        }
    }

    /// What a stage of this load is called when nobody named it, like `closed-50`.
    pub fn stage_name(self) -> String {
        format!("{}-{}", self.kind(), self.concurrency())
    }
}

/// How long a stage goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So many requests.
    Requests(u64),
    /// Sending for so long; what is in flight then is waited for.
    Duration(Duration),
}

/// Figures that somebody published for a load level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Mean latency.
    pub mean_ms: f64,
    /// 95th percentile of latency.
    pub p95_ms: f64,
    /// 99th percentile of latency.
    pub p99_ms: f64,
    /// Requests completed in a second.
    pub throughput_rps: f64,
    /// Share of requests that succeeded, 0 to 1.
    pub success_rate: f64,
}

/// The scenarios compiled in: name and text.
const BUILT_IN: [(&str, &str); 2] = [
    ("tutorial", include_str!("../../fixtures/scenarios/tutorial.toml")),
    ("tutorial-waves", include_str!("../../fixtures/scenarios/tutorial-waves.toml")),
];

impl Scenario {
    /// The names of the scenarios that are compiled in.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A built-in scenario by name, or one from a file: what contains a slash or ends in `.toml` is a file.
    ///
    /// # Errors
    ///
    /// An unknown name, an unreadable file, or a file that is wrong: one line that says where and what would be right.
    pub fn load(name_or_file: &str) -> Result<Self, LoadError> {
        config::load("scenario", name_or_file, &BUILT_IN, Self::parse)
    }

    /// Reads a scenario from TOML. `origin` is the file named in errors.
    ///
    /// # Errors
    ///
    /// As for [`Scenario::load`].
    pub fn parse(text: &str, origin: &str) -> Result<Self, ConfigError> {
        config::parse_valid(text, origin, RawScenario::validate)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    name: String,
    profile: Option<String>,
    policy: Option<Spanned<String>>,
    seed: Option<u64>,
    #[serde(default)]
    success: SuccessRule,
    #[serde(default)]
    request: RequestSpec,
    stage: Spanned<Vec<Spanned<RawStage>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStage {
    name: Option<Spanned<String>>,
    load: Load,
    requests: Option<NonZeroU64>,
    duration: Option<Spanned<Time>>,
    warm_up: Option<Time>,
    published: Option<Published>,
}

impl RawScenario {
    fn validate(self) -> Result<Scenario, Problem> {
        if self.stage.as_ref().is_empty() {
            return Err(Problem::at(&self.stage, "a scenario needs at least one [[stage]]"));
        }
        if let Some(policy) = &self.policy {
            Policy::named(policy.as_ref()).map_err(|unknown| Problem::at(policy, unknown.to_string()))?;
        }
        let mut stages: Vec<Stage> = Vec::new();
        for raw in self.stage.into_inner() {
            let place = Spanned::new(raw.span(), ());
            let stage = validate_stage(raw)?;
            if stages.iter().any(|other| other.name == stage.name) {
                let message = format!("a second stage is called \"{}\"; give it another name", stage.name);
                return Err(Problem::at(&place, message));
            }
            stages.push(stage);
        }
        Ok(Scenario {
            name: self.name,
            profile: self.profile.unwrap_or_else(|| "holysheep".to_owned()),
            policy: self.policy.map_or_else(|| "resilient".to_owned(), Spanned::into_inner),
            seed: self.seed.unwrap_or(1),
            success: self.success,
            request: self.request,
            stages,
        })
    }
}

fn validate_stage(raw: Spanned<RawStage>) -> Result<Stage, Problem> {
    let place = Spanned::new(raw.span(), ());
    let raw = raw.into_inner();
    let extent = match (raw.requests, raw.duration) {
        (Some(requests), None) => Extent::Requests(requests.get()),
        (None, Some(duration)) if duration.as_ref().0.is_zero() => {
            return Err(Problem::at(&duration, "a stage of no time sends nothing; write a duration such as \"30s\""));
        }
        (None, Some(duration)) => Extent::Duration(duration.into_inner().into()),
        (Some(_), Some(duration)) => {
            return Err(Problem::at(&duration, "a stage has either requests or a duration; remove one of them"));
        }
        (None, None) => return Err(Problem::at(&place, "write how long: requests = 1000 or duration = \"30s\"")),
    };
    Ok(Stage {
        name: raw.name.map_or_else(|| raw.load.stage_name(), Spanned::into_inner),
        load: raw.load,
        extent,
        warm_up: raw.warm_up.map_or(Duration::ZERO, Duration::from),
        published: raw.published,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: &str = "[[stage]]\nload = { kind = \"closed\", concurrency = 50 }\n";

    fn refusal(text: &str) -> String {
        Scenario::parse(text, "x.toml").unwrap_err().to_string()
    }

    #[test]
    fn the_built_in_scenarios_are_the_tutorial_s_levels() {
        for name in Scenario::built_in_names() {
            let scenario = Scenario::load(name).unwrap();
            assert_eq!(scenario.name, name);
            assert_eq!(scenario.stages.iter().map(|stage| stage.load.concurrency()).collect::<Vec<_>>(), [50, 100, 200, 500]);
            assert!(scenario.stages.iter().all(|stage| stage.extent == Extent::Requests(1000) && stage.published.is_some()));
        }
    }

    #[test]
    fn what_is_left_out_has_its_documented_default() {
        let scenario = Scenario::parse(&format!("name = \"x\"\n{STAGE}requests = 5\n"), "x.toml").unwrap();
        assert_eq!((scenario.profile.as_str(), scenario.policy.as_str(), scenario.seed), ("holysheep", "resilient", 1));
        assert_eq!((scenario.success, &scenario.request), (SuccessRule::Complete, &RequestSpec::default()));
        assert_eq!(scenario.stages[0].name, "closed-50");
    }

    #[test]
    fn a_stage_says_how_long_it_is_exactly_once() {
        let neither = refusal(&format!("name = \"x\"\n{STAGE}"));
        assert_eq!(neither, "x.toml:2: stage: write how long: requests = 1000 or duration = \"30s\"");
        let both = refusal(&format!("name = \"x\"\n{STAGE}requests = 5\nduration = \"3s\"\n"));
        assert_eq!(both, "x.toml:5: stage.duration: a stage has either requests or a duration; remove one of them");
        let nothing = refusal(&format!("name = \"x\"\n{STAGE}duration = \"0s\"\n"));
        assert!(nothing.starts_with("x.toml:4: stage.duration: "), "{nothing}");
    }

    #[test]
    fn wrong_values_are_refused_by_line_and_key() {
        let no_unit = refusal(&format!("name = \"x\"\n{STAGE}duration = 30\n"));
        assert!(no_unit.starts_with("x.toml:4: stage.duration: 30 has no unit"), "{no_unit}");
        let nobody = refusal("name = \"x\"\n[[stage]]\nload = { kind = \"closed\", concurrency = 0 }\nrequests = 1\n");
        assert!(nobody.starts_with("x.toml:3: stage.load") && nobody.contains('0'), "{nobody}");
        let typo = refusal(&format!("nam = \"x\"\n{STAGE}requests = 1\n"));
        assert_eq!(typo, "x.toml:1: nam: unknown key, did you mean \"name\"?");
        let policy = refusal(&format!("name = \"x\"\npolicy = \"tutorial\"\n{STAGE}requests = 1\n"));
        assert!(policy.starts_with("x.toml:2: policy: unknown policy \"tutorial\""), "{policy}");
        let twice = refusal(&format!("name = \"x\"\n{STAGE}requests = 1\n{STAGE}requests = 2\n"));
        assert_eq!(twice, "x.toml:5: stage: a second stage is called \"closed-50\"; give it another name");
    }
}
