//! Many requests, a bounded number at once, answered as they complete or in their order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{Stream, StreamExt};

use super::Client;
use super::error::Error;
use super::request::ChatRequest;
use super::response::ChatResponse;

/// How many are asked at once, unless told otherwise: the most connections that the tutorial's client has to one host.
const CONCURRENCY: usize = 100;

/// Requests to be answered, with how. Made by [`Client::batch_iter`] and [`Client::batch_stream`]; nothing is sent before the
/// stream that [`as_completed`](Self::as_completed) or [`in_order`](Self::in_order) gives is polled.
///
/// Requests are taken from their source one by one, when there is room for them: a million of them, or an endless stream, takes
/// the memory of those in flight.
///
/// ```no_run
/// # use relaybench::{ChatRequest, Client};
/// # use std::collections::HashSet;
/// # async fn example(client: Client, prompts: Vec<String>, done: HashSet<usize>) -> std::io::Result<()> {
/// use futures_util::StreamExt;
///
/// let requests = prompts.iter().map(|prompt| ChatRequest::new("gpt-4.1").user(prompt));
/// let batch = client.batch_iter(requests).concurrency(20).skip(|index| done.contains(&index));
/// let mut answers = std::pin::pin!(batch.on_progress(|p| eprint!("\r{} done, {} failed", p.succeeded, p.failed)).as_completed());
/// while let Some((index, answer)) = answers.next().await {
///     match answer {
///         Ok(answer) => println!("{index}: {}", answer.content()),
///         Err(error) => println!("{index}: {error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a batch sends nothing until its answers are asked for"]
pub struct Batch<'a, S> {
    client: &'a Client,
    requests: S,
    concurrency: usize,
    skip: Box<dyn FnMut(usize) -> bool + Send + 'a>,
    progress: Option<Box<dyn FnMut(BatchProgress) + Send + 'a>>,
}

/// How far a batch has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchProgress {
    /// Skipped so far: they were not sent.
    pub skipped: u64,
    /// Begun so far, the ended ones among them.
    pub started: u64,
    /// Answered.
    pub succeeded: u64,
    /// Ended with an error, after all attempts.
    pub failed: u64,
}

impl BatchProgress {
    /// Begun and not ended.
    pub fn in_flight(&self) -> u64 {
        self.started - self.succeeded - self.failed
    }
}

impl<'a, S: Stream<Item = ChatRequest> + 'a> Batch<'a, S> {
    pub(super) fn new(client: &'a Client, requests: S) -> Self {
        Self { client, requests, concurrency: CONCURRENCY, skip: Box::new(|_| false), progress: None }
    }

    /// How many requests are in flight at once, at least 1. Default: 100.
    pub fn concurrency(mut self, most: usize) -> Self {
        self.concurrency = most.max(1);
        self
    }

    /// Which requests are not sent, by their index from 0 in the source: those that an earlier run answered. They have no item
    /// among the answers. Default: none.
    pub fn skip(mut self, is_done: impl FnMut(usize) -> bool + Send + 'a) -> Self {
        self.skip = Box::new(is_done);
        self
    }

    /// Told each time that a request has ended, in the order in which they end. It is called between two polls of the requests,
    /// and holds them up as long as it takes.
    pub fn on_progress(mut self, told: impl FnMut(BatchProgress) + Send + 'a) -> Self {
        self.progress = Some(Box::new(told));
        self
    }

    /// The answers, each with the index of its request, as they complete. A failure does not end the others. Requests go on only
    /// while the stream is polled, and dropping it ends them.
    pub fn as_completed(self) -> impl Stream<Item = (usize, Result<ChatResponse, Error>)> + 'a {
        let concurrency = self.concurrency;
        self.answers().buffer_unordered(concurrency)
    }

    /// The answers, each with the index of its request, in the order of the requests. An answer that waits for its turn keeps its
    /// place among the `concurrency`: behind a slow one fewer are in flight.
    pub fn in_order(self) -> impl Stream<Item = (usize, Result<ChatResponse, Error>)> + 'a {
        let concurrency = self.concurrency;
        self.answers().buffered(concurrency)
    }

    /// A future for each request that is to be sent.
    fn answers(self) -> impl Stream<Item = impl Future<Output = (usize, Result<ChatResponse, Error>)> + 'a> + 'a {
        let Self { client, requests, mut skip, progress, .. } = self;
        let account = Arc::new(Mutex::new(Account { progress: BatchProgress::default(), told: progress }));
        requests.enumerate().filter_map(move |(index, request)| {
            let is_skipped = skip(index);
            lock(&account).begin(is_skipped);
            let account = Arc::clone(&account);
            let answer = (!is_skipped).then_some(async move {
                let answer = client.chat(request).await;
                lock(&account).end(answer.is_ok());
                (index, answer)
            });
            std::future::ready(answer)
        })
    }
}

/// What has happened, and who is told.
struct Account<'a> {
    progress: BatchProgress,
    told: Option<Box<dyn FnMut(BatchProgress) + Send + 'a>>,
}

impl Account<'_> {
    fn begin(&mut self, is_skipped: bool) {
        match is_skipped {
            true => self.progress.skipped += 1,
            false => self.progress.started += 1,
        }
    }

    fn end(&mut self, succeeded: bool) {
        match succeeded {
            true => self.progress.succeeded += 1,
            false => self.progress.failed += 1,
        }
        if let Some(told) = &mut self.told {
            told(self.progress);
        }
    }
}

/// A callback that panicked has ended the batch: what it left behind is whole.
fn lock<T>(account: &Mutex<T>) -> MutexGuard<'_, T> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> std::fmt::Debug for Batch<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}
