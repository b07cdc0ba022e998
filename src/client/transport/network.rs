//! The default transport: reqwest. With its connector's layer the only file that names it.

mod opening;

use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::http::Extensions;
use hyper_util::client::legacy;
use relaybench_clock::{Instant, now};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;

use self::opening::{Book, Opening};
use super::dns::Resolver;
use super::fault::{Fault, Known, Stage};
use super::lanes::Lanes;
use super::scope::Scope;
use super::tls::{self, Roots};
use super::{Addresses, Outgoing, Reply, ReplyBody};
use crate::client::attempt::Connection;
use crate::client::config::BaseUrl;
use crate::client::connector::TCP_KEEPALIVE_PROBES;
use crate::client::error::{Error, ErrorKind};
use crate::client::policy::{Policy, Pool, Protocol};
use crate::client::pool::Meter;

/// reqwest, one client a lane, with its own retries, redirects and timeouts off: those are the policy's.
pub(crate) struct NetworkTransport {
    recipe: Recipe,
    lanes: Lanes,
    generation: Generation,
    urls: Addresses<reqwest::Url>,
}

/// The clients of all lanes. An age of connections is kept by replacing them: reqwest's connections are out of reach.
enum Generation {
    Lasting(Arc<[reqwest::Client]>),
    Aging { max_age: Duration, current: Mutex<Current> },
}

struct Current {
    clients: Arc<[reqwest::Client]>,
    /// Since the first request.
    began: Option<Instant>,
}

impl NetworkTransport {
    pub(crate) fn new(base: &BaseUrl, policy: &Policy, roots: &Roots, meter: &Arc<Meter>) -> Result<Self, Error> {
        let lanes = Lanes::new(&policy.pool, base.is_tls);
        let recipe = Recipe {
            pool: policy.pool.clone(),
            uses_proxies: !base.is_loopback(),
            tls: tls::config(base.is_tls, roots, lanes.protocol())?,
            resolver: Resolver::new(policy.pool.dns_ttl),
            lanes: lanes.clone(),
            book: Book::new(Arc::clone(meter)),
        };
        let clients = recipe
            .clients()
            .map_err(|source| Error::of(ErrorKind::Config, "the HTTP client cannot be set up").with_source(source))?;
        let generation = match policy.pool.max_age {
            None => Generation::Lasting(clients),
            Some(max_age) => Generation::Aging { max_age, current: Mutex::new(Current { clients, began: None }) },
        };
        Ok(Self { recipe, lanes, generation, urls: Addresses::new(base, url)? })
    }

    pub(crate) async fn send(&self, outgoing: Outgoing<'_>, scope: &Scope) -> Result<Reply, Fault> {
        let (lane, lease) = self.lanes.pick(scope).await;
        let (head, body) = loop {
            match self.send_over(lane, outgoing, scope).await {
                Err(fault) if fault.is_abandoned() => {}
                sent => break sent?,
            }
        };
        let connection = self.recipe.book.connection_of(&head.extensions, scope);
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: ReplyBody::network(body, lease), connection })
    }

    async fn send_over(&self, lane: usize, outgoing: Outgoing<'_>, scope: &Scope) -> Result<Answer, Fault> {
        let url = self.urls.of(outgoing.endpoint).map_err(Fault::of_address)?;
        let mut request = reqwest::Request::new(outgoing.endpoint.method(), url);
        *request.headers_mut() = outgoing.headers();
        *request.body_mut() = Some(reqwest::Body::wrap(outgoing.body(scope)));
        let client = self.client(lane).map_err(|error| Fault::new(Known::connecting(error), Stage::Connect))?;
        let exchange = scope.wrap(client.execute(request));
        let response = match self.lanes.protocol() {
            Protocol::Http1 => exchange.await,
            Protocol::Negotiate | Protocol::Http2 => scope.share(exchange).await,
        };
        let response = response.map_err(|error| self.fault(error, scope))?;
        Ok(hyper::Response::<reqwest::Body>::from(response).into_parts())
    }

    /// The connection of a request that was never answered, when it can be known.
    pub(crate) fn connection_unanswered(&self, scope: &Scope) -> Option<Connection> {
        self.recipe.book.connection_unanswered(scope)
    }

    fn client(&self, lane: usize) -> Result<reqwest::Client, reqwest::Error> {
        match &self.generation {
            Generation::Lasting(clients) => Ok(clients[lane].clone()),
            Generation::Aging { max_age, current } => {
                // Nothing panics while it is held.
                let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
                let now = now();
                if now >= *current.began.get_or_insert(now) + *max_age {
                    // What the old ones carry is finished; then they are dropped, and close.
                    *current = Current { clients: self.recipe.clients()?, began: Some(now) };
                }
                Ok(current.clients[lane].clone())
            }
        }
    }

    fn fault(&self, error: reqwest::Error, scope: &Scope) -> Fault {
        let stage = if error.is_connect() { Stage::Connect } else { Stage::Head };
        let connection = self.connection_of(&error, scope);
        // The URL is ours, and says nothing that the caller does not know.
        Fault::new(error.without_url(), stage).on(connection)
    }

    fn connection_of(&self, error: &reqwest::Error, scope: &Scope) -> Option<Connection> {
        let mut extensions = Extensions::new();
        error.source()?.downcast_ref::<legacy::Error>()?.connect_info()?.get_extras(&mut extensions);
        self.recipe.book.connection_of(&extensions, scope)
    }
}

type Answer = (hyper::http::response::Parts, reqwest::Body);

fn url(base: &BaseUrl, path: &str) -> Result<reqwest::Url, Error> {
    reqwest::Url::parse(&format!("{base}{path}"))
        .map_err(|source| Error::of(ErrorKind::Config, format!("base URL \"{base}\" is not a URL")).with_source(source))
}

/// All that clients are made of.
struct Recipe {
    pool: Pool,
    uses_proxies: bool,
    tls: rustls::ClientConfig,
    resolver: Resolver,
    lanes: Lanes,
    book: Arc<Book>,
}

impl Recipe {
    fn clients(&self) -> Result<Arc<[reqwest::Client]>, reqwest::Error> {
        (0..self.lanes.count()).map(|lane| self.client(lane)).collect()
    }

    fn client(&self, lane: usize) -> Result<reqwest::Client, reqwest::Error> {
        let Pool { idle_timeout, tcp_keepalive, ref http2, .. } = self.pool;
        let mut builder = reqwest::Client::builder()
            .retry(reqwest::retry::never())
            .redirect(redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .tcp_keepalive(tcp_keepalive)
            .tcp_keepalive_interval(tcp_keepalive)
            .tcp_keepalive_retries(tcp_keepalive.map(|_| TCP_KEEPALIVE_PROBES))
            .pool_idle_timeout(idle_timeout)
            .http2_keep_alive_interval(http2.ping_interval)
            .http2_keep_alive_timeout(http2.ping_timeout)
            .dns_resolver(Arc::new(self.resolver.clone()))
            .connector_layer(Opening::new(self.lanes.clone(), lane, Arc::clone(&self.book)))
            .tls_backend_preconfigured(self.tls.clone());
        builder = match self.lanes.protocol() {
            Protocol::Http1 => builder.http1_only(),
            Protocol::Negotiate => builder,
            Protocol::Http2 => builder.http2_prior_knowledge(),
        };
        if !self.pool.keeps_connections() {
            builder = builder.pool_max_idle_per_host(0);
        }
        if !self.uses_proxies {
            builder = builder.no_proxy();
        }
        builder.build()
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = Resolver::resolve(&resolver, name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
