//! The client library: chat completions through a relay, with retries, deadlines and a bounded pool.
//!
//! ```no_run
//! use relaybench::{ChatRequest, Client};
//!
//! # async fn example() -> Result<(), relaybench::Error> {
//! let client = Client::builder().base_url("https://api.holysheep.ai/v1").api_key("sk-…").build()?;
//! let answer = client.chat(ChatRequest::new("gpt-4.1").user("Explain quantum computing in 2 sentences.")).await?;
//! println!("{} ({} attempts)", answer.content(), answer.attempts().len());
//! # Ok(())
//! # }
//! ```
//!
//! A *logical request* is what the caller asks for once; it may take several *attempts*, each of them one HTTP exchange. How the
//! client behaves is a [`Policy`], plain data with presets.

mod attempt;
mod backoff;
mod batch;
mod budget;
mod builder;
mod classify;
mod config;
pub mod connector;
mod embeddings;
mod error;
mod exchange;
mod hint;
mod lookup;
mod models;
mod policy;
mod pool;
mod request;
mod response;
mod retry;
mod sse;
mod stream;
mod tools;
mod trace;
mod transport;
mod watchdog;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream as streams};
use hyper::HeaderMap;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use relaybench_clock::{now, sleep_until};

pub use self::attempt::{Attempt, Connection, Progress};
pub use self::batch::{Batch, BatchProgress};
pub use self::budget::BudgetStats;
pub use self::builder::{ClientBuilder, TransportKind};
pub use self::config::ApiKey;
pub use self::embeddings::{Embeddings, EmbeddingsRequest, EncodingFormat};
pub use self::error::{Error, ErrorKind, Limit, Stop};
pub use self::lookup::Lookup;
pub use self::models::{Catalog, KnownModel};
pub use self::policy::{
    BillingRisk, BrokenStreams, Hints, Http2, Jitter, OtherModel, Policy, Pool, Protocol, Retry, RetryBudget, RetryOn, Timeout,
    Timeouts, UnknownPolicy,
};
pub use self::pool::{PoolStats, Waits};
pub use self::request::{ChatRequest, Message, Part, PreparedRequest, RequestId};
pub use self::response::{ChatResponse, FinishReason, Model, Usage};
pub use self::stream::{ChatChunk, ChatStream, ChunkChoice, Delta, Partial, PartialChoice, Proof, StreamEnd};
pub use self::tools::{FunctionCall, Tool, ToolCall, ToolCallDelta, ToolCalls, ToolChoice};

use self::budget::{Asked, Budgets};
use self::embeddings::EmbeddingList;
use self::error::Failure;
use self::exchange::Line;
use self::request::StreamBody;
use self::retry::{Bounds, Outcome, Tried, Turn};
use self::stream::Question;
use self::trace::{RequestSpan, Server};
use self::transport::{Accept, Endpoint, Outgoing};
use self::watchdog::Deadline;

/// A client of one endpoint. Clones are cheap and share its connections, its caps and its settings.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

/// What clones share.
pub(crate) struct Shared {
    line: Line,
    server: Server,
    headers: HeaderMap,
    policy: Policy,
    budgets: Arc<Budgets>,
    catalog: Option<Catalog>,
    seed: u64,
    asked: AtomicU64,
}

impl Client {
    /// A client to be set up.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// How this client behaves.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// What its pool did until now.
    pub fn pool(&self) -> PoolStats {
        self.0.line.pool.stats()
    }

