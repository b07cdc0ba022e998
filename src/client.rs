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
mod builder;
mod classify;
mod config;
pub mod connector;
mod error;
mod exchange;
mod hint;
mod models;
mod policy;
mod pool;
mod request;
mod response;
mod retry;
mod sse;
mod stream;
mod transport;
mod watchdog;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream as streams};
use hyper::HeaderMap;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use relaybench_clock::{now, sleep_until};

pub use self::attempt::{Attempt, Connection, Progress};
pub use self::builder::{ClientBuilder, TransportKind};
pub use self::config::ApiKey;
pub use self::error::{Error, ErrorKind, Stop};
pub use self::models::Catalog;
pub use self::policy::{Hints, Http2, Jitter, Policy, Pool, Protocol, Retry, RetryOn, Timeouts, UnknownPolicy};
pub use self::pool::{PoolStats, Waits};
pub use self::request::{ChatRequest, Message, PreparedRequest, RequestId};
pub use self::response::{ChatChunk, ChatResponse, FinishReason, Model, Usage};
pub use self::stream::{ChatStream, StreamEnd};

use self::error::Failure;
use self::exchange::Line;
use self::response::ModelList;
use self::retry::{Outcome, Tried, Turn};
use self::stream::Source;
use self::transport::{Accept, Endpoint, Outgoing};
use self::watchdog::Deadline;

/// A client of one endpoint. Clones are cheap and share its connections, its caps and its settings.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

/// What clones share.
pub(crate) struct Shared {
    line: Line,
    headers: HeaderMap,
    policy: Policy,
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

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// When the request is wrong in itself, or when the last of its attempts failed.
    pub async fn chat(&self, request: ChatRequest) -> Result<ChatResponse, Error> {
        self.0.check_model(&request)?;
        let body = request.whole_body()?;
        self.0.whole(body, self.0.id_of(&request)).await
    }

    /// Asks for the answer in pieces. Waits for the first piece; until then failures are retried as with [`chat`](Self::chat).
    ///
    /// # Errors
    ///
    /// When the request is wrong in itself, or when the last of its attempts failed before the first piece.
    pub async fn chat_stream(&self, request: ChatRequest) -> Result<ChatStream, Error> {
        self.0.check_model(&request)?;
        let body = request.stream_body()?;
        self.stream(body, self.0.id_of(&request)).await
    }

    /// Asks all of these, at most `concurrency` at once (at least 1), and answers in their order. One failure does not end the
    /// others.
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
        let answers = requests.into_iter().enumerate().map(|(index, request)| async move { (index, self.chat(request).await) });
        let mut answers: Vec<_> = streams::iter(answers).buffer_unordered(concurrency.max(1)).collect().await;
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// The models that the endpoint offers.
    ///
    /// # Errors
    ///
    /// When the last attempt failed.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let parse = |body: &Bytes| classify::parse::<ModelList>(body);
        let (list, _, _) = self.0.ask(Endpoint::Models, Bytes::new(), &self.0.next_id(), parse).await?;
        Ok(list.data)
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
        self.0.check_model(request)?;
        Ok(PreparedRequest { whole: request.whole_body()?, stream: request.stream_body()? })
    }

    /// [`chat`](Self::chat) for a prepared request, under this id.
    ///
    /// # Errors
    ///
    /// When the last attempt failed.
    pub async fn send(&self, request: &PreparedRequest, id: RequestId) -> Result<ChatResponse, Error> {
        self.0.whole(request.whole.clone(), id).await
    }

    /// [`chat_stream`](Self::chat_stream) for a prepared request, under this id.
    ///
    /// # Errors
    ///
    /// When the last attempt failed before the first piece.
    pub async fn send_stream(&self, request: &PreparedRequest, id: RequestId) -> Result<ChatStream, Error> {
        self.stream(request.stream.clone(), id).await
    }

    async fn stream(&self, body: Bytes, id: RequestId) -> Result<ChatStream, Error> {
        let shared = &*self.0;
        let outcome = shared.retrying(&id, |turn, deadline| {
            let outgoing = shared.outgoing(Endpoint::Chat, &body, &id, turn, Accept::EventStream);
            async move {
                let source = match shared.line.open(outgoing, turn, deadline).await {
                    Ok(exchange) => Source::open(exchange).await,
                    Err(broken) => Err(broken),
                };
                source.map_or_else(Tried::from, |source| Tried { record: source.record(), result: Ok(source) })
            }
        });
        let (source, attempts) = shared.conclude(outcome.await)?;
        Ok(ChatStream::new(Arc::clone(&self.0), id, attempts, source))
    }
}

impl Shared {
    fn check_model(&self, request: &ChatRequest) -> Result<(), Error> {
        self.catalog.as_ref().map_or(Ok(()), |catalog| catalog.check(request.model()))
    }

    fn id_of(&self, request: &ChatRequest) -> RequestId {
        request.id().cloned().unwrap_or_else(|| self.next_id())
    }

    /// An id of our own: of the seed, so that two clients hardly share one, and of a count.
    fn next_id(&self) -> RequestId {
        RequestId::numbered(self.seed, self.asked.fetch_add(1, Ordering::Relaxed))
    }

    async fn whole(&self, body: Bytes, id: RequestId) -> Result<ChatResponse, Error> {
        let (completion, raw, attempts) = self.ask(Endpoint::Chat, body, &id, classify::completion).await?;
        Ok(ChatResponse { completion, raw, request_id: id, attempts })
    }

    /// Asks, again if need be, for an answer that is not streamed.
    async fn ask<T>(
        &self,
        endpoint: Endpoint,
        body: Bytes,
        id: &RequestId,
        parse: impl Fn(&Bytes) -> Result<T, Failure> + Copy,
    ) -> Result<(T, Bytes, Vec<Attempt>), Error> {
        let outcome = self.retrying(id, |turn, deadline| {
            let outgoing = self.outgoing(endpoint, &body, id, turn, Accept::Json);
            self.line.whole(outgoing, turn, deadline, parse)
        });
        let ((value, raw), attempts) = self.conclude(outcome.await)?;
        Ok((value, raw, attempts))
    }

    /// The retry loop with the clock, the sleep and the randomness of this client.
    async fn retrying<T, F: Future<Output = Tried<T>>>(&self, id: &RequestId, call: impl Fn(Turn, Deadline) -> F) -> Outcome<T> {
        let deadline = Deadline::new(now(), self.policy.timeouts.total);
        let mut rng = keyed_rng(self.seed, id);
        retry::run(&self.policy.retry, deadline.at, &mut rng, now, sleep_until, |turn| call(turn, deadline)).await
    }

    fn conclude<T>(&self, outcome: Outcome<T>) -> Result<(T, Vec<Attempt>), Error> {
        let Outcome { attempts, result } = outcome;
        match result {
            Ok(value) => Ok((value, attempts)),
            Err((failure, stop)) => Err(Error::new(self.redact(failure), attempts, stop)),
        }
    }

    fn redact(&self, failure: Failure) -> Failure {
        classify::redact(failure, self.line.key.as_ref())
    }

    fn outgoing<'a>(
        &'a self,
        endpoint: Endpoint,
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
