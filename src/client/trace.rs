//! What the client tells whoever listens through `tracing`: a span for each request and a child for each of its attempts.
//!
//! Names are those of OpenTelemetry's semantic conventions, for GenAI clients
//! (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>) and for HTTP clients and what they send again
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>); `otel.*` is what `tracing-opentelemetry` reads. No text of a
//! prompt, of an answer or of a server's error, and no key. Without a listener a span costs a look at a static variable.

use tracing::field::Empty;
use tracing::{Instrument, Span, debug, info_span};

use super::attempt::Attempt;
use super::config::BaseUrl;
use super::error::ErrorKind;
use super::response::{FinishReason, Usage};
use super::retry::{Tried, Turn};
use super::stream::ChatChunk;
use super::transport::Endpoint;

/// Whose API the client speaks. Which company runs a relay, it cannot know.
const PROVIDER: &str = "openai";

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
#[derive(Clone, Debug)]
pub(crate) struct RequestSpan(Span);

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
        Self(span)
    }

    /// Runs one of the request's attempts in a span of its own, which it gives back: that of a stream goes on.
    pub(crate) async fn attempt<T>(
        &self,
        server: &Server,
        endpoint: Endpoint<'_>,
        turn: Turn,
        attempt: impl Future<Output = Tried<T>>,
    ) -> Tried<(T, AttemptSpan)> {
        let span = AttemptSpan::begin(&self.0, server, endpoint, turn);
        let Tried { record, result } = attempt.instrument(span.0.clone()).await;
        if let Err(failure) = &result {
            span.end(&record);
            debug!(parent: &self.0, error.type = failure.kind.as_str(), attempt = turn.number, "an attempt failed");
        }
        Tried { record, result: result.map(|value| (value, span)) }
    }

    /// What the answer says of itself.
    pub(crate) fn answered(&self, model: Option<&str>, id: Option<&str>, finish: Option<&FinishReason>, usage: Option<&Usage>) {
        self.0.record("gen_ai.response.model", model);
        self.0.record("gen_ai.response.id", id);
        if let Some(reason) = finish {
            self.0.record("gen_ai.response.finish_reasons", format_args!("[\"{}\"]", reason.as_str()).to_string());
        }
        if let Some(usage) = usage {
            self.0.record("gen_ai.usage.input_tokens", usage.prompt_tokens);
            self.0.record("gen_ai.usage.output_tokens", usage.completion_tokens);
        }
    }

    /// How many attempts it took, and how it failed, if it did.
    pub(crate) fn end(&self, attempts: &[Attempt], failure: Option<ErrorKind>) {
        self.0.record("relaybench.attempts", attempts.len());
        fail(&self.0, failure);
    }

    fn is_heard(&self) -> bool {
        !self.0.is_disabled()
    }
}

/// The span of one attempt.
#[derive(Debug)]
pub(crate) struct AttemptSpan(Span);

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
        Self(span)
    }

    /// What became of the attempt.
    pub(crate) fn end(&self, record: &Attempt) {
        self.0.record("http.response.status_code", record.status);
        fail(&self.0, record.failure);
    }
}

/// The spans of a stream, which last as long as it does.
#[derive(Debug)]
pub(crate) struct StreamSpans {
    pub(crate) request: RequestSpan,
    pub(crate) attempt: AttemptSpan,
    is_named: bool,
}

impl StreamSpans {
    pub(crate) fn new(request: RequestSpan, attempt: AttemptSpan) -> Self {
        Self { request, attempt, is_named: false }
    }

    /// Each chunk says what model it is of: the first is enough.
    pub(crate) fn chunk(&mut self, chunk: &ChatChunk) {
        if !self.is_named && self.request.is_heard() {
            self.request.answered(chunk.model(), chunk.id(), None, None);
        }
        self.is_named = true;
    }

    /// The stream is over; the last of the attempts is its own.
    pub(crate) fn end(&self, attempts: &[Attempt], finish: Option<&FinishReason>, usage: Option<&Usage>) {
        let Some(own) = attempts.last() else { return };
        self.request.answered(None, None, finish, usage);
        self.attempt.end(own);
        self.request.end(attempts, own.failure);
    }
}

fn fail(span: &Span, failure: Option<ErrorKind>) {
    if let Some(kind) = failure {
        span.record("error.type", kind.as_str());
        span.record("otel.status_code", "ERROR");
    }
}