    /// What retries may still cost, and how many are in flight.
    pub fn budgets(&self) -> BudgetStats {
        self.0.budgets.stats()
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// When the request is wrong in itself, or when the last of its attempts failed.
    pub async fn chat(&self, request: ChatRequest) -> Result<ChatResponse, Error> {
        let request = self.0.resolved(Cow::Owned(request))?;
        let (body, timeouts) = (request.whole_body()?, self.0.timeouts_of(&request)?);
        self.0.whole(request.model(), body, &timeouts, self.0.id_of(&request)).await
    }

    /// Asks for the answer in pieces. Waits for the first piece with content; until then failures are retried as with [`chat`](Self::chat).
    ///
    /// # Errors
    ///
    /// When the request is wrong in itself, or when the last of its attempts failed before the first content.
    pub async fn chat_stream(&self, request: ChatRequest) -> Result<ChatStream, Error> {
        let request = self.0.resolved(Cow::Owned(request))?;
        let (body, timeouts) = (request.stream_body()?, self.0.timeouts_of(&request)?);
        self.stream(self.0.question(request.model().into(), body, timeouts, self.0.id_of(&request))).await
    }

    /// Asks all of these, at most `concurrency` at once (at least 1), and answers in their order when all have ended. One failure
    /// does not end the others. For many, see [`batch_iter`](Self::batch_iter).
    ///
    /// ```no_run
    /// # use relaybench::{ChatRequest, Client};
    /// # async fn example(client: Client, prompts: Vec<String>) {
    /// let requests = prompts.iter().map(|prompt| ChatRequest::new("gpt-4.1").user(prompt).max_tokens(300));
    /// for (prompt, answer) in prompts.iter().zip(client.batch(requests, 20).await) {
    ///     match answer {
    ///         Ok(answer) => println!("{prompt}: {}", answer.content()),
    ///         Err(error) => println!("{prompt}: {error} ({})", error.kind()),
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn batch(
        &self,
        requests: impl IntoIterator<Item = ChatRequest>,
        concurrency: usize,
    ) -> Vec<Result<ChatResponse, Error>> {
        let mut answers: Vec<_> = self.batch_iter(requests).concurrency(concurrency).as_completed().collect().await;
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Asks any number of requests, taken from an iterator as there is room for them; [`Batch`] says how.
    pub fn batch_iter<'a, I>(&'a self, requests: I) -> Batch<'a, streams::Iter<I::IntoIter>>
    where
        I: IntoIterator<Item = ChatRequest>,
        I::IntoIter: 'a,
    {
        Batch::new(self, streams::iter(requests))
    }

    /// Asks any number of requests, taken from a stream as there is room for them; [`Batch`] says how.
    pub fn batch_stream<'a, S: Stream<Item = ChatRequest> + 'a>(&'a self, requests: S) -> Batch<'a, S> {
        Batch::new(self, requests)
    }

    /// The models that the endpoint offers; await it.
    ///
    /// # Errors
    ///
    /// When a timeout of the request is none, or when the last attempt failed.
    pub fn models(&self) -> Lookup<'_, Vec<Model>> {
        Lookup::all(self)
    }

    /// What the endpoint tells of one model; await it. One that it does not have is an error of kind
    /// [`Status(404)`](ErrorKind::Status), on most servers.
    ///
    /// # Errors
    ///
    /// When the name or a timeout of the request is none, or when the last attempt failed.
    pub fn model(&self, id: &str) -> Lookup<'_, Model> {
        Lookup::one(self, id)
    }

    /// The vectors of some texts.
    ///
    /// # Errors
    ///
    /// When the request is wrong in itself, or when the last of its attempts failed.
    pub async fn embeddings(&self, request: EmbeddingsRequest) -> Result<Embeddings, Error> {
        let (body, count) = (request.body()?, request.count());
        let timeouts = request.timeouts(&self.0.policy.timeouts)?;
        let request_id = request.id().cloned().unwrap_or_else(|| self.0.next_id());
        let parse = |body: &Bytes| EmbeddingList::parse(body, count);
        let span = self.0.span(Endpoint::Embeddings, request.model());
        let (list, raw, attempts) = self.0.ask(&span, Endpoint::Embeddings, body, &timeouts, &request_id, parse).await?;
        span.named(list.model.as_deref(), None, self.0.line.key.as_ref());
        span.counted(list.usage.as_ref());
        Ok(Embeddings { list, raw, request_id, attempts })
    }

    /// Checks a request and writes its body, once for any number of [`send`](Self::send)s.
    ///
    /// ```no_run
    /// # use relaybench::{ChatRequest, Client, client::RequestId};
    /// # async fn example(client: Client) -> Result<(), relaybench::Error> {
    /// let prepared = client.prepare(&ChatRequest::new("gpt-4.1").user("Hi"))?;
    /// for index in 0..1000 {
    ///     client.send(&prepared, RequestId::new(format!("run-1/{index}"))?).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the request is wrong in itself.
    pub fn prepare(&self, request: &ChatRequest) -> Result<PreparedRequest, Error> {
        let request = self.0.resolved(Cow::Borrowed(request))?;
        let (whole, stream) = (request.whole_body()?, request.stream_body()?);
        Ok(PreparedRequest { model: request.model().into(), whole, stream, timeouts: self.0.timeouts_of(&request)? })
    }

    /// [`chat`](Self::chat) for a prepared request, under this id.
    ///
    /// # Errors
    ///
    /// When the last attempt failed.
    pub async fn send(&self, request: &PreparedRequest, id: RequestId) -> Result<ChatResponse, Error> {
        self.0.whole(&request.model, request.whole.clone(), &request.timeouts, id).await
    }

    /// [`chat_stream`](Self::chat_stream) for a prepared request, under this id.
    ///
    /// # Errors
    ///
    /// When the last attempt failed before the first content.
    pub async fn send_stream(&self, request: &PreparedRequest, id: RequestId) -> Result<ChatStream, Error> {
        let PreparedRequest { model, stream, timeouts, .. } = request.clone();
        self.stream(self.0.question(model, stream, timeouts, id)).await
    }

    async fn stream(&self, question: Question) -> Result<ChatStream, Error> {
        let opened = question.open(&self.0).await?;
        Ok(ChatStream::new(Arc::clone(&self.0), question, opened))
    }
}

