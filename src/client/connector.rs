//! How the `hyper` transport opens its connections: over TCP, with TLS when the base URL says so, or in memory.

mod live;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use relaybench_clock::{now, sleep};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio_rustls::TlsConnector;
use tower_service::Service;

pub(crate) use self::live::{Identity, Live};

use super::config::BaseUrl;
use super::error::{Error, ErrorKind};
use super::policy::Policy;
use super::pool::Cap;
use super::transport::{Known, Resolver, Scope};

/// What a connection is made of.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(crate) type BoxedIo = Box<dyn Io>;

type Dial = dyn Fn() -> io::Result<BoxedIo> + Send + Sync;

/// How connections are opened. TCP unless told otherwise.
#[derive(Clone, Default)]
pub struct Connector(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Tcp,
    Memory {
        dial: Arc<Dial>,
        delay: Duration,
    },
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Kind::Tcp => "Connector::Tcp",
            Kind::Memory { .. } => "Connector::Memory",
        })
    }
}

/// Connections over TCP, and TLS on top when the base URL is `https`. Proxies are not used.
pub fn tcp() -> Connector {
    Connector(Kind::Tcp)
}

/// Connections in memory: `dial` makes a pair such as [`tokio::io::duplex`], has one end served and gives the other. Opening one
/// takes `connect_delay`. The base URL's host is then only a name, and its scheme must be `http`.
///
/// ```
/// use std::time::Duration;
/// use relaybench::client::{Client, connector};
/// # fn serve(_: tokio::io::DuplexStream) {}
/// # fn main() -> Result<(), relaybench::Error> {
/// let client = Client::builder()
///     .base_url("http://relay/v1")
///     .connector(connector::memory(
///         || {
///             let (near, far) = tokio::io::duplex(64 * 1024);
///             serve(far);
///             Ok(near)
///         },
///         Duration::from_millis(50),
///     ))
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub fn memory<D, S>(dial: D, connect_delay: Duration) -> Connector
where
    D: Fn() -> io::Result<S> + Send + Sync + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    Connector(Kind::Memory { dial: Arc::new(move || Ok(Box::new(dial()?))), delay: connect_delay })
}

/// The connector of one client, running. Clones share its cap and its counter.
#[derive(Clone)]
pub(crate) struct Dialer(Arc<Running>);

struct Running {
    kind: Kind,
    tcp: HttpConnector<Resolver>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    cap: Cap,
    opened: AtomicU64,
}

impl Dialer {
    pub(crate) fn new(
        connector: Connector,
        base: &BaseUrl,
        policy: &Policy,
        tls: Option<rustls::ClientConfig>,
    ) -> Result<Self, Error> {
        if base.is_tls && matches!(connector.0, Kind::Memory { .. }) {
            return Err(Error::config(format!(
                "base URL \"{base}\" wants TLS, which connections in memory do not speak; use http"
            )));
        }
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(policy.pool.dns_ttl));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = tls
            .map(|config| {
                let name = ServerName::try_from(base.host.clone());
                name.map(|name| (TlsConnector::from(Arc::new(config)), name))
            })
            .transpose()
            .map_err(|source| Error::config(format!("base URL \"{base}\" names no host that TLS accepts")).with_source(source))?;
        Ok(Self(Arc::new(Running { kind: connector.0, tcp, tls, cap: Cap::new(policy.pool.cap()), opened: AtomicU64::new(0) })))
    }
}

impl Service<Uri> for Dialer {
    type Response = Live;
    type Error = Known;
    type Future = Pin<Box<dyn Future<Output = Result<Live, Known>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Known>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let running = Arc::clone(&self.0);
        let scope = Scope::current();
        Box::pin(async move { running.connect(uri, scope.unwrap_or_default()).await })
    }
}

impl Running {
    async fn connect(&self, uri: Uri, scope: Scope) -> Result<Live, Known> {
        let began = now();
        let permit = scope.unless_orphaned(async {
            // A connection that is just being handed back reaches the pool when its own task has run: let it come first. Twice,
            // since tokio wakes those that yielded in reverse, and who came first shall connect first.
            yield_now().await;
            yield_now().await;
            match self.cap.try_acquire() {
                Some(permit) => permit,
                None => self.cap.acquire().await,
            }
        });
        // A request that was given another connection wants none any more, and must not open one later.
        let permit = permit.await.ok_or_else(|| Known::new(ErrorKind::Connect, "the request got another connection"))?;
        let dialing = now();
        scope.record_queued(dialing - began);
        // From here the attempt's connect timeout runs; it drops this future when it strikes.
        scope.record_dialing();
        let io = self.dial(uri).await?;
        scope.record_connect(now() - dialing);
        Ok(Live::new(io, permit, self.opened.fetch_add(1, Ordering::Relaxed) + 1))
    }

    async fn dial(&self, uri: Uri) -> Result<BoxedIo, Known> {
        match &self.kind {
            Kind::Memory { dial, delay } => {
                if !delay.is_zero() {
                    sleep(*delay).await;
                }
                dial().map_err(|error| Known::new(ErrorKind::Connect, error))
            }
            Kind::Tcp => {
                let stream = self.tcp.clone().call(uri).await.map_err(Known::connecting)?.into_inner();
                match &self.tls {
                    None => Ok(Box::new(stream)),
                    Some((tls, name)) => {
                        let stream = tls.connect(name.clone(), stream).await;
                        Ok(Box::new(stream.map_err(|error| Known::new(ErrorKind::Tls, error))?))
                    }
                }
            }
        }
    }
}
