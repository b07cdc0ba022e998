//! What load is offered, and by which client policy.

mod load;
mod request;

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use relaybench_mock::config::{self, ConfigError, LoadError, Problem, Spanned, Time};
use serde::{Deserialize, Serialize};

use super::kind::Load;
use super::request::RequestSpec;
use super::slo::Objective;
use crate::client::Policy;
use load::{RawLoad, Shape};
use request::RawRequest;

/// A scenario: one or more stages under one policy. [`Scenario::load`] makes one of a name or a TOML file.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `name` | shown in reports | required |
/// | `profile` | the mock's profile, by name or file, when the target is the embedded mock | `"holysheep"` |
/// | `policy` | the client's policy, by name | `"resilient"` |
/// | `seed` | keys the request ids, and by them the mock's draws | 1 |
/// | `success` | `"complete"`, or `"any-json"`: any JSON body, whatever the status | `"complete"` |
/// | `slo` | the [objectives](Objective) of each stage, with commas between them, like `"p99<2s,success>99.5%"` | none |
/// | `repeat` | how often the stages are played, one after another and then again: a whole number from 1 to 1000 | 1 |
/// | `request` | what is asked: [`RequestSpec`] | the tutorial's request, not streamed |
/// | `[[stage]]` | `load` and either `requests` or `duration` (sessions: `sessions` or `duration`; a trace may have none); `name`, `warm_up`, `steady`, `slo`, `published` | at least one |
///
/// A stage with `steady = true` says that its latencies have no trend: one makes the run invalid. A stage's own `slo` counts instead of
/// the scenario's.
///
/// A request belongs to the ramp when it is the first of its slot, or sent (in an open loop: meant to be sent) within `warm_up`, by
/// default none. Files are found from the scenario's directory. All kinds of load with their keys are in `docs/load.md`.
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
    /// Whether it says that its latencies have no trend, so that one makes the run invalid.
    pub steady: bool,
    /// The objectives it is held to.
    pub slo: Vec<Objective>,
    /// Which repeat of which stage it is, where stages are repeated.
    pub repeat: Option<Repeat>,
}

/// One of several plays of the same stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// The stage's name without a number.
    pub of: String,
    /// From 1.
    pub number: u32,
}

/// How long a stage goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So many requests.
    Requests(u64),
    /// Sending for so long; what is in flight then is waited for.
    Duration(Duration),
    /// So many conversations.
    Sessions(u64),
    /// All of a trace.
    Trace,
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
const BUILT_IN: [(&str, &str); 4] = [
    ("tutorial", include_str!("../../fixtures/scenarios/tutorial.toml")),
    ("tutorial-waves", include_str!("../../fixtures/scenarios/tutorial-waves.toml")),
    ("open-loop", include_str!("../../fixtures/scenarios/open-loop.toml")),
    ("shapes", include_str!("../../fixtures/scenarios/shapes.toml")),
];

