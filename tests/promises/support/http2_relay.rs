//! A relay that speaks HTTP/2 (hyper's server) and gives one answer to all, over connections in memory or with TLS.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// At once on a connection.
    most_streams: Option<u32>,
    /// Requests beyond these are never answered.
    answers: usize,
    connections: Arc<Mutex<Vec<Seen>>>,
    bodies: Arc<AtomicUsize>,
}

/// What the relay saw of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    pub(crate) is_http2: bool,
}

impl Http2Relay {
    pub(crate) fn new(latency: Duration) -> Self {
        Self { latency, most_streams: None, answers: usize::MAX, connections: Arc::default(), bodies: Arc::default() }
    }

    /// One that takes so many requests at once on a connection.
    pub(crate) fn with_streams(most: u32, latency: Duration) -> Self {
        Self { most_streams: Some(most), ..Self::new(latency) }
    }

    /// One that answers so many requests, and no more.
    pub(crate) fn with_answers(answers: usize) -> Self {
        Self { answers, ..Self::new(Duration::ZERO) }
    }

    /// A client that talks to it in memory, and knows that it speaks HTTP/2.
    pub(crate) fn client(&self) -> ClientBuilder {
        self.client_with_connect_delay(Duration::from_millis(50))
    }

    pub(crate) fn client_with_connect_delay(&self, delay: Duration) -> ClientBuilder {
        let relay = self.clone();
        let dial = move || -> io::Result<DuplexStream> {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(relay.clone().serve(far, true));
            Ok(near)
        };
        in_memory_with_delay(dial, delay)
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

    /// How many requests came whole.
    pub(crate) fn bodies(&self) -> usize {
        self.bodies.load(Ordering::Relaxed)
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.connections.lock().expect("no test panics with the lock held")
    }

    async fn serve(self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, is_http2: bool) {
        let (most_streams, connection) = {
            let mut seen = self.seen();
            seen.push(Seen { requests: 0, is_http2 });
            (self.most_streams, seen.len() - 1)
        };
        let service = service_fn(move |request: Request<Incoming>| {
            let relay = self.clone();
            async move {
                let count = {
                    let mut seen = relay.seen();
                    seen[connection].requests += 1;
                    seen.iter().map(|seen| seen.requests).sum::<usize>()
                };
                if request.into_body().collect().await.is_ok() {
                    relay.bodies.fetch_add(1, Ordering::Relaxed);
                }
                if count > relay.answers {
                    std::future::pending::<()>().await;
                }
                sleep(relay.latency).await;
                let response = Response::builder().header("content-type", "application/json");
                Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(COMPLETION.as_bytes()))).expect("it is valid"))
            }
        });
        let io = TokioIo::new(io);
        let _ = match is_http2 {
            true => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.timer(HyperTimer).max_concurrent_streams(most_streams);
                builder.serve_connection(io, service).await
            }
            false => http1::Builder::new().timer(HyperTimer).serve_connection(io, service).await,
        };
    }
}

/// A client of HTTP/2 over these connections.
pub(crate) fn in_memory(dial: impl Fn() -> io::Result<DuplexStream> + Send + Sync + 'static) -> ClientBuilder {
    in_memory_with_delay(dial, Duration::from_millis(50))
}

fn in_memory_with_delay(dial: impl Fn() -> io::Result<DuplexStream> + Send + Sync + 'static, delay: Duration) -> ClientBuilder {
    Client::builder()
        .base_url("http://relay/v1")
        .models(Catalog::new(["gpt-4.1"]))
        .seed(1)
        .connector(connector::memory(dial, delay))
        .protocol(Protocol::Http2)
}
