//! What the mock relay is like.
//!
//! A profile is a TOML file; every key has a default, and whatever is wrong is refused with its line. Durations are written with
//! their unit, such as `"250ms"`, `"1.5s"` or `"90us"`.
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `name` | how the profile is called in reports | `"unnamed"` |
//! | `dialect` | whose errors, headers and events are spoken: `"openai"` · `"azure"` · `"anthropic"` · `"groq"` · `"cloudflare"` · `"openrouter"` · `"litellm"` · `"one-api"` · `"vllm"` | `"openai"` |
//! | `azure.vague_resets` | in the dialect `"azure"`: share (0 to 1) of the answers with headers of limits whose resets are `-1` or `0`, one as often as the other | `0.0` |
//! | `azure.missing_retry_after` | in the dialect `"azure"`: share of the 429s that name a wait in their words, and not in `retry-after` | `0.0` |
//! | `seed` | what all randomness starts from: a whole number from 0 | `1` |
//! | `models` | names that exist; others are answered as the dialect answers them, mostly 404 | the [catalog](CATALOG) |
//! | `auth.keys` | keys that are accepted, as a bearer token, in `x-api-key` or in `api-key` | any but none |
//! | `latency.total` | [distribution](#distributions) of the time to the whole answer; a stream spreads its tokens evenly over it | 0 s |
//! | `latency.first_token` | distribution of the time to the first token, with `inter_token` and instead of `total` | |
//! | `latency.inter_token` | distribution of the gap before every further token | |
//! | `completion.content` | what answers say: `"seeded"`: sentences, drawn · `"echo"`: the last user message · `{ text = "…" }`: that text. `max_tokens` cuts all of them | `"seeded"` |
//! | `completion.tokens` | distribution of the length of a seeded completion, in whole tokens from 1 to a million; other content has its own | uniform, 20 to 80 |
//! | `completion.chunk_tokens` | distribution of the length of a stream's chunks, in whole tokens from 1 to a million. The first chunk has one token, the last what is left; each is sent when its last token is due | fixed, 1 |
//! | `completion.counting` | [how tokens are counted](#tokens): `"approximate"` · `"exact"`, in a build with the feature `exact-tokens` | `"approximate"` |
//! | `capacity` | what the load does: see [capacity models](#capacity-models) | `model = "none"` |
//! | `limits` | how much each may ask for: see [rate limits](#rate-limits) | no limits |
//! | `limits.body_bytes` | longest request body; beyond it the answer is 413 | `1048576` |
//! | `burst` | array of tables: times at which callers are turned away with 429, at once | none |
//! | `….every` | from the beginning of one burst to that of the next | |
//! | `….for` | how long each lasts, at most `every` | |
//! | `….from` | when the first begins, counted from the profile's start | `"0s"` |
//! | `….share` | share (0 to 1) of the attempts that are turned away | `1.0` |
//! | `….retry_after` | the wait that the answer names | what is left of the burst |
//! | `fault` | array of tables: what befalls single attempts or connections; of several the first that strikes. See [faults](#faults) | none |
//! | `phase` | array of tables: times at which the relay is another: see [phases](#phases) | none |
//!
//! Latency counts from the instant at which the request's headers were read; where requests wait for each other, from the instant
//! at which it is this one's turn, which is never before all of it was read.
//!
//! # Capacity models
//!
//! | `capacity.model` | what the load does |
//! |---|---|
//! | `"none"` | nothing |
//! | `"curve"` | latency and failures follow the requests in flight |
//! | `"queue"` | so many servers, each of which serves one request at a time, for the latency it drew; the others wait, first come first served |
//! | `"rate"` | at most so many requests begin in a second, evenly spaced; the others wait, first come first served |
//! | `"batch"` | an inference server with continuous batching: in each step every running request gets a token |
//!
//! | key | model | meaning | default |
//! |---|---|---|---|
//! | `point` | curve | array of tables: the points of the curve, at least one | |
//! | `….in_flight` | curve | how many requests are in flight, the arriving one included: a whole number that rises from point to point | |
//! | `….latency` | curve | quantiles of the total latency there, as in `dist = "quantiles"` | |
//! | `….failure_share` | curve | share (0 to 1) of requests that end as 503 `server_is_overloaded`, after the latency they drew | `0.0` |
//! | `servers` | queue | how many requests are served at once: a whole number from 1 | |
//! | `requests_per_second` | rate | how many begin in a second: 0.000001 to 1000000000 | |
//! | `max_batch` | batch | how many run at once: a whole number from 1 | |
//! | `step` | batch | what a step takes, and so the gap between tokens of a lone request | |
//! | `step_per_request` | batch | what every running request adds to each step | `"0s"` |
//! | `prefill_tokens_per_second` | batch | how fast prompts are read: a request's first step, and that of all who run beside it, is longer by its prompt | prompts cost nothing |
//! | `collapse_above` | batch | requests in flight, waiting ones included, beyond which steps grow longer | never |
//! | `collapse_per_request` | batch | by which share of a step for each request beyond it | |
//! | `waiting_room` | queue, rate, batch | how many may wait; 0 turns away whoever would have to | as many as come |
//! | `overflow` | queue, rate, batch | the status of those who find it full: 429 or 503 | `429` |
//!
//! Between two points of a curve every quantile and the failure share are interpolated linearly; outside them the nearest point
//! holds. With a curve and with a batch there is no `[latency]`: it is what the model makes it.
//!
//! A place is free at the instant at which its request was to end, however late the caller reads, or when the caller goes away; the
//! others then move up. In a batch a place that becomes free during a step is filled when the next one begins. A request that hangs
//! holds its place until its caller goes away, for an hour at most. A saturated batch gives `max_batch / step` tokens a second, less what prefill takes.
//!
//! # Rate limits
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `limits.requests_per_minute`, `limits.requests_per_day` | attempts: a whole number from 1 to 1000000000000 | no limit |
//! | `limits.tokens_per_minute`, `limits.tokens_per_day` | tokens of prompts and completions together: a whole number from 1 to 1000000000000 | no limit |
//! | `limits.input_tokens_per_minute` | tokens of prompts: a whole number from 1 to 1000000000000 | no limit |
//! | `limits.output_tokens_per_minute` | tokens of completions, of which `max_tokens` are reserved: a whole number from 1 to 1000000000000 | no limit |
//! | `limits.concurrency` | how many are answered at once: a whole number from 1 | no limit |
//! | `limits.window` | [by which rule](#windows) the limits over a period are kept: `"bucket"` · `"fixed"` · `"sliding"` | `"bucket"` |
//! | `limits.per` | who has limits of their own: `["key", "model"]`, one of the two, or `[]`, where all share them | `["key", "model"]` |
//! | `limits.assumed_completion_tokens` | what is reserved for a completion without `max_tokens`: so many, or as many as it has, where these are more | `256` |
//! | `limits.models."gpt-4o"` | table: other figures for one model, of those above the window | |
//! | `limits.key` | array of tables: other figures for one key; they come before those of a model | |
//! | `….place` | which key: its place in `auth.keys`, from 1 | |
//!
//! Limits come before bursts, faults and capacity. An attempt is admitted when it is good, of a good key, asks for a model that
//! exists, and finds room in all limits. It uses a request, whatever befalls it then, and reserves the tokens of its prompt and
//! `max_tokens`. What it does not use of these is given back when it ends, as if it had never been reserved: a completion uses its
//! usage, also where a fault damages it; a stream that breaks off and a caller who leaves have used the prompt, once it was its turn,
//! and what was sent; whatever fails has used none.
//!
//! Whom a limit refuses has used nothing. A caller who is refused for several reasons reads the one that lasts longest.
//!
//! Every answer to whoever was admitted or refused says how far the limits are used up at that instant: a whole answer when what it
//! did not use is given back, a stream while it is reserved. The others, such as a 401 or an unknown model, concern no limit. Where a
//! burst turns away, the requests count as used up by others for as long as its answer says.
//!
//! What a limit refuses is a 429 whose `retry-after-ms` is exact: a retry after it is admitted, and one a millisecond before is not,
//! as long as nobody else comes and nothing is given back. Whoever asks for more tokens than the limit, or is one too many at once,
//! is told no wait.
//!
//! ## Windows
//!
//! | `limits.window` | how much there is | at most, in any period |
//! |---|---|---|
//! | `"bucket"` | the limit, refilled evenly: the limit in a period | twice the limit |
//! | `"fixed"` | the limit in each period, one after the other from the profile's start | twice the limit, around the turn of two |
//! | `"sliding"` | the limit, less what was used in the period that ends now | the limit |
//!
//! A sliding window keeps 24 bytes for each attempt in it. A caller's account is kept until all is as if it had never come.
//!
//! # Phases
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `phase.from` | when it begins, counted from the profile's start | `"0s"` |
//! | `phase.for` | how long it lasts | for ever |
//! | `phase.every` | from one beginning to the next; at least `for` | it comes once |
//! | `phase.latency_factor` | what all delays are multiplied by, 0.0001 to 10000: of requests that arrive in it, and of a batch's steps that begin in it | `1.0` |
//! | `phase.fault` | what befalls attempts that arrive in it: `{ fault = "status=503", probability = 0.5 }`, as in `[[fault]]`, with all of its keys | none |
//! | `phase.ramp_up` | how long it takes to come to full strength: factor and probability rise in a straight line | `"0s"` |
//! | `phase.ramp_down` | how long before its end it begins to abate, in the same way | `"0s"` |
//!
//! Where phases overlap, their factors multiply, and the first whose fault strikes decides. An outage is a phase whose fault has
//! probability 1: it heals when the phase ends.
//!
//! # Faults
//!
//! | key of `fault` and `phase.fault` | meaning | default |
//! |---|---|---|
//! | `fault` | what it is, as [`FaultKind`] and [`ListenerFault`] are written: `"status=503"`, `"reset"`, `"refuse"` | |
//! | `probability` | share (0 to 1) of those that match | `1.0` |
//! | `first` | only the first so many of those that match, in the order of arrival since the profile's start: a whole number from 1 | all |
//! | `keys` | only callers with one of these keys; not for faults of connections | all |
//! | `models` | only requests for one of these models; not for faults of connections | all |
//!
//! Those that match are all that keys, models, and the phase's time let through, and that no rule before has struck. Without `first`
//! the order of arrival matters to nothing.
//!
//! # Tokens
//!
//! The usage in an answer is what the rules below count in the prompt that came and in the text that was sent, cut or not, streamed
//! or not.
//!
//! | | `"approximate"` | `"exact"` |
//! |---|---|---|
//! | prompt | a token for every four bytes begun of all text together, 3 more for each message, 3 for the answer's beginning | the tokens of each message's role, name and texts, 3 more for each message, 1 for each name, 3 for the answer's beginning |
//! | seeded text | a token for each word, with the blank before it | the encoding's tokens |
//! | other text | a token for every four bytes begun; it ends before a character that the fourth byte would split | the encoding's tokens |
//!
//! Exact counting uses the encoding that OpenAI's `tiktoken` has for a model of that name, and `o200k_base` for names that it does
//! not know; `<|endoftext|>` and the like are plain text. A token may end within a character, which is then sent with the token that
//! completes it. Neither images nor calls of tools count. A text is cut where its beginning alone has as many tokens as it has
//! within the whole; where that is nowhere at `max_tokens`, it is a few tokens shorter. The vocabularies are loaded when the profile
//! is read: for `o200k_base` that takes some 200 ms and 46 MB.
//!
//! # Distributions
//!
//! A delay's parameters are durations. A length's are whole tokens from 1 where they are lengths themselves (`value`, `min`, `max`,
//! quantiles, samples), and else may be decimal, like `mean = 120.5`; what is drawn is rounded to the nearest whole number, and
//! less than 1 is 1. However heavy a tail is, a delay is at most a century and a length a million tokens, both in what is written
//! and in what is drawn.
//!
//! | `dist` | keys | draws |
//! |---|---|---|
//! | `"fixed"` | `value` | always the same |
//! | `"uniform"` | `min`, `max` | from `min` to `max`, both included |
//! | `"normal"` | `mean` (from 0), `sd` (above 0) | given that the draw is not negative; `mean` and `sd` are those before that condition |
//! | `"lognormal"` | `median` (above 0), `sigma` (0 to 10) | `sigma` is the standard deviation of the logarithm |
//! | | or `mean` (above 0), `p95` (1 to 3.868 times `mean`) | of two that fit the one with the smaller sigma, at most 1.645 |
//! | `"exponential"` | `mean` (above 0) | gaps of a Poisson process |
//! | `"gamma"` | `shape` (0.05 to 1000), `scale` (above 0) | the mean is shape · scale; gaps with a shape below 1 are burstier than a Poisson process |
//! | `"pareto"` | `min` (above 0), `shape` (0.05 to 1000) | more than x with probability (min/x)^shape; up to a shape of 1 the mean is infinite |
//! | `"weibull"` | `shape` (0.05 to 1000), `scale` (above 0) | more than x with probability exp(−(x/scale)^shape) |
//! | `"quantiles"` | `p50`, `p95`, `p99`, `p999` (99.9 %), any others | linear between them; the outermost segments go on to p0 and p100 unless these are given |
//! | `"empirical"` | `samples`, an array | one of them, each as likely as any other |
//! | | or `file`, `column` | a column of a CSV file, found from the profile's directory |
//! | `"mixture"` | `of`, an array of distributions, each with its `weight` | from each as often as its weight (above 0) is of their sum, which need not be 1; mixtures may be nested |
//!
//! The first line of a CSV file names its columns; `column` may be left out where there is only one. A delay's column ends with its
//! unit, `_ns`, `_us`, `_ms` or `_s`, and a length's holds whole tokens. At most a million samples are read, before the start.

