//! From settings to a client: everything is checked here, once.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};

use super::budget::Budgets;
use super::config::{ApiKey, BaseUrl};
use super::connector::Connector;
use super::error::Error;
use super::exchange::Line;
use super::models::Catalog;
use super::policy::{
    BillingRisk, BrokenStreams, Hints, Http2, Jitter, OtherModel, Policy, Protocol, Retry, RetryBudget, Timeout,
};
use super::pool::{Cap, Meter};
use super::stream::Proof;
use super::trace::Server;
use super::transport::{HyperTransport, NetworkTransport, Roots, Transport, roots_of_pem, with_defaults};
use super::{Client, Shared};

/// Which code carries the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportKind {
    /// reqwest. Uses the proxies of the environment, but not to this machine itself. The pool's cap bounds attempts in flight;
    /// connections may be more: a cap of 50 under 200 callers opened 50 to 60 on loopback, and twice the cap is tested. An attempt
    /// tells its connection by the address of its own end.
    #[default]
    Network,
    /// hyper-util's pooling client. The pool's cap on live connections is exact, every attempt tells its connection, and
    /// connections may be in memory. No proxies. On a runtime of several threads a connection that is handed back in the very
    /// moment another one opens for the same request can be lost, and is opened anew later, within the cap.
    Hyper,
}

