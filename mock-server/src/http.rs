//! HTTP: connections served, each request answered as the relay decided.

mod admin;
mod attempt;
mod body;
mod chat;
pub(crate) mod connection;
mod fault;
pub(crate) mod listen;
mod overrides;
mod production;
mod response;

use std::fmt;
use std::sync::Arc;

use hyper::header::CONTENT_TYPE;
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};

use self::attempt::Attempt;
use self::body::AnswerBody;
pub(crate) use self::connection::Protocol;
use self::connection::{Caller, RequestBody};
use self::fault::Played;
use crate::relay::Refusal;
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
    Ok(fault::befall(response, &head, caller.can_reset))
}

async fn respond(server: Arc<Shared>, caller: &Caller, head: &Parts, body: RequestBody) -> Result<Response<AnswerBody>, Cut> {
    let connection = caller.connection;
    if admin::is_about(head.uri.path()) {
        // In a box of its own, since it is rare.
        return Ok(Box::pin(admin::answer(server.handle(), caller, head, body)).await);
    }
    let term = server.term();
    let arrived = term.elapsed();
    match route(&head.method, head.uri.path()) {
        Ok(Route::Chat) => chat::answer(Attempt::new(term, connection, arrived, &head.headers), head, body).await,
        Ok(Route::Models) => Ok(response::models(Attempt::new(term, connection, arrived, &head.headers), head)),
        Ok(Route::Health) => {
            let mut healthy = Response::new(AnswerBody::unrecorded(b"ok\n".to_vec()));
            healthy.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Ok(healthy)
        }
        Err(refusal) => Ok(response::unrouted(&term, refusal, head)),
    }
}

enum Route {
    Chat,
    Models,
    Health,
}

fn route(method: &Method, path: &str) -> Result<Route, Refusal> {
    let (allowed, route) = match path {
        "/v1/chat/completions" => (Method::POST, Route::Chat),
        "/v1/models" => (Method::GET, Route::Models),
        "/healthz" => (Method::GET, Route::Health),
        _ => return Err(Refusal::RouteUnknown),
    };
    match *method == allowed {
        true => Ok(route),
        false => Err(Refusal::MethodWrong { allowed: if allowed == Method::POST { "POST" } else { "GET" } }),
    }
}
