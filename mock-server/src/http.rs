//! HTTP: one connection served, each request answered as the relay decided.

mod attempt;
mod body;
mod generation;
pub(crate) mod listen;
mod production;
mod response;
mod route;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::http::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use relaybench_clock::{HyperTimer, is_virtual};
use tokio::io::{AsyncRead, AsyncWrite};

use self::attempt::Attempt;
use self::body::AnswerBody;
use self::route::{Route, route};
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
    let of_profile = term.profile.dialect;
    let attempt = |term, dialect| Attempt::new(term, dialect, connection, arrived, &head.headers);
    match route(&head.method, head.uri.path()) {
        Ok(Route::Generation(generation)) => {
            let attempt = attempt(term, generation.endpoint.dialect(of_profile));
            generation::answer(attempt, generation, &head, body).await
        }
        Ok(Route::Models) => Ok(response::models(attempt(term, of_profile), &head, None)),
        Ok(Route::Model(id)) => Ok(response::models(attempt(term, of_profile), &head, Some(id))),
        Ok(Route::Health) => {
            let mut healthy = Response::new(AnswerBody::unrecorded(b"ok\n".to_vec()));
            healthy.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Ok(healthy)
        }
        Err(refusal) => Ok(response::unrouted(&term, refusal, &head)),
    }
}
