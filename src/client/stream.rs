//! A streamed answer: chunks as they arrive, and a success only with proof of the end.

mod chunk;
mod partial;
mod proof;
mod question;
mod sniff;
mod source;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use futures_util::future::BoxFuture;

pub use self::chunk::{ChatChunk, ChunkChoice, Delta};
pub use self::partial::{Partial, PartialChoice};
pub use self::proof::{Proof, StreamEnd};

pub(crate) use self::chunk::ChunkBody;
pub(crate) use self::question::Question;
pub(crate) use self::source::Source;

use self::question::Opened;
use self::source::Item;
use super::Shared;
use super::attempt::Attempt;
use super::error::{Error, Failure, Stop};
use super::policy::BrokenStreams;
use super::request::RequestId;
use super::response::{FinishReason, Usage};
use super::trace::StreamSpans;

/// A streamed answer: a [`Stream`] of [`ChatChunk`]s.
///
/// ```no_run
/// # use relaybench::{ChatRequest, Client};
/// # async fn example(client: Client) -> Result<(), relaybench::Error> {
/// let mut stream = client.chat_stream(ChatRequest::new("gpt-4.1").user("Tell me a story.")).await?;
/// while let Some(chunk) = stream.next().await {
///     print!("{}", chunk?.content());
/// }
/// # Ok(())
/// # }
/// ```
///
/// It ends with `None` only when the answer is complete, by a [`Proof`] of its end. If it breaks, errs or just stops, the last item
/// is an error, whose [`partial`](Error::partial) has what arrived. Nothing is retried after the first content, since the caller may
/// have used it, unless the policy says so ([`BrokenStreams::Restart`](super::BrokenStreams::Restart)). Read to its end the stream
/// hands its connection back to the pool; dropped before, it closes the connection, which tells the server to stop.
pub struct ChatStream {
    shared: Arc<Shared>,
    id: RequestId,
    /// Until the stream has ended.
    question: Option<Arc<Question>>,
    attempts: Vec<Attempt>,
    state: State,
    so_far: Partial,
    /// The next chunk is the first of a new answer.
    restarts: bool,
    end: Option<StreamEnd>,
    /// Of the attempt that is read, until it has ended.
    spans: Option<StreamSpans>,
}

enum State {
    Open(Box<Source>),
    /// It broke, and is asked for again.
    Restarting(BoxFuture<'static, Result<Opened, Error>>),
    Ended,
}

impl ChatStream {
    pub(crate) fn new(shared: Arc<Shared>, question: Question, opened: Opened) -> Self {
        let Opened { source, attempts, attempt } = opened;
        let (id, spans, state) = (question.id.clone(), Some(StreamSpans::new(attempt)), State::Open(Box::new(source)));
        let question = Some(Arc::new(question));
        Self { shared, id, question, attempts, state, so_far: Partial::default(), restarts: false, end: None, spans }
    }

    /// The next chunk; `None` when the answer is complete, or after an error.
    pub async fn next(&mut self) -> Option<Result<ChatChunk, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Every attempt. The last one is that of the stream itself: as it was at the first content, until the stream has ended. None
    /// while a broken stream is asked for again.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// What the request was called.
    pub fn request_id(&self) -> &RequestId {
        &self.id
    }

    /// What was counted, when the chunk that tells it has passed.
    pub fn usage(&self) -> Option<&Usage> {
        self.so_far.usage.as_ref()
    }

    /// Why the answer ended, when the chunk that tells it has passed.
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.so_far.finish_reason.as_ref()
    }

    /// What has passed so far, of every choice its text, its reasoning and its calls of tools; when the stream has ended, all of it.
    pub fn so_far(&self) -> &Partial {
        &self.so_far
    }

    /// What proved the end, once the stream has ended well.
    pub fn ended_by(&self) -> Option<StreamEnd> {
        self.end
    }

    /// The stream is over, and so is the request.
    fn conclude(&mut self, record: Attempt) {
        if let Some(last) = self.attempts.last_mut() {
            *last = record;
        }
        let (question, spans) = (self.question.take(), self.spans.take());
        if let (Some(question), Some(spans)) = (question, spans) {
            if self.end.is_some() {
                question.asked.succeeded();
            }
            spans.end(&question.span, &self.attempts, self.so_far.usage.as_ref(), self.shared.line.key.as_ref());
        }
    }

    fn told(&mut self, chunk: &ChatChunk) {
        if let (Some(question), Some(spans)) = (&self.question, &mut self.spans) {
            spans.chunk(&question.span, chunk, self.shared.line.key.as_ref());
        }
    }

    /// The stream broke: asks again, or ends with the error.
    fn broke(&mut self, source: Source, failure: Failure) -> Option<Error> {
        let broken = source.break_off(failure);
        if self.shared.policy.retry.broken_streams == BrokenStreams::Restart
            && let Some(question) = self.question.clone()
        {
            if let Some(spans) = self.spans.take() {
                spans.attempt.end(&broken.0);
            }
            let shared = Arc::clone(&self.shared);
            let mut earlier = std::mem::take(&mut self.attempts);
            earlier.pop();
            let open = async move { question.open_again(&shared, earlier, broken).await };
            self.state = State::Restarting(Box::pin(open));
            return None;
        }
        let (record, failure) = *broken;
        self.conclude(record);
        let error = Error::new(self.shared.redact(failure), self.attempts.clone(), Stop::ContentSeen);
        Some(error.with_partial(self.so_far.clone()))
    }

    /// It was asked for again, with or without success.
    fn reopened(&mut self, opened: Result<Opened, Error>) -> Option<Error> {
        match opened {
            Ok(Opened { source, attempts, attempt }) => {
                (self.attempts, self.so_far, self.restarts) = (attempts, Partial::default(), true);
                self.spans = Some(StreamSpans::new(attempt));
                self.state = State::Open(Box::new(source));
                None
            }
            Err(error) => {
                self.question = None;
                self.attempts = error.attempts().to_vec();
                Some(error.with_partial(self.so_far.clone()))
            }
        }
    }
}

impl Stream for ChatStream {
    type Item = Result<ChatChunk, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let source = match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Open(source) => source,
                State::Restarting(open) => {
                    let opened = ready!(open.as_mut().poll(cx));
                    self.state = State::Ended;
                    match self.reopened(opened) {
                        Some(error) => return Poll::Ready(Some(Err(error))),
                        None => continue,
                    }
                }
            };
            let item = ready!(source.poll_item(cx));
            if let Ok(Item::Chunk(mut chunk)) = item {
                chunk.restarts = std::mem::take(&mut self.restarts);
                self.told(&chunk);
                self.so_far.add(&chunk);
                return Poll::Ready(Some(Ok(chunk)));
            }
            let State::Open(source) = std::mem::replace(&mut self.state, State::Ended) else { return Poll::Ready(None) };
            match item {
                Ok(Item::End(end)) => {
                    self.end = Some(end);
                    self.conclude(source.finish());
                    return Poll::Ready(None);
                }
                Err(failure) => match self.broke(*source, failure) {
                    Some(error) => return Poll::Ready(Some(Err(error))),
                    None => continue,
                },
                Ok(Item::Chunk(_)) => return Poll::Ready(None),
            }
        }
    }
}

impl std::fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatStream").field("request_id", &self.id).field("ended_by", &self.end).finish_non_exhaustive()
    }
}