mod azure;
mod builtin;
mod capacity;
mod completion;
mod distribution;
mod fault;
mod figures;
mod limits;
mod raw;
mod source;
mod window;

pub(crate) use azure::AzureGaps;
pub(crate) use completion::{Completion, Source};
pub use distribution::{Unit, Written};
pub use fault::{FaultKind, FaultName, ListenerFault, NoFault, Outcome, Place, TooMany};
pub(crate) use fault::{FaultRule, ListenerRule};
pub use figures::LimitFigures;
pub(crate) use limits::{Caps, LimitWindow, Limits};

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, ConfigError};
use crate::dist::{Distribution, QuantileTable};
use crate::wire::dialect::Dialect;
use distribution::Directory;

/// The models of a profile that names none.
pub const CATALOG: [&str; 8] = [
    "gpt-4.1",
    "gpt-4o",
    "gpt-4o-mini",
    "claude-sonnet-4-20250514",
    "claude-3-5-sonnet-20241022",
    "gemini-2.5-flash",
    "deepseek-v3.2",
    "deepseek-chat",
];

/// A valid profile: what the mock relay is like. Made by [`load`](Self::load) or [`parse`](Self::parse).
#[derive(Clone, Debug)]
pub struct Profile {
    toml: source::Source,
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    pub(crate) azure: AzureGaps,
    pub(crate) seed: u64,
    pub(crate) models: Vec<Arc<str>>,
    pub(crate) keys: Keys,
    pub(crate) latency: Latency,
    pub(crate) capacity: Capacity,
    pub(crate) completion: Completion,
    pub(crate) body_limit: usize,
    /// None where nothing is limited.
    pub(crate) limits: Option<Limits>,
    pub(crate) bursts: Vec<Burst>,
    pub(crate) faults: Vec<FaultRule>,
    pub(crate) phases: Vec<Phase>,
    /// What befalls connections, also in phases.
    pub(crate) listener: Vec<ListenerRule>,
}

