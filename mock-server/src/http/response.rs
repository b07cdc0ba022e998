//! Responses: status and headers around a body.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode};

use super::attempt::Attempt;
use super::body::AnswerBody;
use super::headers::Headers;
use crate::ledger::FaultOutcome;
use crate::relay::Refusal;
use crate::wire::dialect::Dialect;
use crate::wire::identity::Identity;
use crate::wire::reply::{Reply, Subject};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Room for so many headers: those of the next request as well, since hyper reads them into the same map.
const KEPT: usize = 8;
/// Those of a stream, and no more: the map lives as long as it does.
const LEAST: usize = 6;

/// A good answer, for which the relay took this long.
pub(super) fn success(body: AnswerBody, dialect: Dialect, identity: &Identity, took: Duration) -> Response<AnswerBody> {
    with_headers(body, dialect, headers(dialect, dialect.request_id(identity), took, JSON, KEPT))
}

/// A stream, for whose beginning the relay took this long.
pub(super) fn stream(body: AnswerBody, dialect: Dialect, identity: &Identity, took: Duration) -> Response<AnswerBody> {
    with_headers(body, dialect, headers(dialect, dialect.request_id(identity), took, EVENT_STREAM, LEAST))
}

/// Says how far limits are used up as well.
fn with_headers(mut body: AnswerBody, dialect: Dialect, mut headers: HeaderMap) -> Response<AnswerBody> {
    let standings = body.standings();
    if !standings.is_empty() {
        let gaps = body.attempt().map(Attempt::gaps).unwrap_or_default();
        dialect.write_limits(&standings, relaybench_clock::wall_now(), gaps, &mut headers);
    }
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// The list of models, or the model of this name, or why the caller may not see it.
pub(super) fn models(mut attempt: Box<Attempt>, head: &Parts, headers: &Headers<'_>, id: Option<&str>) -> Response<AnswerBody> {
    let draws = attempt.draws(&[]);
    let identity = Identity::new(draws);
    let profile = Arc::clone(&attempt.term().profile);
    // What is wrong with them is said to those who may call.
    let _ = attempt.overrides(headers, &[]);
    let authorized = attempt.authorize(headers);
    if let Some(id) = id {
        attempt.concerns(id);
    }
    let found = authorized.and_then(|()| match id {
        None => Ok(profile.dialect.models(&profile)),
        Some(id) => match profile.model(id) {
            Some(model) => Ok(profile.dialect.model(&model)),
            None => Err(Refusal::ModelUnknown { model: id.to_owned() }),
        },
    });
    // Whoever is refused for its key or its model takes nothing from the queue.
    let about = id.unwrap_or_default();
    let found = found.inspect_err(|_| attempt.misses(headers.key.unwrap_or_default(), about, draws));
    match found.and_then(|body| attempt.decide_alone(headers, about, draws).map(|()| body)) {
        Err(refusal) => refused(attempt, head, &identity, refusal),
        Ok(body) => {
            attempt.answered_at_once(200);
            let dialect = attempt.dialect();
            success(AnswerBody::whole(attempt, body), dialect, &identity, Duration::ZERO)
        }
    }
}

/// An error in answer to an attempt, at once.
pub(super) fn refused(mut attempt: Box<Attempt>, head: &Parts, identity: &Identity, refusal: Refusal) -> Response<AnswerBody> {
    if attempt.fault().and_then(Refusal::of_fault).as_ref() == Some(&refusal) {
        attempt.fault_ended(FaultOutcome::Played);
    }
    let refusal = attempt.in_its_limits(refusal);
    let (error, request_id) = error(&attempt, head, identity, refusal);
    attempt.answered_at_once(error.status);
    attempt_failed(attempt, error, request_id, Duration::ZERO)
}

/// An error in answer to an attempt, for which the relay took this long.
pub(super) fn failed(
    mut attempt: Box<Attempt>,
    head: &Parts,
    identity: &Identity,
    failure: Refusal,
    took: Duration,
) -> Response<AnswerBody> {
    let (error, request_id) = error(&attempt, head, identity, failure);
    attempt.failed(error.status);
    attempt_failed(attempt, error, request_id, took)
}

fn attempt_failed(attempt: Box<Attempt>, mut error: Reply, request_id: String, took: Duration) -> Response<AnswerBody> {
    let (body, dialect) = (std::mem::take(&mut error.body), attempt.dialect());
    with_error(dialect, error, AnswerBody::whole(attempt, body), request_id, took)
}

/// What whoever is refused reads, and what the request is called.
pub(super) fn error(attempt: &Attempt, head: &Parts, identity: &Identity, refusal: Refusal) -> (Reply, String) {
    let request_id = attempt.dialect().request_id(identity);
    let error = attempt.dialect().error(refusal, subject(head, attempt.model(), &request_id));
    (error.with_gaps(attempt.gaps()), request_id)
}

/// What a HEAD is answered: the head alone, with the length that its body would have (RFC 9110, section 9.3.2).
pub(super) fn without_body(mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response.map(AnswerBody::left_out)
}

/// An error in answer to what reached no route.
pub(super) fn unrouted(mut attempt: Box<Attempt>, refusal: Refusal, head: &Parts, headers: &Headers<'_>) -> Response<AnswerBody> {
    // A fault that it asked for was planned all the same.
    let _ = attempt.overrides(headers, &[]);
    let identity = Identity::new(attempt.draws(head.uri.path().as_bytes()));
    refused(attempt, head, &identity, refusal)
}

pub(super) fn subject<'a>(head: &'a Parts, model: &'a str, request_id: &'a str) -> Subject<'a> {
    Subject { method: head.method.as_str(), path: head.uri.path(), query: head.uri.query(), model, request_id }
}

/// `body` is the body of `error`.
fn with_error(dialect: Dialect, error: Reply, body: AnswerBody, request_id: String, took: Duration) -> Response<AnswerBody> {
    let content_type = HeaderValue::from_static(error.content_type);
    let mut response = match error.is_page() {
        true => {
            let mut page = Response::new(body);
            if let Some(attempt) = page.body_mut().attempt_mut() {
                attempt.settle();
            }
            page.headers_mut().insert(CONTENT_TYPE, content_type);
            page
        }
        false => with_headers(body, dialect, headers(dialect, request_id, took, content_type, KEPT)),
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.status_mut() = status;
    if status.canonical_reason().is_none() {
        // Where it knows none, hyper would write "<none>".
        response.extensions_mut().insert(ReasonPhrase::from_static(b""));
    }
    for (name, value) in error.headers {
        let value = HeaderValue::try_from(value).expect("an error's headers are printable");
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

fn headers(dialect: Dialect, request_id: String, took: Duration, content_type: HeaderValue, capacity: usize) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(capacity);
    headers.insert(CONTENT_TYPE, content_type);
    dialect.write_headers(request_id, took, &mut headers);
    headers
}
