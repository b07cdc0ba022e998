//! A streamed answer: chunks as they arrive, and a success only with proof of the end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use relaybench_clock::{now, timeout_at};

use super::Shared;
use super::attempt::Attempt;
use super::classify;
use super::error::{Error, ErrorKind, Failure, Stop};
use super::exchange::{Broken, Exchange};
use super::request::RequestId;
use super::response::{ChatChunk, FinishReason, Usage};
use super::sse::{Decoder, Event};
use super::trace::StreamSpans;

/// How long a stream that said `[DONE]` may take to end before its connection is given up. The end follows at once from
/// servers that send one at all.
const END_GRACE: Duration = Duration::from_secs(1);

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
/// It ends with `None` only when the answer is complete: a finish reason or `[DONE]` came. If it breaks, errs or just stops, the
/// last item is an error. Nothing is retried after the first chunk, since the caller may have used it. Dropping the stream ends
/// the request.
pub struct ChatStream {
    shared: Arc<Shared>,
    request_id: RequestId,
    attempts: Vec<Attempt>,
    state: State,
    usage: Option<Usage>,
    finish_reason: Option<FinishReason>,
    end: Option<StreamEnd>,
    spans: StreamSpans,
}

enum State {
    Open(Box<Source>),
    Ended,
}

/// What proved that a stream was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// `[DONE]`, as an event of its own.
    Done,
    /// `[DONE]` without the empty line that ends an event: a slip that many relays make.
    DoneUnterminated,
    /// A finish reason, and then the end of the body without `[DONE]`.
    FinishReason,
}

/// An exchange whose body is an event stream.
pub(crate) struct Source {
    exchange: Exchange,
    decoder: Decoder,
    ready: VecDeque<ChatChunk>,
    finished: bool,
}

enum Item {
    Chunk(ChatChunk),
    End(StreamEnd),
}

impl Source {
    /// Reads up to the first chunk, so that what breaks before it can be tried again.
    pub(crate) async fn open(mut exchange: Exchange) -> Result<Self, Broken> {
        let is_stream = exchange.header("content-type").is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"));
        if !is_stream {
            const LARGEST: usize = 64 * 1024;
            let failure = match exchange.collect(LARGEST).await {
                Err(failure) => failure,
                Ok(body) => match classify::parse::<serde::de::IgnoredAny>(&body) {
                    Err(failure) => failure,
                    Ok(_) if classify::tells_of_error(&body) => classify::in_band(&body),
                    Ok(_) => classify::malformed("the response is no event stream", &body),
                },
            };
            return Err(exchange.break_off(failure));
        }
        let mut source = Self { exchange, decoder: Decoder::default(), ready: VecDeque::new(), finished: false };
        match std::future::poll_fn(|cx| source.poll_item(cx)).await {
            Ok(Item::Chunk(chunk)) => {
                source.ready.push_back(chunk);
                Ok(source)
            }
            Ok(Item::End(_)) => {
                Err(source.exchange.break_off(Failure::new(ErrorKind::Malformed, "the stream ended without a chunk")))
            }
            Err(failure) => Err(source.exchange.break_off(failure)),
        }
    }

    /// The record of its attempt, should it end well just now.
    pub(crate) fn record(&self) -> Attempt {
        self.exchange.record_of_success()
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Result<Item, Failure>> {
        if let Some(chunk) = self.ready.pop_front() {
            return Poll::Ready(Ok(Item::Chunk(chunk)));
        }
        loop {
            let next = self.decoder.next().map_err(|error| Failure::new(ErrorKind::Malformed, error.to_string()))?;
            if let Some(event) = next {
                return Poll::Ready(self.item(event));
            }
            match ready!(self.exchange.poll_piece(cx)) {
                Some(piece) => self.decoder.push(&piece?),
                None => return Poll::Ready(self.end_of_body()),
            }
        }
    }

    fn item(&mut self, event: Event) -> Result<Item, Failure> {
        if event.data == "[DONE]" {
            return Ok(Item::End(StreamEnd::Done));
        }
        let delta = classify::chunk(event.kind.as_deref(), &event.data)?;
        let chunk = ChatChunk { delta, raw: event.data.into() };
        self.finished |= chunk.finish_reason().is_some();
        Ok(Item::Chunk(chunk))
    }

    fn end_of_body(&mut self) -> Result<Item, Failure> {
        match self.decoder.unterminated() {
            Some(event) if event.data == "[DONE]" => Ok(Item::End(StreamEnd::DoneUnterminated)),
            _ if self.finished => Ok(Item::End(StreamEnd::FinishReason)),
            _ => Err(Failure::new(ErrorKind::Truncated, "the stream ended without a finish reason or [DONE]")),
        }
    }

    /// Lets the connection come back to the pool: the body's end follows `[DONE]`, often in the next packet.
    fn finish(mut self, end: StreamEnd) -> Attempt {
        let record = self.record();
        if end == StreamEnd::Done && !self.exchange.is_complete() {
            tokio::spawn(timeout_at(now() + END_GRACE, async move { while let Some(Ok(_)) = self.exchange.piece().await {} }));
        }
        record
    }
}

impl ChatStream {
    pub(crate) fn new(
        shared: Arc<Shared>,
        request_id: RequestId,
        attempts: Vec<Attempt>,
        source: Source,
        spans: StreamSpans,
    ) -> Self {
        let state = State::Open(Box::new(source));
        Self { shared, request_id, attempts, state, usage: None, finish_reason: None, end: None, spans }
    }

    /// The next chunk; `None` when the answer is complete, or after an error.
    pub async fn next(&mut self) -> Option<Result<ChatChunk, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Every attempt. The last one is that of the stream itself: as it was at the first chunk, until the stream has ended.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// What the request was called.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// What was counted, when the chunk that tells it has passed.
    pub fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }

    /// Why the answer ended, when the chunk that tells it has passed.
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.finish_reason.as_ref()
    }

    /// What proved the end, once the stream has ended well.
    pub fn ended_by(&self) -> Option<StreamEnd> {
        self.end
    }

    fn conclude(&mut self, record: Attempt) {
        if let Some(last) = self.attempts.last_mut() {
            *last = record;
        }
        self.spans.end(&self.attempts, self.finish_reason.as_ref(), self.usage.as_ref());
    }
}

impl Stream for ChatStream {
    type Item = Result<ChatChunk, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let State::Open(source) = &mut self.state else { return Poll::Ready(None) };
        let item = ready!(source.poll_item(cx));
        if let Ok(Item::Chunk(chunk)) = item {
            self.spans.chunk(&chunk);
            self.usage = chunk.usage().copied().or(self.usage);
            self.finish_reason = chunk.finish_reason().cloned().or_else(|| self.finish_reason.take());
            return Poll::Ready(Some(Ok(chunk)));
        }
        let State::Open(source) = std::mem::replace(&mut self.state, State::Ended) else { return Poll::Ready(None) };
        match item {
            Ok(Item::End(end)) => {
                self.end = Some(end);
                self.conclude(source.finish(end));
                Poll::Ready(None)
            }
            Err(failure) => {
                let (record, failure) = *source.exchange.break_off(failure);
                self.conclude(record);
                Poll::Ready(Some(Err(Error::new(self.shared.redact(failure), self.attempts.clone(), Stop::ContentSeen))))
            }
            Ok(Item::Chunk(_)) => Poll::Ready(None),
        }
    }
}

impl std::fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatStream").field("request_id", &self.request_id).field("ended_by", &self.end).finish_non_exhaustive()
    }
}