/// What a client is to be. Made by [`Client::builder`]; only the base URL is needed.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct ClientBuilder {
    base_url: String,
    api_key: Option<ApiKey>,
    policy: Policy,
    transport: TransportKind,
    connector: Connector,
    root_pems: Vec<Vec<u8>>,
    catalog: Option<Catalog>,
    proof: Proof,
    seed: Option<u64>,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            base_url: String::new(),
            api_key: None,
            policy: Policy::default(),
            transport: TransportKind::default(),
            connector: Connector::default(),
            root_pems: Vec::new(),
            catalog: Some(Catalog::default()),
            proof: Proof::default(),
            seed: None,
        }
    }

    /// Where the API begins, like `https://host/v1`. A slash at the end is tolerated.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// The key, sent as `Authorization: Bearer KEY`. Default: no such header.
    pub fn api_key(mut self, key: impl Into<ApiKey>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// How to behave. Default: [`Policy::resilient`]. Replaces what the methods below have set.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The total timeout of a logical request; see [`Timeouts::total`](super::Timeouts::total).
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeouts.total = timeout;
        self
    }

    /// The connect timeout; see [`Timeouts::connect`](super::Timeouts::connect).
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.policy.timeouts.connect = timeout.into();
        self
    }

    /// The read timeout; see [`Timeouts::read`](super::Timeouts::read).
    pub fn read_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.policy.timeouts.read = timeout.into();
        self
    }

    /// Another timeout; see [`Timeouts`](super::Timeouts).
    pub fn timeout(mut self, which: Timeout, figure: impl Into<Option<Duration>>) -> Self {
        self.policy.timeouts.set(which, figure);
        self
    }

    /// The most connections in all; see [`Pool::max_connections`](super::Pool::max_connections).
    pub fn max_connections(mut self, most: impl Into<Option<usize>>) -> Self {
        self.policy.pool.max_connections = most.into();
        self
    }

    /// The most connections to one host; see [`Pool::max_per_host`](super::Pool::max_per_host).
    pub fn max_connections_per_host(mut self, most: impl Into<Option<usize>>) -> Self {
        self.policy.pool.max_per_host = most.into();
        self
    }

    /// How long an idle connection is kept; see [`Pool::idle_timeout`](super::Pool::idle_timeout).
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.policy.pool.idle_timeout = timeout.into();
        self
    }

    /// The age from which on a connection is given no further request; see [`Pool::max_age`](super::Pool::max_age).
    pub fn max_connection_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.policy.pool.max_age = age.into();
        self
    }

    /// When TCP asks whether the other side is there; see [`Pool::tcp_keepalive`](super::Pool::tcp_keepalive).
    pub fn tcp_keepalive(mut self, silence: impl Into<Option<Duration>>) -> Self {
        self.policy.pool.tcp_keepalive = silence.into();
        self
    }

    /// Which protocol connections speak. Default: [`Protocol::Http1`].
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.policy.pool.protocol = protocol;
        self
    }

    /// What holds for connections that speak HTTP/2.
    pub fn http2(mut self, http2: Http2) -> Self {
        self.policy.pool.http2 = http2;
        self
    }

    /// Trusts the certificates in this PEM text beside those that the operating system trusts, such as the root of a company's own
    /// authority. May be called several times. Default: none.
    pub fn root_certificate_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_pems.push(pem.into());
        self
    }

    /// How long a looked-up name is trusted; see [`Pool::dns_ttl`](super::Pool::dns_ttl).
    pub fn dns_ttl(mut self, ttl: Duration) -> Self {
        self.policy.pool.dns_ttl = ttl;
        self
    }

    /// Everything about retrying.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.policy.retry = retry;
        self
    }

    /// Tries in all, the first counted; see [`Retry::attempts`].
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.policy.retry.attempts = attempts;
        self
    }

    /// The waits between tries: `base` · `factor`ⁿ, no longer than `cap`; see [`Retry`].
    pub fn backoff(mut self, base: Duration, factor: f64, cap: Duration) -> Self {
        self.policy.retry = Retry { base, factor, cap, ..self.policy.retry };
        self
    }

    /// How the waits are spread; see [`Jitter`].
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.policy.retry.jitter = jitter;
        self
    }

    /// Whether the server's word on retrying is obeyed; see [`Hints`].
    pub fn hints(mut self, hints: Hints) -> Self {
        self.policy.retry.hints = hints;
        self
    }

    /// What to make of an answer of another model; see [`OtherModel`].
    pub fn other_model(mut self, rule: OtherModel) -> Self {
        self.policy.other_model = rule;
        self
    }

    /// How much load retries may add; see [`RetryBudget`].
    pub fn retry_budget(mut self, budget: impl Into<Option<RetryBudget>>) -> Self {
        self.policy.retry.budget = budget.into();
        self
    }

    /// How often an attempt is repeated that may be billed all the same; see [`BillingRisk`].
    pub fn billing_risk(mut self, risk: impl Into<Option<BillingRisk>>) -> Self {
        self.policy.retry.billing_risk = risk.into();
        self
    }

    /// What follows when a stream breaks after its first content; see [`BrokenStreams`].
    pub fn broken_streams(mut self, rule: BrokenStreams) -> Self {
        self.policy.retry.broken_streams = rule;
        self
    }

    /// Which code carries the requests. Default: [`TransportKind::Network`].
    pub fn transport(mut self, transport: TransportKind) -> Self {
        self.transport = transport;
        self
    }

    /// How connections are opened; implies [`TransportKind::Hyper`].
    pub fn connector(mut self, connector: Connector) -> Self {
        self.connector = connector;
        self.transport = TransportKind::Hyper;
        self
    }

    /// The models there are. A request for another is refused before it is sent. Default: the tutorial's eight.
    pub fn models(mut self, catalog: Catalog) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// Whether models are looked up in the catalog before sending. Default: true.
    pub fn validate_models(mut self, validate: bool) -> Self {
        self.catalog = validate.then(|| self.catalog.unwrap_or_default());
        self
    }

    /// What proves that a stream of this provider is complete. Default: a finish reason, `[DONE]` or the usage.
    pub fn proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// The seed of jitter and of request ids, for runs that repeat. Two clients of one seed make the same ids. Default: random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Builds the client. Connects nowhere yet.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](super::ErrorKind::Config): a base URL, key, certificate or figure that cannot be right.
    pub fn build(self) -> Result<Client, Error> {
        let base = BaseUrl::parse(&self.base_url)?;
        check(&self.policy)?;
        let roots = self.root_pems.iter().map(|pem| roots_of_pem(pem)).collect::<Result<Vec<Roots>, _>>()?.concat();
        let pool = Arc::new(Meter::default());
        let (transport, in_flight) = match self.transport {
            TransportKind::Network => {
                let transport = NetworkTransport::new(&base, &self.policy, &roots, &pool)?;
                (Transport::Network(Box::new(transport)), Cap::new(self.policy.pool.cap(), Arc::clone(&pool)))
            }
            TransportKind::Hyper => {
                let transport = HyperTransport::new(&base, &self.policy, &roots, self.connector, &pool)?;
                (Transport::Hyper(Box::new(transport)), Cap::none())
            }
        };
        Ok(Client(Arc::new(Shared {
            server: Server::new(&base),
            headers: headers(&base, self.api_key.as_ref())?,
            line: Line { transport, in_flight, pool, proof: self.proof, key: self.api_key },
            budgets: Arc::new(Budgets::new(&self.policy.retry)),
            policy: self.policy,
            catalog: self.catalog,
            seed: self.seed.unwrap_or_else(rand::random),
            asked: AtomicU64::new(0),
        })))
    }
}

