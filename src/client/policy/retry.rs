//! What is tried again, and when.

use std::time::Duration;

use serde::Serialize;

use super::seconds;

/// What is tried again, and when.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Retry {
    /// Tries in all, the first counted: 1 never retries.
    pub attempts: u32,
    /// The wait before the first retry.
    #[serde(rename = "base_s", serialize_with = "seconds")]
    pub base: Duration,
    /// What each further wait is multiplied with.
    pub factor: f64,
    /// The longest wait, before jitter.
    #[serde(rename = "cap_s", serialize_with = "seconds")]
    pub cap: Duration,
    /// How the wait is spread, so that clients which failed together do not come back together.
    pub jitter: Jitter,
    /// Whether `retry-after-ms`, `retry-after` and `x-should-retry` are obeyed.
    pub hints: Hints,
    /// Which failures are worth another try.
    pub on: RetryOn,
}

/// How a wait is spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Jitter {
    /// Exactly the wait.
    None,
    /// Uniform between nothing and the wait.
    Full,
    /// Uniform between half the wait and the wait.
    Equal,
    /// Uniform between three quarters of the wait and the wait, as the official SDKs do.
    Quarter,
}

/// What the client makes of the server's own word on retrying.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Hints {
    /// Nothing: the client's own waits rule.
    Ignore,
    /// Waits as long as the server says.
    Obey {
        /// Who is told to wait longer than this gives up at once.
        #[serde(rename = "limit_s", serialize_with = "seconds")]
        limit: Duration,
        /// How much is added, uniform from nothing to this share of the wait (1 s at most): clients that were told the same
        /// wait would otherwise come back together.
        spread: f64,
    },
}

/// Which failures are worth another try.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RetryOn {
    /// These statuses.
    pub statuses: Vec<u16>,
    /// 500 to 599.
    pub server_errors: bool,
    /// No connection: name look-up, refused, TLS handshake, connect timeout. The request never left.
    pub connect: bool,
    /// The connection broke: reset, closed before the response, truncated response.
    pub broken: bool,
    /// The server was silent: the timeouts of headers, first token, stall, content stall and read. Not that of the queue, which
    /// is never retried.
    pub read_timeout: bool,
    /// A 200 that is no answer: malformed, or an error in the body.
    pub malformed: bool,
    /// A 429 that says the quota is used up. It never succeeds, but clients that look at the status alone retry it.
    pub quota: bool,
}

impl Retry {
    /// One try.
    pub fn never() -> Self {
        Self {
            attempts: 1,
            base: Duration::ZERO,
            factor: 1.0,
            cap: Duration::ZERO,
            jitter: Jitter::None,
            hints: Hints::Ignore,
            on: RetryOn::default(),
        }
    }
}