impl Scenario {
    /// How often the stages can be repeated.
    pub const MOST_REPEATS: u32 = 1000;

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
        config::parse_valid(text, origin, |raw: RawScenario| raw.validate(origin))
    }

    /// Plays all stages so often: one after another and then again, so that whatever changes with time changes for all. Each repeat
    /// has draws and times of its own, since these are keyed by a stage's place. Once changes nothing.
    pub fn repeat(&mut self, times: NonZeroU32) {
        if times == NonZeroU32::MIN {
            return;
        }
        let once = std::mem::take(&mut self.stages);
        let repeated = |number: u32, stage: &Stage| Stage {
            name: format!("{}#{number}", stage.name),
            repeat: Some(Repeat { of: stage.name.clone(), number }),
            ..stage.clone()
        };
        self.stages = (1..=times.get()).flat_map(|number| once.iter().map(move |stage| repeated(number, stage))).collect();
    }

    /// Takes all repeats but the first away, and tells how many there were.
    pub fn once(&mut self) -> NonZeroU32 {
        let times = self.stages.iter().filter_map(|stage| stage.repeat.as_ref()).map(|repeat| repeat.number).max().unwrap_or(1);
        self.stages.retain(|stage| stage.repeat.as_ref().is_none_or(|repeat| repeat.number == 1));
        for stage in &mut self.stages {
            if let Some(repeat) = stage.repeat.take() {
                stage.name = repeat.of;
            }
        }
        NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN)
    }

    /// The most that one attempt can cost, in US dollars: the longest prompt, of which every byte may be a token, the longest answer,
    /// and the dearest model.
    pub fn worst_case_usd(&self) -> f64 {
        self.stages.iter().map(|stage| stage.load.worst_case_usd(&self.request)).fold(0.0, f64::max)
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
    slo: Option<Spanned<String>>,
    repeat: Option<Spanned<u32>>,
    #[serde(default)]
    request: RawRequest,
    stage: Spanned<Vec<Spanned<RawStage>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStage {
    name: Option<Spanned<String>>,
    load: Spanned<RawLoad>,
    requests: Option<Spanned<NonZeroU64>>,
    sessions: Option<Spanned<NonZeroU64>>,
    duration: Option<Spanned<Time>>,
    warm_up: Option<Time>,
    #[serde(default)]
    steady: bool,
    slo: Option<Spanned<String>>,
    published: Option<Published>,
}

impl RawScenario {
    fn validate(self, origin: &str) -> Result<Scenario, Problem> {
        if self.stage.as_ref().is_empty() {
            return Err(Problem::at(&self.stage, "a scenario needs at least one [[stage]]"));
        }
        if let Some(policy) = &self.policy {
            Policy::named(policy.as_ref()).map_err(|unknown| Problem::at(policy, unknown.to_string()))?;
        }
        let mut stages: Vec<Stage> = Vec::new();
        let request = self.request.validate(origin)?;
        let slo = self.slo.as_ref().map(objectives).transpose()?.unwrap_or_default();
        let repeat = self.repeat.as_ref().map_or(Ok(NonZeroU32::MIN), repeats)?;
        let raw_stages = self.stage.into_inner().into_iter().map(|raw| (Spanned::new(raw.span(), ()), raw));
        for (place, raw) in raw_stages {
            for stage in validate_stage(raw, &request, &slo, origin)? {
                if stages.iter().any(|other| other.name == stage.name) {
                    let message = format!("a second stage is called \"{}\"; give it another name", stage.name);
                    return Err(Problem::at(&place, message));
                }
                stages.push(stage);
            }
        }
        let mut scenario = Scenario {
            name: self.name,
            profile: self.profile.unwrap_or_else(|| "holysheep".to_owned()),
            policy: self.policy.map_or_else(|| "resilient".to_owned(), Spanned::into_inner),
            seed: self.seed.unwrap_or(1),
            success: self.success,
            request,
            stages,
        };
        scenario.repeat(repeat);
        Ok(scenario)
    }
}

fn objectives(text: &Spanned<String>) -> Result<Vec<Objective>, Problem> {
    Objective::list(text.as_ref()).map_err(|error| Problem::at(text, error.to_string()))
}

fn repeats(times: &Spanned<u32>) -> Result<NonZeroU32, Problem> {
    let valid = NonZeroU32::new(*times.as_ref()).filter(|times| times.get() <= Scenario::MOST_REPEATS);
    valid.ok_or_else(|| {
        Problem::at(times, format!("{} repeats; write a number from 1 to {}", times.as_ref(), Scenario::MOST_REPEATS))
    })
}

/// One stage, or one for each step.
fn validate_stage(raw: Spanned<RawStage>, request: &RequestSpec, slo: &[Objective], origin: &str) -> Result<Vec<Stage>, Problem> {
    let place = Spanned::new(raw.span(), ());
    let raw = raw.into_inner();
    let shape = raw.load.get_ref().validate(&raw.load, request, origin)?;
    let extent = extent(&raw, &shape, &place)?;
    let slo = raw.slo.as_ref().map(objectives).transpose()?.unwrap_or_else(|| slo.to_vec());
    let loads = match shape {
        Shape::One(load) => vec![load],
        Shape::Steps(loads) => loads,
    };
    let (warm_up, published) = (raw.warm_up.map_or(Duration::ZERO, Duration::from), raw.published);
    let is_one = loads.len() == 1;
    let name = |load: &Load| match &raw.name {
        Some(name) if is_one => name.get_ref().clone(),
        Some(name) => format!("{}-{}", name.get_ref(), load.stage_name()),
        None => load.stage_name(),
    };
    let steady = raw.steady;
    let stage =
        |load: Load| Stage { name: name(&load), load, extent, warm_up, published, steady, slo: slo.clone(), repeat: None };
    Ok(loads.into_iter().map(stage).collect())
}

/// How long a stage is: said once, in the way that its load can be.
fn extent(raw: &RawStage, shape: &Shape, place: &Spanned<()>) -> Result<Extent, Problem> {
    if let Some(duration) = raw.duration.as_ref().filter(|duration| duration.get_ref().0.is_zero()) {
        return Err(Problem::at(duration, "a stage of no time sends nothing; write a duration such as \"30s\""));
    }
    let load = match shape {
        Shape::One(load) => load,
        Shape::Steps(loads) => &loads[0],
    };
    let kind = load.kind();
    if let (Some(sessions), false) = (&raw.sessions, matches!(load, Load::Sessions(_))) {
        return Err(Problem::at(sessions, format!("a load of kind \"{kind}\" has no sessions; write requests or duration")));
    }
    if let (Some(requests), Load::Sessions(_) | Load::Ramp { .. }) = (&raw.requests, load) {
        let right =
            if kind == "ramp" { "duration = \"30s\", over which the rate changes" } else { "sessions = 100 or a duration" };
        return Err(Problem::at(requests, format!("a load of kind \"{kind}\" does not count requests; write {right}")));
    }
    match (&raw.requests, &raw.sessions, &raw.duration) {
        (Some(requests), None, None) => Ok(Extent::Requests(requests.get_ref().get())),
        (None, Some(sessions), None) => Ok(Extent::Sessions(sessions.get_ref().get())),
        (None, None, Some(duration)) => Ok(Extent::Duration(duration.get_ref().0)),
        (_, _, Some(duration)) => Err(Problem::at(duration, "a stage has either requests or a duration; remove one of them")),
        (Some(requests), Some(_), None) => Err(Problem::at(requests, "a stage has either requests or sessions; remove one")),
        (None, None, None) => match load {
            Load::Trace(_) => Ok(Extent::Trace),
            Load::Sessions(_) => Err(Problem::at(place, "write how long: sessions = 100 or duration = \"30s\"")),
            Load::Ramp { .. } => Err(Problem::at(place, "write how long: duration = \"30s\"")),
            _ => Err(Problem::at(place, "write how long: requests = 1000 or duration = \"30s\"")),
        },
    }
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
        for name in ["tutorial", "tutorial-waves"] {
            let scenario = Scenario::load(name).unwrap();
            assert_eq!(scenario.name, name);
            assert_eq!(
                scenario.stages.iter().map(|stage| stage.load.concurrency().unwrap()).collect::<Vec<_>>(),
                [50, 100, 200, 500]
            );
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
    fn stages_are_repeated_in_turns_and_held_to_their_objectives() {
        let two = format!("{STAGE}requests = 5\n[[stage]]\nload = {{ kind = \"waves\", concurrency = 5 }}\nrequests = 5\n");
        let text = format!("name = \"x\"\nrepeat = 2\nslo = \"p99<2s\"\n{two}slo = \"p50<1s\"\nsteady = true\n");
        let stages = Scenario::parse(&text, "x.toml").unwrap().stages;
        let names: Vec<_> = stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["closed-50#1", "waves-5#1", "closed-50#2", "waves-5#2"]);
        assert_eq!(stages[2].repeat, Some(Repeat { of: "closed-50".to_owned(), number: 2 }));
        let seen: Vec<_> = stages.iter().map(|stage| (stage.slo[0].as_str(), stage.steady)).collect();
        assert_eq!(seen, [("p99<2s", false), ("p50<1s", true), ("p99<2s", false), ("p50<1s", true)]);

        let mut scenario = Scenario::parse(&text, "x.toml").unwrap();
        assert_eq!(scenario.once().get(), 2);
        assert_eq!(scenario.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(), ["closed-50", "waves-5"]);
        assert_eq!(scenario.once(), NonZeroU32::MIN);

        let slo = refusal(&format!("name = \"x\"\nslo = \"p99>2s\"\n{STAGE}requests = 5\n"));
        assert_eq!(slo, "x.toml:2: slo: objective \"p99>2s\": p99 is bounded by < or <=, not by >");
        let never = refusal(&format!("name = \"x\"\nrepeat = 0\n{STAGE}requests = 5\n"));
        assert_eq!(never, "x.toml:2: repeat: 0 repeats; write a number from 1 to 1000");
    }

    #[test]
    fn wrong_values_are_refused_by_line_and_key() {
        let no_unit = refusal(&format!("name = \"x\"\n{STAGE}duration = 30\n"));
        assert!(no_unit.starts_with("x.toml:4: stage.duration: 30 has no unit"), "{no_unit}");
        let nobody = refusal("name = \"x\"\n[[stage]]\nload = { kind = \"closed\", concurrency = 0 }\nrequests = 1\n");
        assert!(nobody.starts_with("x.toml:3: stage.load") && nobody.contains('0'), "{nobody}");
        let hot = refusal(&format!("name = \"x\"\n[request]\ntemperature = 3\n{STAGE}requests = 1\n"));
        assert_eq!(hot, "x.toml:3: request.temperature: 3 is beyond what relays take; write 0 to 2");
        let typo = refusal(&format!("nam = \"x\"\n{STAGE}requests = 1\n"));
        assert_eq!(typo, "x.toml:1: nam: unknown key, did you mean \"name\"?");
        let policy = refusal(&format!("name = \"x\"\npolicy = \"tutorial\"\n{STAGE}requests = 1\n"));
        assert!(policy.starts_with("x.toml:2: policy: unknown policy \"tutorial\""), "{policy}");
        let twice = refusal(&format!("name = \"x\"\n{STAGE}requests = 1\n{STAGE}requests = 2\n"));
        assert_eq!(twice, "x.toml:5: stage: a second stage is called \"closed-50\"; give it another name");
    }
}
