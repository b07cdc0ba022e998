//! How the client behaves, as data: presets by name, every figure open to change.

mod budget;
mod http2;
mod pool;
mod retry;
mod timeouts;

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

pub use self::budget::{BillingRisk, RetryBudget};
pub use self::http2::{Http2, Protocol};
pub use self::pool::Pool;
pub use self::retry::{BrokenStreams, Hints, Jitter, Retry, RetryOn};
pub(crate) use self::timeouts::Overrides;
pub use self::timeouts::{Timeout, Timeouts};

/// How a [`Client`](crate::Client) behaves. A preset, or a preset with some figures changed.
///
/// | preset | tries | total | connect | read | connections | retries |
/// |---|---|---|---|---|---|---|
/// | `resilient` | 4 | 30 s | 5 s | 25 s | 512 | 408, 409, 429, 498, 5xx, connection failures, timeouts of silence, broken and malformed answers |
/// | `tutorial-bench` | 1 | 30 s | – | – | 100 | nothing |
/// | `tutorial-pool` | 1 | 30 s | – | – | 200, 100 a host | nothing |
/// | `tutorial-retry` | 5 | 30 s | 10 s | 25 s | 100 | 429 |
/// | `openai-sdk` | 3 | 2,040 s | 5 s | 600 s | 1,000 | 408, 409, 429, 5xx, connection failures, timeouts of silence, broken answers |
/// | `none` | 1 | 600 s | – | – | – | nothing |
///
/// Of the other [`Timeouts`], `resilient` alone sets some: queue 15 s, first token 15 s, stall 10 s, content stall 15 s. It alone bounds
/// what retries cost, in load ([`RetryBudget`]) and in money ([`BillingRisk`]).
///
/// ```
/// use relaybench::client::Policy;
/// # fn main() -> Result<(), relaybench::client::UnknownPolicy> {
/// let mut policy = Policy::named("resilient")?;
/// policy.retry.attempts = 6;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Policy {
    /// What reports call it.
    pub name: String,
    /// When to stop waiting.
    pub timeouts: Timeouts,
    /// How many connections, and for how long.
    pub pool: Pool,
    /// What is tried again, and when.
    pub retry: Retry,
    /// What to make of an answer of another model.
    pub other_model: OtherModel,
}

/// What to make of an answer that names another model than was asked. An alias and the dated version it stands for are the same
/// model: `gpt-4.1` and `gpt-4.1-2025-04-14`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OtherModel {
    /// The attempt notes it ([`Attempt::other_model`](super::Attempt::other_model)). Default, since relays rename models at will.
    #[default]
    Record,
    /// The request fails ([`ErrorKind::ModelMismatch`](super::ErrorKind::ModelMismatch)) and is not tried again: it was answered,
    /// and is billed.
    Fail,
}

type Preset = fn() -> Policy;

const PRESETS: [(&str, Preset); 6] = [
    ("resilient", Policy::resilient),
    ("tutorial-bench", Policy::tutorial_bench),
    ("tutorial-pool", Policy::tutorial_pool),
    ("tutorial-retry", Policy::tutorial_retry),
    ("openai-sdk", Policy::openai_sdk),
    ("none", Policy::none),
];

impl Policy {
    /// The names of the presets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// The preset of that name.
    ///
    /// # Errors
    ///
    /// [`UnknownPolicy`], which lists the names.
    pub fn named(name: &str) -> Result<Self, UnknownPolicy> {
        let preset = PRESETS.iter().find(|(known, _)| *known == name);
        preset.map(|(_, preset)| preset()).ok_or_else(|| UnknownPolicy { name: name.to_owned() })
    }

    /// The default: four tries with full jitter from 0.5 s to 8 s, the server's word obeyed, all within 30 s and both budgets.
    ///
    /// After an outage that refuses (429, 503) the system is as before within ten seconds. After one in which requests hang it takes
    /// the read timeout longer, since a request that hangs holds its place, here and in the relay, until its caller gives up: up to
    /// 25 s + 10 s. Whoever wants it sooner sets [`Timeouts::headers`] or [`Timeouts::read`] lower, as far as honest answers allow:
    /// with 2 s it is ten seconds again.
    pub fn resilient() -> Self {
        Self {
            name: "resilient".to_owned(),
            timeouts: Timeouts {
                // Half of the total: what waits longer is hardly answered in the rest.
                queue: Some(Duration::from_secs(15)),
                // Room for two lost SYNs, and for another try within the total.
                connect: Some(Duration::from_secs(5)),
                // The 99.9th percentile of a slow minute's first tokens, and room for another try.
                first_token: Some(Duration::from_secs(15)),
                // Hundreds of the usual gaps of some 13 ms; keep-alive comments come every few seconds.
                stall: Some(Duration::from_secs(10)),
                // A server whose comments say that it is alive gets longer.
                content_stall: Some(Duration::from_secs(15)),
                read: Some(Duration::from_secs(25)),
                ..Timeouts::only(Duration::from_secs(30))
            },
            pool: Pool {
                // Half of the 1,024 open files that a process usually may have.
                max_connections: Some(512),
                // Common servers close idle connections after 5 s to 60 s; below the shortest none is caught closing.
                idle_timeout: Some(Duration::from_secs(4)),
                ..Pool::default()
            },
            retry: Retry {
                attempts: 4,
                base: Duration::from_millis(500),
                factor: 2.0,
                cap: Duration::from_secs(8),
                jitter: Jitter::Full,
                hints: Hints::Obey { limit: HINT_LIMIT, spread: 0.1 },
                hints_in_words: true,
                on: RetryOn {
                    // 498 is Groq's "capacity exceeded".
                    statuses: vec![408, 409, 429, 498],
                    server_errors: true,
                    connect: true,
                    broken: true,
                    read_timeout: true,
                    malformed: true,
                    quota: false,
                    too_large: false,
                },
                budget: Some(RetryBudget::default()),
                billing_risk: Some(BillingRisk::default()),
                broken_streams: BrokenStreams::Fail,
            },
            other_model: OtherModel::Record,
        }
    }

