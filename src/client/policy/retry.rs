//! What is tried again, and when.

use std::time::Duration;

use serde::Serialize;

use super::seconds;
use super::{BillingRisk, RetryBudget};

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
    /// Whether a wait that only the error's message names ("Please try again in 644ms") is obeyed as one in a header is. Azure and
    /// some relays name no other. Default of `resilient`: yes.
    pub hints_in_words: bool,
    /// Which failures are worth another try.
    pub on: RetryOn,
    /// How much load retries may add, over all requests of the client. `None`: any.
    pub budget: Option<RetryBudget>,
    /// How often an attempt is repeated that may be billed all the same. `None`: as any other.
    pub billing_risk: Option<BillingRisk>,
    /// What follows when a stream breaks after its first content.
    pub broken_streams: BrokenStreams,
}

/// What follows when a stream breaks after its first content, which the caller may have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BrokenStreams {
    /// The stream ends with the error. Default.
    #[default]
    Fail,
    /// The request is asked again from its start, under the same rules and the same total timeout, as far as such failures are
    /// retried at all. The first chunk of the new answer says so ([`ChatChunk::restarts`](crate::client::ChatChunk::restarts)):
    /// what came before it is void. Choose it where the answer is shown at its end, or can be taken back.
    Restart,
}

/// How a wait is spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Jitter {
    /// Exactly the wait: clients that failed together come back together.
    None,
    /// Uniform between nothing and the wait: of all the one that spreads a fleet best (Brooker, "Exponential backoff and jitter",
    /// 2015). Default of `resilient`.
    Full,
    /// Uniform between half the wait and the wait.
    Equal,
    /// Uniform between three quarters of the wait and the wait, as the official SDKs do.
    Quarter,
    /// min(cap, uniform between base and three times the wait before), whatever the factor is: grows by chance, and never waits less
    /// than the base.
    Decorrelated,
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
    /// A refusal of a status named above that says the quota is used up. It never succeeds, but clients that look at the status
    /// alone retry it.
    pub quota: bool,
    /// The same of one that says the request alone is larger than the limit.
    pub too_large: bool,
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
            hints_in_words: false,
            on: RetryOn::default(),
            budget: None,
            billing_risk: None,
            broken_streams: BrokenStreams::Fail,
        }
    }
}
