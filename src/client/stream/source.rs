//! An exchange whose body is an event stream: bytes in, chunks and the end out.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use relaybench_clock::{Instant, now, timeout_at};

use super::chunk::ChatChunk;
use super::proof::{Evidence, Proof, StreamEnd};
use super::sniff;
use crate::client::attempt::Attempt;
use crate::client::classify;
use crate::client::config::ApiKey;
use crate::client::error::{ErrorKind, Failure};
use crate::client::exchange::{Broken, Exchange, LARGEST_BODY};
use crate::client::policy::OtherModel;
use crate::client::sse::{Decoder, Event};

/// How long a stream that has ended may take to close its body before its connection is given up. The close follows at once
/// from servers that send one at all.
const END_GRACE: Duration = Duration::from_secs(1);

/// How many chunks may come before the first content. They are kept for the caller, and are ten times as large in memory as on the
/// wire, so that a bound in bytes is not enough. Usual are one, and one a choice; a server that says a thousand times nothing keeps
/// the connection alive that way, and should use comments, which are not kept.
const LONGEST_PRELUDE: usize = 10_000;

/// An exchange whose body is an event stream.
pub(crate) struct Source {
    exchange: Exchange,
    decoder: Decoder,
    evidence: Evidence,
    /// What was read before the caller had the stream.
    held: VecDeque<Item>,
    received: usize,
    /// Nothing of the body is to come any more.
    is_over: bool,
    /// When the caller was given its last item, while it has not come back for the next.
    left: Option<Instant>,
}

pub(super) enum Item {
    Chunk(ChatChunk),
    End(StreamEnd),
}

impl Source {
    /// Reads up to the first content, so that what breaks before it can be tried again.
    pub(crate) async fn open(mut exchange: Exchange, proof: Proof, choices: usize) -> Result<Self, Broken> {
        let beginning = match begin(&mut exchange).await {
            Ok(beginning) => beginning,
            Err(failure) => return Err(exchange.break_off(failure)),
        };
        let (mut decoder, received) = (Decoder::default(), beginning.len());
        decoder.push(&beginning);
        let (evidence, held) = (Evidence::new(proof, choices), VecDeque::with_capacity(2));
        let mut source = Self { exchange, decoder, evidence, held, received, is_over: false, left: None };
        match source.hold().await {
            Ok(()) => {
                source.left = Some(now());
                Ok(source)
            }
            Err(failure) => Err(source.exchange.break_off(failure)),
        }
    }

    async fn hold(&mut self) -> Result<(), Failure> {
        while self.held.len() < LONGEST_PRELUDE {
            let item = std::future::poll_fn(|cx| self.poll_next(cx)).await?;
            let is_enough = match &item {
                Item::End(_) if self.held.is_empty() => {
                    return Err(Failure::new(ErrorKind::Malformed, "the stream ended without a chunk"));
                }
                Item::End(_) => true,
                Item::Chunk(chunk) => chunk.has_content() || self.evidence.is_finished(),
            };
            self.held.push_back(item);
            if is_enough {
                return Ok(());
            }
        }
        Err(Failure::new(ErrorKind::Malformed, format!("the stream brought {LONGEST_PRELUDE} chunks and no content")))
    }

    /// Notes or refuses the answer of another model than was asked, which the first chunks name.
    pub(super) fn of_model(mut self, asked: &str, rule: OtherModel, key: Option<&ApiKey>) -> Result<Self, Broken> {
        let named = self.held.iter().find_map(|item| match item {
            Item::Chunk(chunk) => chunk.model(),
            Item::End(_) => None,
        });
        match classify::other_model(asked, named, rule, key) {
            Ok(other) => {
                self.exchange.note_model(other);
                Ok(self)
            }
            Err(failure) => Err(self.exchange.break_off(failure)),
        }
    }

    /// The record of its attempt, should it end well just now.
    pub(crate) fn record(&self) -> Attempt {
        self.exchange.record_of_success()
    }