impl Profile {
    /// Reads a profile from TOML. `origin` is what errors call it: the file's path. Files that the profile names are looked for
    /// beside it, and refused where `origin` is no path: has no `/` and does not end in `.toml`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line.
    pub fn parse(toml: &str, origin: &str) -> Result<Self, ConfigError> {
        config::parse_valid(toml, origin, |raw: raw::RawProfile| {
            Ok(Self { toml: source::Source(toml.into()), ..raw.valid(Directory::of(origin))? })
        })
    }

    /// Whether it was written without a single key, as a file is that somebody is just writing.
    pub(crate) fn says_nothing(&self) -> bool {
        self.toml.0.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    }

    /// What the profile calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The models that exist, in the profile's order.
    pub fn models(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.models.iter().map(|model| &**model)
    }

    /// The model of this name, if there is one.
    pub(crate) fn model(&self, name: &str) -> Option<Arc<str>> {
        self.models.iter().find(|model| &***model == name).map(Arc::clone)
    }

    /// What all randomness starts from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The same profile with other randomness.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, toml: source::Source(source::with_seed(&self.toml.0, seed).into()), ..self }
    }

    /// The profile as it was written, keys included, and with the seed that it was given.
    pub fn toml(&self) -> &str {
        &self.toml.0
    }
}

