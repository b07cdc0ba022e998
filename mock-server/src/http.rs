//! HTTP: connections served, each request answered as the relay decided.

mod admin;
mod attempt;
mod body;
pub(crate) mod connection;
mod fault;
mod generation;
mod headers;
mod limited;
pub(crate) mod listen;
mod overrides;
mod patience;
mod production;
mod response;
mod route;

use std::fmt;

use hyper::header::CONTENT_TYPE;
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Method, Response};

use self::attempt::{Attempt, LONGEST_HANG, Part};
use self::body::AnswerBody;
pub(crate) use self::connection::Protocol;
use self::connection::{Caller, RequestBody};
use self::fault::Played;
use self::headers::Headers;
use self::route::{Route, route};
use crate::profile::FaultKind;
use crate::wire::dialect::Dialect;

/// Ends the connection without an answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

/// Little is kept while an answer is waited for: up to a kilobyte is what allocators have at hand, and this is made for each request.
async fn answer(caller: &Caller, head: &Parts, body: RequestBody) -> Result<Played, Cut> {
    if admin::is_about(head.uri.path()) {
        // In a box of its own, since it is rare; so are the other boxes here.
        let response = Box::pin(admin::answer(caller.server.handle(), caller, head, body)).await?;
        return Ok(played(response, head, caller));
    }
    let headers = Headers::read(&head.headers);
    let response = match route(&head.method, head.uri.path()) {
        Ok(Route::Generation(generation)) => {
            let attempt = attempt(caller, &headers, |of_profile| generation.endpoint.dialect(of_profile));
            generation::answer(attempt, generation, head, &headers, body).await?
        }
        Ok(route @ (Route::Models | Route::Model(_))) => {
            // Nobody reads it, so that nobody waits for it either.
            drop(body);
            let id = if let Route::Model(id) = &route { Some(&**id) } else { None };
            let attempt = attempt(caller, &headers, |of_profile| of_profile);
            Box::pin(held_back(response::models(attempt, head, &headers, id))).await?
        }
        Ok(Route::Health) => healthy(),
        Err(refusal) => response::unrouted(attempt(caller, &headers, |of_profile| of_profile), refusal, head, &headers),
    };
    Ok(played(response, head, caller))
}

/// An answer, after whatever befalls it.
fn played(response: Response<AnswerBody>, head: &Parts, caller: &Caller) -> Played {
    match head.method == Method::HEAD {
        true => look(response, head, caller),
        false => fault::befall(response, head, caller.can_reset),
    }
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

/// What arrives now. `dialect` is the attempt's, given the profile's.
fn attempt(caller: &Caller, headers: &Headers<'_>, dialect: impl FnOnce(Dialect) -> Dialect) -> Box<Attempt> {
    let term = caller.server.term();
    let (arrived, dialect) = (term.elapsed(), dialect(term.profile.dialect));
    Attempt::new(term, dialect, caller.connection, arrived, headers)
}

fn healthy() -> Response<AnswerBody> {
    let mut healthy = Response::new(AnswerBody::unrecorded(b"ok\n".to_vec()));
    healthy.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    healthy
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
