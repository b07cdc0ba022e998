//! What the client tells whoever listens through `tracing`: a span for each request and a child for each of its attempts.
//!
//! Names are those of OpenTelemetry's semantic conventions, for GenAI clients
//! (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>) and for HTTP clients and what they send again
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>); `otel.*` is what `tracing-opentelemetry` reads. No text of a
//! prompt, of an answer or of a server's error, and no key: names that the server gives are told only where they look like names,
//! at most 128 bytes of letters, digits and `-_.:/@+`. What its caller gives up ends as `cancelled`. Without a listener a span costs a look at a static variable.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::json;
use tracing::field::Empty;
use tracing::{Instrument, Span, debug, info_span};

use super::attempt::Attempt;
use super::config::{ApiKey, BaseUrl};
use super::error::ErrorKind;
use super::response::{FinishReason, Usage};
use super::retry::{Tried, Turn};
use super::stream::ChatChunk;
use super::transport::Endpoint;

/// Whose API the client speaks. Which company runs a relay, it cannot know.
const PROVIDER: &str = "openai";

/// How a span ends that its caller gave up.
const CANCELLED: &str = "cancelled";

/// Stands for a finish reason that is no name, so that the others keep their places.
const UNSPEAKABLE: &str = "_OTHER";

/// The endpoint, as spans name it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    base: Box<str>,
    host: Box<str>,
    port: u16,
}

impl Server {
    pub(crate) fn new(base: &BaseUrl) -> Self {
        Self { base: base.to_string().into(), host: base.host.as_str().into(), port: base.port() }
    }
}

/// The span of one request, or none when nobody listens.
#[derive(Debug)]
pub(crate) struct RequestSpan(Open);

impl RequestSpan {
    /// `model` is empty where none is asked.
    pub(crate) fn begin(server: &Server, endpoint: Endpoint<'_>, model: &str) -> Self {
        let operation = match endpoint {
            Endpoint::Chat => "chat",
            Endpoint::Embeddings => "embeddings",
            Endpoint::Models | Endpoint::Model(_) => "list_models",
        };
        let span = info_span!(
            "request",
            otel.name = format!("{operation} {model}").trim_end(),
            otel.kind = "client",
            otel.status_code = Empty,
            gen_ai.operation.name = operation,
            gen_ai.provider.name = PROVIDER,
            gen_ai.request.model = (!model.is_empty()).then_some(model),
            gen_ai.response.model = Empty,
            gen_ai.response.id = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            server.address = &*server.host,
            server.port = server.port,
            error.type = Empty,
            relaybench.attempts = Empty,
        );
        Self(Open::new(span))
    }

    /// Runs one of the request's attempts in a span of its own, which it gives back: that of a stream goes on.
    pub(crate) async fn attempt<T>(
        &self,
        server: &Server,
        endpoint: Endpoint<'_>,
        turn: Turn,
        attempt: impl Future<Output = Tried<T>>,
    ) -> Tried<(T, AttemptSpan)> {
        let span = AttemptSpan::begin(&self.0.span, server, endpoint, turn);
        let Tried { record, result } = attempt.instrument(span.0.span.clone()).await;
        if let Err(failure) = &result {
            span.end(&record);
            debug!(parent: &self.0.span, error.type = failure.kind.as_str(), attempt = turn.number, "an attempt failed");
        }
        Tried { record, result: result.map(|value| (value, span)) }
    }

    /// What the answer is called, and by whom it is.
    pub(crate) fn named(&self, model: Option<&str>, id: Option<&str>, key: Option<&ApiKey>) {
        self.0.span.record("gen_ai.response.model", model.and_then(|model| name(model, key)));
        self.0.span.record("gen_ai.response.id", id.and_then(|id| name(id, key)));
    }