impl FromStr for Profile {
    type Err = ConfigError;

    fn from_str(toml: &str) -> Result<Self, ConfigError> {
        Self::parse(toml, "profile")
    }
}

/// Which keys are accepted.
#[derive(Clone)]
pub(crate) enum Keys {
    Any,
    Only(Vec<String>),
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::Only(keys) => write!(f, "Only({} keys)", keys.len()),
        }
    }
}

/// How long answers take.
#[derive(Clone, Debug)]
pub(crate) enum Latency {
    Total(Distribution),
    Tokens {
        first: Distribution,
        gap: Arc<Distribution>,
    },
    /// By the requests in flight.
    Curve(Arc<Curve>),
    /// As the batch comes to it.
    Batch,
}

/// Latency and failures by requests in flight.
#[derive(Clone, Debug)]
pub struct Curve {
    /// At least one; `in_flight` rises.
    pub(crate) points: Vec<CurvePoint>,
}

#[derive(Clone, Debug)]
pub(crate) struct CurvePoint {
    pub(crate) in_flight: u32,
    pub(crate) latency: QuantileTable,
    pub(crate) failure_share: f64,
}

/// What makes requests wait for each other.
#[derive(Clone, Debug)]
pub(crate) enum Capacity {
    Unlimited,
    Queue { servers: u32, room: WaitingRoom },
    Rate { interval: Duration, room: WaitingRoom },
    Batch { batch: Batch, room: WaitingRoom },
}

