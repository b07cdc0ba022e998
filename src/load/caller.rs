//! One logical request: through the client, and what came of it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use relaybench_clock::{Instant, now};

use super::in_flight::InFlight;
use super::sample::Outcome;
use super::scenario::{RequestSpec, SuccessRule};
use crate::client::{Attempt, ChatRequest, Client, Error, PreparedRequest, RequestId, Usage};
use crate::pricing::Price;

/// What every request of a stage has in common. Clones are the same caller.
#[derive(Clone, Debug)]
pub(super) struct Caller(Arc<Common>);

#[derive(Debug)]
struct Common {
    client: Client,
    request: PreparedRequest,
    is_streamed: bool,
    id_prefix: String,
    success: SuccessRule,
    price: Option<Price>,
    in_flight: InFlight,
}

/// What the caller of one logical request has in the end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) sent: Instant,
    pub(super) ended: Instant,
    pub(super) service: Option<Duration>,
    pub(super) first_content: Option<Instant>,
    pub(super) gaps_ns: Vec<u64>,
    /// Which attempts left the client, counted from 0 as the wire counts retries.
    pub(super) attempts_sent: Vec<u32>,
    pub(super) usage: Option<Usage>,
    /// What it cost, if the price is known and the answer tells its usage.
    pub(super) cost_usd: Option<f64>,
}

impl Caller {
    /// Checks the request and serializes it, once for all.
    pub(super) fn new(
        client: Client,
        spec: &RequestSpec,
        id_prefix: String,
        success: SuccessRule,
        in_flight: InFlight,
    ) -> Result<Self, Error> {
        let request = ChatRequest::new(&spec.model)
            .user(&spec.prompt)
            .max_tokens(spec.max_tokens)
            .temperature(spec.temperature)
            .include_usage();
        let request = client.prepare(&request)?;
        let price = Price::of(&spec.model);
        Ok(Self(Arc::new(Common { client, request, is_streamed: spec.stream, id_prefix, success, price, in_flight })))
    }

    /// Sends request `index` of a stage. Its id, and with it everything the mock draws, depends on nothing else.
    pub(super) fn call(&self, index: u64) -> impl Future<Output = Answer> + Send + 'static {
        let caller = Arc::clone(&self.0);
        async move {
            let id = caller.request_id(index);
            let _in_flight = caller.in_flight.enter();
            let sent = now();
            if caller.is_streamed { caller.streamed(id, sent).await } else { caller.whole(id, sent).await }
        }
    }
}

impl Common {
    fn request_id(&self, index: u64) -> RequestId {
        /// Of the largest index.
        const DIGITS: usize = 20;
        let mut id = String::with_capacity(self.id_prefix.len() + DIGITS);
        id.push_str(&self.id_prefix);
        // A string takes whatever is written to it.
        let _ = write!(id, "{index}");
        RequestId::new(id).expect("letters, digits and hyphens are visible ASCII")
    }

    async fn whole(&self, id: RequestId, sent: Instant) -> Answer {
        match self.client.send(&self.request, id).await {
            Ok(response) => self.succeeded(sent, response.attempts(), response.usage().copied()),
            Err(error) => self.failed(sent, &error),
        }
    }

    async fn streamed(&self, id: RequestId, sent: Instant) -> Answer {
        let mut stream = match self.client.send_stream(&self.request, id).await {
            Ok(stream) => stream,
            Err(error) => return self.failed(sent, &error),
        };
        let (mut first_content, mut last_content, mut gaps_ns, mut usage) = (None, None::<Instant>, Vec::new(), None);
        while let Some(chunk) = stream.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => return Answer { first_content, gaps_ns, usage, ..self.failed(sent, &error) },
            };
            usage = chunk.usage().copied().or(usage);
            if !chunk.content().is_empty() {
                let at = now();
                gaps_ns.extend(last_content.map(|last| nanoseconds(at - last)));
                first_content = first_content.or(Some(at));
                last_content = Some(at);
            }
        }
        Answer { first_content, gaps_ns, ..self.succeeded(sent, stream.attempts(), usage) }
    }

    fn succeeded(&self, sent: Instant, attempts: &[Attempt], usage: Option<Usage>) -> Answer {
        let cost_usd = usage.zip(self.price).map(|(usage, price)| price.cost_usd(usage.prompt_tokens, usage.completion_tokens));
        Answer { outcome: Outcome::Succeeded, usage, cost_usd, ..Answer::of(sent, attempts) }
    }

    fn failed(&self, sent: Instant, error: &Error) -> Answer {
        let outcome = match self.success {
            SuccessRule::AnyJson if error.body().is_some_and(is_json) => Outcome::Succeeded,
            SuccessRule::AnyJson | SuccessRule::Complete => Outcome::Failed { error: error.kind().as_str().to_owned() },
        };
        Answer { outcome, ..Answer::of(sent, error.attempts()) }
    }
}

impl Answer {
    fn of(sent: Instant, attempts: &[Attempt]) -> Self {
        let last = attempts.last();
        let left = attempts.iter().filter(|attempt| attempt.left_the_client());
        Self {
            outcome: Outcome::Succeeded,
            sent,
            ended: last.map_or_else(now, |attempt| attempt.ended),
            service: last.map(|attempt| attempt.ended - attempt.started),
            first_content: None,
            gaps_ns: Vec::new(),
            attempts_sent: left.map(|attempt| attempt.number - 1).collect(),
            usage: None,
            cost_usd: None,
        }
    }
}

/// What the ids of a stage's requests begin with, the same over sockets and in virtual time; their index follows.
pub(super) fn id_prefix(seed: u64, stage: u32) -> String {
    format!("rb-{seed}-{stage}-")
}

fn is_json(body: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