/// The headers that all attempts have in common.
fn headers(base: &BaseUrl, key: Option<&ApiKey>) -> Result<HeaderMap, Error> {
    const NAME: HeaderValue = HeaderValue::from_static(concat!("relaybench/", env!("CARGO_PKG_VERSION")));
    let mut headers = HeaderMap::with_capacity(8);
    let host = HeaderValue::from_str(&base.authority);
    headers.insert(HOST, host.map_err(|source| Error::config("the base URL's host is no header").with_source(source))?);
    if let Some(key) = key {
        headers.insert(AUTHORIZATION, key.header()?);
    }
    headers.insert(USER_AGENT, NAME);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(with_defaults(headers))
}

/// Refuses figures with which nothing could ever be sent, or sleeps could not be computed.
fn check(policy: &Policy) -> Result<(), Error> {
    let Policy { timeouts, pool, retry, .. } = policy;
    let spread = match retry.hints {
        Hints::Ignore => 0.0,
        Hints::Obey { spread, .. } => spread,
    };
    timeouts.check()?;
    // Beyond it instants cannot be computed.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let durations = [
        Some(retry.cap),
        pool.idle_timeout,
        pool.max_age,
        Some(pool.dns_ttl),
        pool.tcp_keepalive,
        pool.http2.ping_interval,
        Some(pool.http2.ping_timeout),
    ];
    let shares_connections = pool.protocol != Protocol::Http1;
    let faults = [
        (durations.iter().flatten().any(|duration| *duration > LONGEST), "a duration must be below a hundred years"),
        (pool.cap() == Some(0), "the pool must allow at least one connection"),
        (pool.max_age.is_some_and(|age| age.is_zero()), "the age of connections must be above zero"),
        (
            pool.tcp_keepalive.is_some_and(|silence| silence < Duration::from_secs(1)),
            "TCP's keep-alive must be at least a second",
        ),
        (pool.http2.connections == 0, "HTTP/2 needs at least one connection"),
        (
            shares_connections && pool.cap().is_some_and(|cap| cap < pool.http2.connections),
            "the pool must allow as many connections as HTTP/2 is to have",
        ),
        (pool.http2.ping_interval.is_some_and(|interval| interval.is_zero()), "the interval of pings must be above zero"),
        (retry.attempts == 0, "attempts counts all tries and must be at least 1"),
        (!(retry.factor.is_finite() && retry.factor >= 1.0), "the backoff factor must be at least 1"),
        (!(0.0..=10.0).contains(&spread), "the spread of hints must be between 0 and 10"),
    ];
    let fault = faults.into_iter().find_map(|(wrong, what)| wrong.then_some(what));
    let fault = fault.or_else(|| retry.budget?.fault()).or_else(|| retry.billing_risk?.fault());
    fault.map_or(Ok(()), |what| Err(Error::config(what)))
}