/// Where requests wait, and what they read when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitingRoom {
    /// None: as many as come.
    pub(crate) places: Option<u32>,
    /// 429 or 503.
    pub(crate) overflow: u16,
}

/// A server that decodes a token of every running request in each step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Batch {
    /// How many requests run at once.
    pub(crate) max: u32,
    /// What a step takes, above 0.
    pub(crate) step: Duration,
    /// What each running request adds to it.
    pub(crate) step_per_request: Duration,
    /// What a prompt token of a request that joins adds to its first step, in nanoseconds.
    pub(crate) prefill_per_token_ns: f64,
    pub(crate) collapse: Option<Collapse>,
}

/// Beyond so many requests in flight each further one makes steps longer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Collapse {
    pub(crate) above: u32,
    /// By this share of a step.
    pub(crate) share: f64,
}

/// When something holds, since the profile's start: from an instant on, for a time or for ever, once or periodically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Duration,
    /// None: for ever.
    pub(crate) length: Option<Duration>,
    /// None: once.
    pub(crate) every: Option<Duration>,
}

/// Times at which callers are turned away.
#[derive(Clone, Debug)]
pub(crate) struct Burst {
    pub(crate) window: Window,
    pub(crate) share: f64,
    /// None: what is left of the burst.
    pub(crate) retry_after: Option<Duration>,
}

/// Times at which the relay is slower, or fails.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub(crate) window: Window,
    /// How long it takes to come to its full strength.
    pub(crate) ramp_up: Duration,
    /// How long before its end it begins to abate.
    pub(crate) ramp_down: Duration,
    /// What delays are multiplied by at full strength; above 0.
    pub(crate) latency_factor: f64,
    pub(crate) fault: Option<FaultRule>,
}