    /// What the tutorial's benchmark does: one try, 30 s in all, aiohttp's own pool (100 connections, kept 15 s).
    pub fn tutorial_bench() -> Self {
        Self {
            name: "tutorial-bench".to_owned(),
            timeouts: Timeouts::only(Duration::from_secs(30)),
            pool: Pool {
                max_connections: Some(100),
                max_per_host: Some(100),
                idle_timeout: Some(Duration::from_secs(15)),
                dns_ttl: Duration::from_secs(10),
                tcp_keepalive: None,
                ..Pool::default()
            },
            retry: Retry::never(),
            other_model: OtherModel::Record,
        }
    }

    /// What the tutorial's pooled client does: one try, 30 s in all, 200 connections of which 100 a host, kept 30 s, names
    /// trusted 300 s.
    pub fn tutorial_pool() -> Self {
        Self {
            name: "tutorial-pool".to_owned(),
            pool: Pool {
                max_connections: Some(200),
                max_per_host: Some(100),
                idle_timeout: Some(Duration::from_secs(30)),
                dns_ttl: Duration::from_secs(300),
                tcp_keepalive: None,
                ..Pool::default()
            },
            ..Self::tutorial_bench()
        }
    }

    /// What the tutorial's retry code does, with the timeouts it recommends: 429 only, five tries, 1 s · 2ⁿ, no jitter, the
    /// server's word ignored.
    pub fn tutorial_retry() -> Self {
        Self {
            name: "tutorial-retry".to_owned(),
            timeouts: Timeouts {
                connect: Some(Duration::from_secs(10)),
                read: Some(Duration::from_secs(25)),
                ..Timeouts::only(Duration::from_secs(30))
            },
            retry: Retry {
                attempts: 5,
                base: Duration::from_secs(1),
                factor: 2.0,
                cap: Duration::from_secs(16),
                jitter: Jitter::None,
                on: RetryOn { statuses: vec![429], quota: true, too_large: true, ..RetryOn::default() },
                ..Retry::never()
            },
            ..Self::tutorial_bench()
        }
    }

    /// What the official SDKs do: two retries, min(0.5 s · 2ⁿ, 8 s) less up to a quarter, the server's word obeyed up to 120 s,
    /// 600 s for each wait for bytes and no total; ours is three such waits and two of the longest hints.
    pub fn openai_sdk() -> Self {
        Self {
            name: "openai-sdk".to_owned(),
            timeouts: Timeouts {
                connect: Some(Duration::from_secs(5)),
                read: Some(Duration::from_secs(600)),
                ..Timeouts::only(Duration::from_secs(2040))
            },
            pool: Pool {
                max_connections: Some(1000),
                idle_timeout: Some(Duration::from_secs(5)),
                dns_ttl: Duration::ZERO,
                tcp_keepalive: None,
                ..Pool::default()
            },
            retry: Retry {
                attempts: 3,
                base: Duration::from_millis(500),
                factor: 2.0,
                cap: Duration::from_secs(8),
                jitter: Jitter::Quarter,
                hints: Hints::Obey { limit: HINT_LIMIT, spread: 0.0 },
                on: RetryOn {
                    statuses: vec![408, 409, 429],
                    server_errors: true,
                    connect: true,
                    broken: true,
                    read_timeout: true,
                    malformed: false,
                    quota: true,
                    too_large: true,
                },
                ..Retry::never()
            },
            other_model: OtherModel::Record,
        }
    }

    /// One try, no limits but a backstop of ten minutes, so that a hang ends too.
    pub fn none() -> Self {
        Self {
            name: "none".to_owned(),
            timeouts: Timeouts::only(Duration::from_secs(600)),
            pool: Pool::default(),
            retry: Retry::never(),
            other_model: OtherModel::Record,
        }
    }
}

/// A server that asks for more than two minutes is out of order, not busy.
const HINT_LIMIT: Duration = Duration::from_secs(120);

impl Default for Policy {
    fn default() -> Self {
        Self::resilient()
    }
}

/// There is no preset of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPolicy {
    name: String,
}

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Policy::names().collect();
        write!(f, "unknown policy {:?}; the policies are {}", self.name, names.join(", "))
    }
}

impl std::error::Error for UnknownPolicy {}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn seconds_or_null<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_found_by_its_own_name() {
        for name in Policy::names() {
            assert_eq!(Policy::named(name).unwrap().name, name);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = Policy::named("tutorial").unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown policy \"tutorial\"; the policies are resilient, tutorial-bench, tutorial-pool, tutorial-retry, openai-sdk, none"
        );
    }

    #[test]
    fn the_smaller_cap_rules() {
        assert_eq!(Policy::tutorial_pool().pool.cap(), Some(100));
        assert_eq!(Policy::resilient().pool.cap(), Some(512));
        assert_eq!(Policy::none().pool.cap(), None);
    }

    #[test]
    fn reports_show_a_policy_in_seconds() {
        let json = serde_json::to_value(Policy::resilient()).unwrap();
        assert_eq!(
            json["timeouts"],
            serde_json::json!({
                "total_s": 30.0, "queue_s": 15.0, "connect_s": 5.0, "headers_s": null, "first_token_s": 15.0, "stall_s": 10.0,
                "content_stall_s": 15.0, "read_s": 25.0
            })
        );
        assert_eq!(json["retry"]["hints"], serde_json::json!({"obey": {"limit_s": 120.0, "spread": 0.1}}));
    }
}
