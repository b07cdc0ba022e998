//! HTTP: connections served, each request answered as the relay decided.

mod admin;
mod attempt;
mod body;
pub(crate) mod connection;
mod fault;
mod generation;
mod limited;
pub(crate) mod listen;
mod overrides;
mod patience;
mod production;
mod response;
mod route;

use std::fmt;
use std::sync::Arc;

use hyper::header::CONTENT_TYPE;
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};

use self::attempt::{Attempt, LONGEST_HANG, Part};
use self::body::AnswerBody;
pub(crate) use self::connection::Protocol;
use self::connection::{Caller, RequestBody};
use self::fault::Played;
use self::route::{Route, route};
use crate::profile::FaultKind;
use crate::server::Shared;

/// Ends the connection without an answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

async fn answer(server: Arc<Shared>, caller: &Caller, request: Request<RequestBody>) -> Result<Played, Cut> {
    let (head, body) = request.into_parts();
    let response = respond(server, caller, &head, body).await?;
    if head.method == Method::HEAD {
        return Ok(look(response, &head, caller));
    }
    Ok(fault::befall(response, &head, caller.can_reset))
}

/// The answer to a HEAD.
fn look(response: Response<AnswerBody>, head: &Parts, caller: &Caller) -> Played {
    let mut played = fault::befall(response::without_body(response), head, caller.can_reset);
    if let Played::OverHyper(response) = &mut played
        && let Some(attempt) = response.body_mut().attempt_mut()
    {
        // Nobody asks for a body that is not sent.
        attempt.written(Part::Last);
    }
    played
}

async fn respond(server: Arc<Shared>, caller: &Caller, head: &Parts, body: RequestBody) -> Result<Response<AnswerBody>, Cut> {
    let connection = caller.connection;
    if admin::is_about(head.uri.path()) {
        // In a box of its own, since it is rare.
        return Box::pin(admin::answer(server.handle(), caller, head, body)).await;
    }
    let term = server.term();
    let arrived = term.elapsed();
    let of_profile = term.profile.dialect;
    let attempt = |term, dialect| Attempt::new(term, dialect, connection, arrived, &head.headers);
    match route(&head.method, head.uri.path()) {
        Ok(Route::Generation(generation)) => {
            let attempt = attempt(term, generation.endpoint.dialect(of_profile));
            generation::answer(attempt, generation, head, body).await
        }
        Ok(Route::Models) => held_back(response::models(attempt(term, of_profile), head, None)).await,
        Ok(Route::Model(id)) => held_back(response::models(attempt(term, of_profile), head, Some(&id))).await,
        Ok(Route::Health) => {
            let mut healthy = Response::new(AnswerBody::unrecorded(b"ok\n".to_vec()));
            healthy.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Ok(healthy)
        }
        Err(refusal) => Ok(response::unrouted(attempt(term, of_profile), refusal, head)),
    }
}

/// What is answered at once, when its caller wants it, if ever.
async fn held_back(mut response: Response<AnswerBody>) -> Result<Response<AnswerBody>, Cut> {
    if let Some(attempt) = response.body_mut().attempt_mut() {
        attempt.may_answer().await;
        if attempt.fault() == Some(FaultKind::Hang) {
            attempt.hangs();
            relaybench_clock::sleep(LONGEST_HANG).await;
            return Err(Cut);
        }
    }
    Ok(response)
}
