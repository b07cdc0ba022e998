//! How the `hyper` transport opens its connections: over TCP, with TLS when the base URL says so, or in memory.

mod identity;
mod live;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use relaybench_clock::{now, sleep, sleep_until};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio_rustls::TlsConnector;
use tower_service::Service;

pub(crate) use self::identity::Identity;

use self::live::Live;

use super::config::BaseUrl;
use super::error::{Error, ErrorKind};
use super::policy::{Policy, Protocol};
use super::pool::{Cap, Meter, Permit};
use super::transport::{Known, Lanes, Resolver, Scope};

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

/// The connector of one lane of a client, running. Those of all lanes share the cap.
#[derive(Clone)]
pub(crate) struct Dialer {
    running: Arc<Running>,
    lane: usize,
}

struct Running {
    kind: Kind,
    tcp: HttpConnector<Resolver>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    lanes: Lanes,
    cap: Cap,
    meter: Arc<Meter>,
    max_age: Option<Duration>,
}

impl Dialer {
    /// The connectors of all lanes.
    pub(crate) fn of_lanes(
        connector: Connector,
        base: &BaseUrl,
        policy: &Policy,
        tls: Option<rustls::ClientConfig>,
        lanes: &Lanes,
        meter: &Arc<Meter>,
    ) -> Result<impl Iterator<Item = Self> + use<>, Error> {
        if base.is_tls && matches!(connector.0, Kind::Memory { .. }) {
            return Err(Error::config(format!(
                "base URL \"{base}\" wants TLS, which connections in memory do not speak; use http"
            )));
        }
        let tls = tls
            .map(|config| {
                let name = ServerName::try_from(base.host.clone());
                name.map(|name| (TlsConnector::from(Arc::new(config)), name))
            })
            .transpose()
            .map_err(|source| Error::config(format!("base URL \"{base}\" names no host that TLS accepts")).with_source(source))?;
        let running = Arc::new(Running {
            kind: connector.0,
            tcp: tcp_connector(policy),
            tls,
            lanes: lanes.clone(),
            cap: Cap::new(policy.pool.cap(), Arc::clone(meter)),
            meter: Arc::clone(meter),
            max_age: policy.pool.max_age,
        });
        Ok((0..lanes.count()).map(move |lane| Self { running: Arc::clone(&running), lane }))
    }
}

fn tcp_connector(policy: &Policy) -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::new(policy.pool.dns_ttl));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(policy.pool.tcp_keepalive);
    tcp.set_keepalive_interval(policy.pool.tcp_keepalive);
    tcp.set_keepalive_retries(policy.pool.tcp_keepalive.map(|_| TCP_KEEPALIVE_PROBES));
    tcp
}

/// As Pool::tcp_keepalive says.
pub(crate) const TCP_KEEPALIVE_PROBES: u32 = 3;

impl Service<Uri> for Dialer {
    type Response = Live;
    type Error = Known;
    type Future = Pin<Box<dyn Future<Output = Result<Live, Known>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Known>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (running, lane) = (Arc::clone(&self.running), self.lane);
        let scope = Scope::connecting();
        Box::pin(async move { running.connect(uri, lane, scope).await })
    }
}

impl Running {
    async fn connect(&self, uri: Uri, lane: usize, scope: Scope) -> Result<Live, Known> {
        // A request that was given another connection wants none any more, and must not open one later.
        scope.hold(scope.unless_orphaned(self.lanes.pass_gate(lane, &scope)).await.ok_or_else(Known::unwanted)?);
        let permit = self.permit(&scope).await.ok_or_else(Known::unwanted)?;
        let dialing = now();
        // From here the attempt's connect timeout runs; it drops this future when it strikes.
        scope.record_dialing();
        let (io, takes_http2) = scope.while_wanted(dialing, self.dial(uri)).await.ok_or_else(Known::unwanted)??;
        let opened = now();
        let is_http2 = self.lanes.learn(takes_http2)?;
        let identity = Identity::new(self.meter.opened(), is_http2);
        scope.record_connect(opened - dialing, &identity);
        let is_negotiated = is_http2 && self.lanes.protocol() == Protocol::Negotiate;
        let retires = self.max_age.map(|age| sleep_until(opened + age));
        Ok(Live::new(io, permit, identity, is_negotiated, retires))
    }

    /// A place under the cap; `None` if the request was given a connection while it waited.
    async fn permit(&self, scope: &Scope) -> Option<Permit> {
        let began = now();
        // A connection that is just being handed back reaches the pool when its own task has run: let it come first. Twice,
        // since tokio wakes those that yielded in reverse, and who came first shall connect first.
        let yielded = async {
            yield_now().await;
            yield_now().await;
        };
        scope.unless_orphaned(yielded).await?;
        if let Some(permit) = self.cap.try_acquire() {
            return Some(permit);
        }
        scope.waits_since(began);
        let permit = scope.unless_orphaned(self.cap.acquire()).await;
        scope.has_place(now());
        permit
    }

    /// A connection, and whether the server took HTTP/2 when it was offered.
    async fn dial(&self, uri: Uri) -> Result<(BoxedIo, bool), Known> {
        match &self.kind {
            Kind::Memory { dial, delay } => {
                if !delay.is_zero() {
                    sleep(*delay).await;
                }
                dial().map(|io| (io, false)).map_err(|error| Known::new(ErrorKind::Connect, error))
            }
            Kind::Tcp => {
                let stream = self.tcp.clone().call(uri).await.map_err(Known::connecting)?.into_inner();
                let Some((tls, name)) = &self.tls else { return Ok((Box::new(stream), false)) };
                let stream = tls.connect(name.clone(), stream).await.map_err(|error| Known::new(ErrorKind::Tls, error))?;
                let takes_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                Ok((Box::new(stream), takes_http2))
            }
        }
    }
}
