//! One logical request: through the client, and what came of it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use relaybench_clock::{Instant, now};

use super::in_flight::InFlight;
use super::ledger::SentAttempt;
use super::request::{Composer, Conversation};
use super::sample::Outcome;
use super::scenario::SuccessRule;
use crate::client::{Attempt, Client, Error, PreparedRequest, RequestId, Usage};

/// What every request of a stage has in common. Clones are the same caller.
#[derive(Clone, Debug)]
pub(super) struct Caller(Arc<Common>);

#[derive(Debug)]
struct Common {
    client: Client,
    composer: Composer,
    id_prefix: String,
    success: SuccessRule,
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
    /// How long it waited for room under the cap on requests in flight.
    pub(super) held: Duration,
    /// Which attempts left the client.
    pub(super) attempts_sent: Vec<SentAttempt>,
    pub(super) usage: Option<Usage>,
    /// What it cost, if the price is known and the answer tells its usage.
    pub(super) cost_usd: Option<f64>,
    /// How long the trace has it.
    pub(super) traced_tokens: Option<u32>,
    /// The model that was asked, where they differ.
    pub(super) model: Option<Arc<str>>,
    /// What has been said, of a conversation.
    pub(super) said: Option<Conversation>,
}

/// What is sent, and in which conversation.
struct Question {
    index: u64,
    request: PreparedRequest,
    said: Option<Conversation>,
}

impl Caller {
    pub(super) fn new(client: Client, composer: Composer, id_prefix: String, success: SuccessRule, in_flight: InFlight) -> Self {
        Self(Arc::new(Common { client, composer, id_prefix, success, in_flight }))
    }

    /// Sends request `index` of a stage when it is first polled; its body is written before. Its id, and with it everything the mock
    /// draws, depends on nothing else.
    pub(super) fn call(&self, index: u64) -> impl Future<Output = Answer> + Send + 'static {
        self.ask(Question { index, request: self.0.composer.single(index), said: None })
    }

    /// As [`call`](Self::call), of a turn of a conversation in which so much was said.
    pub(super) fn turn(
        &self,
        index: u64,
        place: (u64, u32),
        said: Conversation,
    ) -> impl Future<Output = Answer> + Send + 'static {
        let (request, said) = self.0.composer.turn(place, index, said);
        self.ask(Question { index, request, said: Some(said) })
    }

    fn ask(&self, question: Question) -> impl Future<Output = Answer> + Send + 'static {
        let caller = Arc::clone(&self.0);
        async move {
            let id = caller.request_id(question.index);
            let _in_flight = caller.in_flight.enter();
            let sent = now();
            if caller.composer.is_streamed() {
                caller.streamed(question, id, sent).await
            } else {
                caller.whole(question, id, sent).await
            }
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

    async fn whole(&self, question: Question, id: RequestId, sent: Instant) -> Answer {
        match self.client.send(&question.request, id).await {
            Ok(response) => {
                let said = question.said.map(|said| and_answered(said, response.content()));
                Answer { said, ..self.succeeded(question.index, sent, response.attempts(), response.usage().copied()) }
            }
            Err(error) => self.failed(question.index, sent, &error),
        }
    }

    async fn streamed(&self, question: Question, id: RequestId, sent: Instant) -> Answer {
        let Question { index, request, said } = question;
        let mut stream = match self.client.send_stream(&request, id).await {
            Ok(stream) => stream,
            Err(error) => return self.failed(index, sent, &error),
        };
        let (mut first_content, mut last_content, mut gaps_ns, mut usage) = (None, None::<Instant>, Vec::new(), None);
        let mut answer = String::new();
        while let Some(chunk) = stream.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => return Answer { first_content, gaps_ns, usage, ..self.failed(index, sent, &error) },
            };
            usage = chunk.usage().copied().or(usage);
            if !chunk.content().is_empty() {
                let at = now();
                gaps_ns.extend(last_content.map(|last| nanoseconds(at - last)));
                first_content = first_content.or(Some(at));
                last_content = Some(at);
                if said.is_some() {
                    answer.push_str(chunk.content());
                }
            }
        }
        let said = said.map(|said| and_answered(said, &answer));
        Answer { first_content, gaps_ns, said, ..self.succeeded(index, sent, stream.attempts(), usage) }
    }

    fn succeeded(&self, index: u64, sent: Instant, attempts: &[Attempt], usage: Option<Usage>) -> Answer {
        let cost = |usage: Usage| Some(self.composer.price(index)?.cost_usd(usage.prompt_tokens, usage.completion_tokens));
        Answer { usage, cost_usd: usage.and_then(cost), ..self.answer(index, sent, attempts) }
    }

    fn failed(&self, index: u64, sent: Instant, error: &Error) -> Answer {
        let outcome = match self.success {
            SuccessRule::AnyJson if error.body().is_some_and(is_json) => Outcome::Succeeded,
            SuccessRule::AnyJson | SuccessRule::Complete => Outcome::Failed { error: error.kind().as_str().to_owned() },
        };
        Answer { outcome, ..self.answer(index, sent, error.attempts()) }
    }

    fn answer(&self, index: u64, sent: Instant, attempts: &[Attempt]) -> Answer {
        let model = self.composer.has_several_models().then(|| Arc::clone(self.composer.model(index)));
        let traced_tokens = self.composer.length(index).map(|length| length.completion_tokens);
        Answer { traced_tokens, model, ..Answer::of(sent, attempts) }
    }
}

fn sent_attempt(attempt: &Attempt) -> SentAttempt {
    let took = (attempt.ended - attempt.started).saturating_sub(attempt.queued);
    SentAttempt { number: attempt.number - 1, took: attempt.failure.is_none().then_some(took) }
}

fn and_answered(mut said: Conversation, answer: &str) -> Conversation {
    said.push(("assistant".to_owned(), answer.to_owned()));
    said
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
            held: Duration::ZERO,
            attempts_sent: left.map(sent_attempt).collect(),
            usage: None,
            cost_usd: None,
            traced_tokens: None,
            model: None,
            said: None,
        }
    }
}

/// The id of request `index` of a stage.
pub(crate) fn request_id(seed: u64, stage: u32, index: u64) -> String {
    format!("{}{index}", id_prefix(seed, stage))
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