impl Shared {
    /// The request under the name of its model, where it was asked by an alias.
    fn resolved<'a>(&self, mut request: Cow<'a, ChatRequest>) -> Result<Cow<'a, ChatRequest>, Error> {
        let Some(catalog) = &self.catalog else { return Ok(request) };
        let name = catalog.resolve(request.model())?;
        if name != request.model() {
            request.to_mut().rename(name);
        }
        Ok(request)
    }

    fn id_of(&self, request: &ChatRequest) -> RequestId {
        request.id().cloned().unwrap_or_else(|| self.next_id())
    }

    fn timeouts_of(&self, request: &ChatRequest) -> Result<Timeouts, Error> {
        request.timeouts(&self.policy.timeouts)
    }

    /// An id of our own: of the seed, so that two clients hardly share one, and of a count.
    fn next_id(&self) -> RequestId {
        RequestId::numbered(self.seed, self.asked.fetch_add(1, Ordering::Relaxed))
    }

    /// The span of a request that begins now.
    fn span(&self, endpoint: Endpoint<'_>, model: &str) -> RequestSpan {
        RequestSpan::begin(&self.server, endpoint, model)
    }

    fn question(&self, model: Arc<str>, body: StreamBody, timeouts: Timeouts, id: RequestId) -> Question {
        let span = self.span(Endpoint::Chat, &model);
        Question::new(model, body, timeouts, id, span, self.budgets.ask())
    }

    async fn whole(&self, model: &str, body: Bytes, timeouts: &Timeouts, id: RequestId) -> Result<ChatResponse, Error> {
        let span = self.span(Endpoint::Chat, model);
        let parse = |body: &Bytes| {
            let completion = classify::completion(body)?;
            let (named, rule) = (completion.model.as_deref(), self.policy.other_model);
            let other_model = classify::other_model(model, named, rule, self.line.key.as_ref())?;
            Ok((completion, other_model))
        };
        let ((completion, other_model), raw, mut attempts) = self.ask(&span, Endpoint::Chat, body, timeouts, &id, parse).await?;
        if let Some(answered) = attempts.last_mut() {
            answered.other_model = other_model;
        }
        let answer = ChatResponse { completion, raw, request_id: id, attempts };
        let key = self.line.key.as_ref();
        span.named(answer.model(), answer.id(), key);
        span.finished(answer.completion.finish_reasons(), key);
        span.counted(answer.usage());
        Ok(answer)
    }

    /// Asks, again if need be, for an answer that is not streamed.
    async fn ask<T>(
        &self,
        span: &RequestSpan,
        endpoint: Endpoint<'_>,
        body: Bytes,
        timeouts: &Timeouts,
        id: &RequestId,
        parse: impl Fn(&Bytes) -> Result<T, Failure> + Copy,
    ) -> Result<(T, Bytes, Vec<Attempt>), Error> {
        let deadline = Deadline::new(now(), timeouts);
        let asked = self.budgets.ask();
        let outcome = self.retrying(&asked, id, deadline, Vec::with_capacity(1), |turn| {
            let outgoing = self.outgoing(endpoint, &body, id, turn, Accept::Json);
            span.attempt(&self.server, endpoint, turn, self.line.whole(outgoing, turn, deadline, parse))
        });
        let (((value, raw), attempt), attempts) = self.conclude(span, outcome.await)?;
        asked.succeeded();
        attempts.last().inspect(|own| attempt.end(own));
        span.end(&attempts, None);
        Ok((value, raw, attempts))
    }

    /// The retry loop with the clock, the sleep, the randomness and the budgets of this client.
    async fn retrying<T, F: Future<Output = Tried<T>>>(
        &self,
        asked: &Asked,
        id: &RequestId,
        deadline: Deadline<'_>,
        earlier: Vec<Attempt>,
        call: impl FnMut(Turn) -> F,
    ) -> Outcome<T> {
        let mut rng = keyed_rng(self.seed, id);
        let bounds = Bounds { policy: &self.policy.retry, asked, deadline: deadline.at };
        retry::run(bounds, earlier, &mut rng, now, sleep_until, call).await
    }

    fn conclude<T>(&self, span: &RequestSpan, outcome: Outcome<T>) -> Result<(T, Vec<Attempt>), Error> {
        let Outcome { attempts, result } = outcome;
        match result {
            Ok(value) => Ok((value, attempts)),
            Err((failure, stop)) => {
                span.end(&attempts, Some(failure.kind));
                Err(Error::new(self.redact(failure), attempts, stop))
            }
        }
    }

    fn redact(&self, failure: Failure) -> Failure {
        classify::redact(failure, self.line.key.as_ref())
    }

    fn outgoing<'a>(
        &'a self,
        endpoint: Endpoint<'a>,
        body: &'a Bytes,
        id: &'a RequestId,
        turn: Turn,
        accept: Accept,
    ) -> Outgoing<'a> {
        Outgoing { endpoint, headers: &self.headers, accept, id, retry: turn.number - 1, body }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("policy", &self.0.policy.name).finish_non_exhaustive()
    }
}

/// Randomness that depends on the seed and the request alone, not on what else is in flight: FNV-1a over the id.
fn keyed_rng(seed: u64, id: &RequestId) -> Pcg64Mcg {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = id.as_str().bytes().fold(OFFSET ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    Pcg64Mcg::seed_from_u64(hash)
}
