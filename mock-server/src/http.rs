//! HTTP: one connection served, each request answered as the relay decided.

mod attempt;
mod body;
mod chat;
mod limited;
pub(crate) mod listen;
mod production;
mod response;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::http::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use relaybench_clock::{HyperTimer, is_virtual};
use tokio::io::{AsyncRead, AsyncWrite};

use self::attempt::Attempt;
use self::body::AnswerBody;
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

pub(crate) fn serve_connection<IO>(server: Arc<Shared>, io: IO) -> impl Future<Output = ()> + Send + use<IO> + 'static
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let open = server.common.ledger.connection_opened();
    async move {
        let connection = open.number();
        // In a box of its own, since hyper keeps room for it as long as the connection lives, and it is larger than all the rest.
        let service = service_fn(move |request| Box::pin(answer(Arc::clone(&server), connection, request)));
        let served = http1::Builder::new()
            .timer(HyperTimer)
            // It would set a timer for each request, and close connections that clients mean to reuse.
            .header_read_timeout(None)
            // The day is not the same in two runs.
            .auto_date_header(!is_virtual())
            .serve_connection(TokioIo::new(io), service)
            .await;
        // What goes wrong here is the caller's doing, or the plan's; the ledger has what it did to each attempt.
        drop((served, open));
    }
}

async fn answer(server: Arc<Shared>, connection: u32, request: Request<Incoming>) -> Result<Response<AnswerBody>, Cut> {
    let term = server.term();
    let arrived = term.elapsed();
    let (head, body) = request.into_parts();
    match route(&head.method, head.uri.path()) {
        Ok(Route::Chat) => chat::answer(Attempt::new(term, connection, arrived, &head.headers), &head, body).await,
        Ok(Route::Models) => Ok(response::models(Attempt::new(term, connection, arrived, &head.headers), &head)),
        Ok(Route::Health) => {
            let mut healthy = Response::new(AnswerBody::unrecorded(b"ok\n".to_vec()));
            healthy.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Ok(healthy)
        }
        Err(refusal) => Ok(response::unrouted(&term, refusal, &head)),
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
