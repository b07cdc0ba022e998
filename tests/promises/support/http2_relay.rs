//! A relay that speaks HTTP/2 (hyper's server) and gives one answer to all, over connections in memory or with TLS.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use relaybench::Client;
use relaybench::client::{Catalog, ClientBuilder, Protocol, connector};
use relaybench_clock::{HyperTimer, sleep};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio_rustls::TlsAcceptor;

use super::raw_relay::COMPLETION;
use super::sockets;

/// The relay. Clones share what it saw.
#[derive(Clone)]
pub(crate) struct Http2Relay {
    latency: Duration,
    connections: Arc<Mutex<Vec<Seen>>>,
}

/// What the relay saw of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    pub(crate) is_http2: bool,
}

impl Http2Relay {
    pub(crate) fn new(latency: Duration) -> Self {
        Self { latency, connections: Arc::default() }
    }

    /// A client that talks to it in memory, and knows that it speaks HTTP/2.
    pub(crate) fn client(&self) -> ClientBuilder {
        let relay = self.clone();
        let dial = move || -> io::Result<DuplexStream> {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(relay.clone().serve(far, true));
            Ok(near)
        };
        in_memory(dial)
    }

    /// Serves with TLS on a port of its own, until the runtime ends.
    pub(crate) async fn listen(&self, acceptor: TlsAcceptor) -> SocketAddr {
        let relay = self.clone();
        sockets::accept(move |stream, _| {
            stream.set_nodelay(true)?;
            let (relay, acceptor) = (relay.clone(), acceptor.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    relay.serve(stream, is_http2).await;
                }
            });
            Ok(())
        })
        .await
    }

    pub(crate) fn connections(&self) -> Vec<Seen> {
        self.seen().clone()
    }

    /// How many requests each connection carried, in the order in which they were opened.
    pub(crate) fn requests(&self) -> Vec<usize> {
        self.seen().iter().map(|seen| seen.requests).collect()
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.connections.lock().expect("no test panics with the lock held")
    }

    async fn serve(self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, is_http2: bool) {
        let connection = {
            let mut seen = self.seen();
            seen.push(Seen { requests: 0, is_http2 });
            seen.len() - 1
        };
        let service = service_fn(move |request: Request<Incoming>| {
            let relay = self.clone();
            async move {
                relay.seen()[connection].requests += 1;
                let _ = request.into_body().collect().await;
                sleep(relay.latency).await;
                let response = Response::builder().header("content-type", "application/json");
                Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(COMPLETION.as_bytes()))).expect("it is valid"))
            }
        });
        let io = TokioIo::new(io);
        let _ = match is_http2 {
            true => http2::Builder::new(TokioExecutor::new()).timer(HyperTimer).serve_connection(io, service).await,
            false => http1::Builder::new().timer(HyperTimer).serve_connection(io, service).await,
        };
    }
}

/// A client of HTTP/2 over these connections.
pub(crate) fn in_memory(dial: impl Fn() -> io::Result<DuplexStream> + Send + Sync + 'static) -> ClientBuilder {
    Client::builder()
        .base_url("http://relay/v1")
        .models(Catalog::new(["gpt-4.1"]))
        .seed(1)
        .connector(connector::memory(dial, Duration::from_millis(50)))
        .protocol(Protocol::Http2)
}