    pub(super) fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Result<Item, Failure>> {
        if let Some(left) = self.left.take() {
            self.exchange.stood_still(now() - left);
        }
        // The clocks are looked at while nothing comes; what lies ready must not outlive the total all the same, unless it is all there.
        if self.evidence.of_end().is_none()
            && let Err(expired) = self.exchange.check_total(now())
        {
            return Poll::Ready(Err(expired));
        }
        let item = match self.held.pop_front() {
            Some(item) => Ok(item),
            None => ready!(self.poll_next(cx)),
        };
        self.left = Some(now());
        Poll::Ready(item)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Item, Failure>> {
        loop {
            let next = self.decoder.next().map_err(|error| Failure::new(ErrorKind::Malformed, error.to_string()))?;
            if let Some(event) = next {
                return Poll::Ready(self.item(event));
            }
            match ready!(self.exchange.poll_piece(cx)) {
                Some(Ok(piece)) => {
                    self.received += piece.len();
                    if self.received > LARGEST_BODY {
                        let message = format!("the stream is larger than {LARGEST_BODY} bytes");
                        return Poll::Ready(Err(Failure::new(ErrorKind::Malformed, message)));
                    }
                    self.decoder.push(&piece);
                }
                // What breaks after the proof costs nothing of the answer.
                Some(Err(failure)) => {
                    self.is_over = true;
                    return Poll::Ready(self.evidence.of_end().map(Item::End).ok_or(failure));
                }
                None => {
                    self.is_over = true;
                    return Poll::Ready(self.end_of_body());
                }
            }
        }
    }

    fn item(&mut self, event: Event) -> Result<Item, Failure> {
        if event.data == "[DONE]" {
            let end = self.evidence.of_done(StreamEnd::Done);
            return end.map(Item::End).ok_or_else(|| truncated("the stream ended with [DONE], which proves nothing here"));
        }
        let body = classify::chunk(event.kind.as_deref(), &event.data)?;
        self.evidence.add(&body);
        let chunk = ChatChunk::new(body, event.data.into());
        if chunk.has_content() {
            self.exchange.content();
        }
        if self.evidence.is_finished() {
            self.exchange.finished();
        }
        Ok(Item::Chunk(chunk))
    }

    fn end_of_body(&mut self) -> Result<Item, Failure> {
        let is_done = self.decoder.unterminated().is_some_and(|event| event.data == "[DONE]");
        let end = if is_done { self.evidence.of_done(StreamEnd::DoneUnterminated) } else { self.evidence.of_end() };
        end.map(Item::End).ok_or_else(|| truncated("the stream ended without proof that it was complete"))
    }

    /// Lets the connection come back to the pool: the body's end follows `[DONE]`, often in the next packet.
    pub(super) fn finish(mut self) -> Attempt {
        let record = self.record();
        if !self.is_over && !self.exchange.is_complete() {
            tokio::spawn(timeout_at(now() + END_GRACE, async move { while let Some(Ok(_)) = self.exchange.piece().await {} }));
        }
        record
    }

    pub(super) fn break_off(self, failure: Failure) -> Broken {
        self.exchange.break_off(failure)
    }
}

fn truncated(message: &'static str) -> Failure {
    Failure::new(ErrorKind::Truncated, message)
}

/// What had to be read of a body to know that it is an event stream, or why it is none.
async fn begin(exchange: &mut Exchange) -> Result<Vec<u8>, Failure> {
    let mut read = Vec::new();
    let is_stream = sniff::is_type_of_event_stream(exchange.header("content-type"))
        || loop {
            if let Some(is_stream) = sniff::is_event_stream(&read) {
                break is_stream;
            }
            match exchange.piece().await.transpose()? {
                Some(piece) if read.len() < LARGEST_OTHER => read.extend_from_slice(&piece),
                _ => break false,
            }
        };
    if is_stream { Ok(read) } else { Err(no_stream(exchange, read).await) }
}

/// How much is read of a response that is no event stream, to tell what it is.
const LARGEST_OTHER: usize = 64 * 1024;

/// Why a response that does not begin like an event stream, of which this has been `read`, is no answer.
async fn no_stream(exchange: &mut Exchange, mut read: Vec<u8>) -> Failure {
    match exchange.collect(LARGEST_OTHER).await {
        Err(failure) => return failure,
        Ok(rest) => read.extend_from_slice(&rest),
    }
    match classify::parse::<serde::de::IgnoredAny>(&read) {
        Err(failure) => failure,
        Ok(_) if classify::tells_of_error(&read) => classify::in_band(&read),
        Ok(_) => classify::malformed("the response is no event stream", &read),
    }
}
