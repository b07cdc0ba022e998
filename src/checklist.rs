//! The tutorial's migration from the official API to a relay, as a checklist: three small requests, and what they tell of base
//! URL, key, model, answers and streams; and what a policy risks with such a relay: by its timeouts, for whole answers and for
//! streams, its retries, what these may cost, and its pool.

mod judge;
mod policy;
mod probe;

use std::fmt::{self, Write};
use std::io;

use relaybench_clock::run_virtual;
use relaybench_mock::{MockRelay, MockServer};
use tokio::runtime::Builder;

use crate::client::{Error, ErrorKind, Policy, TransportKind};
use crate::endpoint::Endpoint;
use crate::pricing::{Price, most_prompt_tokens};
use crate::target::{Live, Target};

use self::probe::Probed;

/// How many requests a checklist sends, whatever happens: nothing is retried.
pub const REQUESTS: u64 = 3;

/// The longest answer that is asked for, in tokens: enough to tell how fast tokens come.
const ANSWER_TOKENS: u32 = 32;

const PROMPT: &str = "Count from one to ten in words.";

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Checklist {
    /// Where.
    pub target: Target,
    /// The model that is meant to be used.
    pub model: String,
    /// The policy that is meant to be used: its timeouts hold while it is checked, its retries do not.
    pub policy: Policy,
    /// The longest answer that is meant to be asked for, in tokens.
    pub longest_answer: u32,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, such as `base URL`.
    pub subject: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was found.
    pub why: String,
    /// What to do, where something is to be done.
    pub hint: Option<String>,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// To be mended.
    Failed,
    /// It could not be looked at, since something else failed.
    NotChecked,
}

impl Checklist {
    /// Sends the requests, one after another, and judges. It makes a runtime of its own, and must not be called in one.
    ///
    /// # Errors
    ///
    /// When the mock or the runtime cannot be started. What is wrong with the target is not an error but a failed check.
    pub fn check(&self) -> io::Result<Vec<Check>> {
        let probed = match &self.target {
            Target::Virtual(profile) => {
                let (checklist, server) = (self.clone(), MockServer::new(profile.clone()));
                run_virtual(async move { checklist.probe(&Endpoint::in_memory(server, None)).await })
            }
            Target::Mock(profile) => {
                let relay = MockRelay::start(profile.clone())?;
                self.probe_over_sockets(&Endpoint::relay(&relay, None, TransportKind::Network))?
            }
            Target::Live(live) => self.probe_over_sockets(&Endpoint::live(live, None, TransportKind::Network))?,
        };
        Ok(match probed {
            Ok(probed) => judge::all(self, &probed),
            Err(error) => judge::without_client(self, &error),
        })
    }

    fn probe_over_sockets(&self, endpoint: &Endpoint) -> io::Result<Result<Probed, Error>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(self.probe(endpoint)))
    }

    async fn probe(&self, endpoint: &Endpoint) -> Result<Probed, Error> {
        let client = endpoint.client(&probe::once(&self.policy), 1)?;
        Ok(probe::all(&client, &self.model).await)
    }

    /// Whether anything can be sent: not to what is no base URL, nor with what is no key. The list says so, too.
    pub fn can_send(&self) -> bool {
        let Target::Live(live) = &self.target else { return true };
        Endpoint::live(live, None, TransportKind::Network).client(&probe::once(&self.policy), 1).is_ok()
    }

    /// The most that a check of this endpoint can cost, in US dollars.
    pub fn most_usd(&self) -> f64 {
        let price = Price::of(&self.model).unwrap_or_else(Price::dearest);
        // The list of models costs nothing.
        (REQUESTS - 1) as f64 * price.cost_usd(most_prompt_tokens(PROMPT), ANSWER_TOKENS.into())
    }

    /// What a check of a live endpoint will send and spend, to be read before it begins.
    pub fn spending(&self, live: &Live) -> String {
        format!(
            "live: at most {REQUESTS} requests to {}: the list of models, one answer and one stream of {}, of at most {ANSWER_TOKENS} tokens \
             each; at most ${:.4} in all",
            live.base_url,
            self.model,
            self.most_usd()
        )
    }
}

/// The list as text, a line each, and a line for each hint.
pub fn table(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { subject, verdict, why, hint } in checks {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{subject:<10}  {verdict:<11}  {}", one_line(why));
        if let Some(hint) = hint {
            let _ = writeln!(text, "{:<10}  {:<11}  → {}", "", "", one_line(hint));
        }
    }
    text
}

/// A server's words may have several.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::NotChecked => "not checked",
        })
    }
}

impl Check {
    fn new(subject: &'static str, verdict: Verdict, why: impl Into<String>) -> Self {
        Self { subject, verdict, why: why.into(), hint: None }
    }

    fn ok(subject: &'static str, why: impl Into<String>) -> Self {
        Self::new(subject, Verdict::Ok, why)
    }

    fn failed(subject: &'static str, why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(subject, Verdict::Failed, why) }
    }

    fn not_checked(subject: &'static str, why: impl Into<String>) -> Self {
        Self::new(subject, Verdict::NotChecked, why)
    }
}

/// Whether the key or its rights were refused. Google's API and relays before it answer a wrong key with 400.
fn is_key_refused(error: &Error) -> bool {
    const WORDS: [&str; 5] = ["api key not valid", "api_key_invalid", "invalid api key", "invalid_api_key", "incorrect api key"];
    match error.kind() {
        ErrorKind::Status(401 | 403) => true,
        ErrorKind::Status(400) | ErrorKind::InBand => {
            let said = format!("{error}\n{}", error.body().unwrap_or_default()).to_lowercase();
            WORDS.iter().any(|words| said.contains(words))
        }
        _ => false,
    }
}