    /// Why the answer ended, choice by choice. The conventions want an array, which `tracing` has not: it is written as JSON.
    pub(crate) fn finished<'a>(&self, reasons: impl Iterator<Item = &'a FinishReason>, key: Option<&ApiKey>) {
        if self.is_heard() {
            let reasons: Vec<_> = reasons.map(|reason| name(reason.as_str(), key).unwrap_or(UNSPEAKABLE)).collect();
            self.0.span.record("gen_ai.response.finish_reasons", (!reasons.is_empty()).then(|| json!(reasons).to_string()));
        }
    }

    pub(crate) fn counted(&self, usage: Option<&Usage>) {
        self.0.span.record("gen_ai.usage.input_tokens", usage.map(|usage| usage.prompt_tokens));
        self.0.span.record("gen_ai.usage.output_tokens", usage.map(|usage| usage.completion_tokens));
    }

    /// How many attempts it took, and how it failed, if it did.
    pub(crate) fn end(&self, attempts: &[Attempt], failure: Option<ErrorKind>) {
        self.0.span.record("relaybench.attempts", attempts.len());
        self.0.end(failure);
    }

    fn is_heard(&self) -> bool {
        !self.0.span.is_disabled()
    }
}

/// The span of one attempt.
#[derive(Debug)]
pub(crate) struct AttemptSpan(Open);

impl AttemptSpan {
    fn begin(request: &Span, server: &Server, endpoint: Endpoint<'_>, turn: Turn) -> Self {
        let method = endpoint.method();
        let span = info_span!(
            parent: request,
            "attempt",
            otel.name = method.as_str(),
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = method.as_str(),
            http.request.resend_count = (turn.number > 1).then(|| turn.number - 1),
            http.response.status_code = Empty,
            url.full = format!("{}{}", server.base, endpoint.path()),
            server.address = &*server.host,
            server.port = server.port,
            error.type = Empty,
            relaybench.waited_s = turn.waited.as_secs_f64(),
            relaybench.hint_obeyed = turn.hint_obeyed,
        );
        Self(Open::new(span))
    }

    /// What became of the attempt.
    pub(crate) fn end(&self, record: &Attempt) {
        self.0.span.record("http.response.status_code", record.status);
        self.0.end(record.failure);
    }
}

/// What is told of a stream while it lasts: its attempt's span goes on until its end.
#[derive(Debug)]
pub(crate) struct StreamSpans {
    pub(crate) attempt: AttemptSpan,
    is_named: bool,
    /// Of each choice that has ended.
    reasons: BTreeMap<u32, FinishReason>,
}

impl StreamSpans {
    pub(crate) fn new(attempt: AttemptSpan) -> Self {
        Self { attempt, is_named: false, reasons: BTreeMap::new() }
    }

    /// Each chunk says what model it is of: the first is enough.
    pub(crate) fn chunk(&mut self, request: &RequestSpan, chunk: &ChatChunk, key: Option<&ApiKey>) {
        if !request.is_heard() {
            return;
        }
        if !self.is_named {
            request.named(chunk.model(), chunk.id(), key);
            self.is_named = true;
        }
        let ended = chunk.choices().iter().filter_map(|choice| Some((choice.index, choice.finish_reason.clone()?)));
        self.reasons.extend(ended);
    }

    /// The stream is over; the last of the attempts is its own.
    pub(crate) fn end(&self, request: &RequestSpan, attempts: &[Attempt], usage: Option<&Usage>, key: Option<&ApiKey>) {
        let Some(own) = attempts.last() else { return };
        request.finished(self.reasons.values(), key);
        request.counted(usage);
        self.attempt.end(own);
        request.end(attempts, own.failure);
    }
}

/// A span that says so when it is dropped before its end, as by a caller that goes away.
#[derive(Debug)]
struct Open {
    span: Span,
    is_ended: AtomicBool,
}

impl Open {
    fn new(span: Span) -> Self {
        Self { span, is_ended: AtomicBool::new(false) }
    }

    fn end(&self, failure: Option<ErrorKind>) {
        self.is_ended.store(true, Relaxed);
        if let Some(kind) = failure {
            self.fail(kind.as_str());
        }
    }

    fn fail(&self, kind: &str) {
        self.span.record("error.type", kind);
        self.span.record("otel.status_code", "ERROR");
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_ended.load(Relaxed) {
            self.fail(CANCELLED);
        }
    }
}

/// A name that the server gives, as it may be told: no text, nothing long, and not the key.
fn name<'a>(text: &'a str, key: Option<&ApiKey>) -> Option<&'a str> {
    const LONGEST: usize = 128;
    let may_be_named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+".contains(&byte);
    let is_name = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(may_be_named);
    (is_name && !key.is_some_and(|key| key.is_in(text))).then_some(text)
}
