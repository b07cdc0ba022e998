//! The other transport: hyper-util's pooling client over connections of our own, which carry their permit inside.

use std::sync::Arc;

use hyper::Uri;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{Builder, Client, Error};
use hyper_util::rt::TokioExecutor;
use relaybench_clock::HyperTimer;

use super::body::RequestBody;
use super::fault::{Fault, Stage};
use super::lanes::Lanes;
use super::scope::Scope;
use super::tls::{self, Roots};
use super::{Addresses, Outgoing, Reply, ReplyBody};
use crate::client::attempt::Connection;
use crate::client::config::BaseUrl;
use crate::client::connector::{Connector, Dialer, Identity};
use crate::client::policy::{Policy, Pool, Protocol};
use crate::client::pool::Meter;

type Lane = Client<Dialer, RequestBody>;

/// hyper-util's client, one a lane. The cap on live connections is exact.
pub(crate) struct HyperTransport {
    clients: Box<[Lane]>,
    lanes: Lanes,
    uris: Addresses<Uri>,
    has_max_age: bool,
}

impl HyperTransport {
    pub(crate) fn new(
        base: &BaseUrl,
        policy: &Policy,
        roots: &Roots,
        connector: Connector,
        meter: &Arc<Meter>,
    ) -> Result<Self, crate::client::Error> {
        let lanes = Lanes::new(&policy.pool, base.is_tls);
        let tls = base.is_tls.then(|| tls::config(true, roots, lanes.protocol())).transpose()?;
        let dialers = Dialer::of_lanes(connector, base, policy, tls, &lanes, meter)?;
        let builder = builder(&policy.pool, lanes.protocol());
        let clients = dialers.map(|dialer| builder.build(dialer)).collect();
        let uris = Addresses::new(base, BaseUrl::join)?;
        Ok(Self { clients, lanes, uris, has_max_age: policy.pool.max_age.is_some() })
    }

    pub(crate) async fn send(&self, outgoing: Outgoing<'_>, scope: &Scope) -> Result<Reply, Fault> {
        let (lane, lease) = self.lanes.pick(scope).await;
        let mut sent = self.send_once(lane, outgoing, scope).await;
        if let Err(fault) = &sent
            && let Some(stale) = fault.stale()
        {
            scope.record_stale(stale);
            sent = self.send_once(lane, outgoing, scope).await;
        }
        let (head, body, connection) = sent?;
        let body = ReplyBody::hyper(body, lease);
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body, connection })
    }

    async fn send_once(&self, lane: usize, outgoing: Outgoing<'_>, scope: &Scope) -> Result<Answer, Fault> {
        loop {
            match self.send_over(lane, outgoing, scope).await {
                Err(fault) if fault.is_abandoned() => {}
                sent => return sent,
            }
        }
    }

    async fn send_over(&self, lane: usize, outgoing: Outgoing<'_>, scope: &Scope) -> Result<Answer, Fault> {
        let mut request = hyper::Request::new(outgoing.body(scope));
        *request.method_mut() = outgoing.endpoint.method();
        *request.uri_mut() = self.uris.of(outgoing.endpoint).map_err(Fault::of_address)?;
        *request.headers_mut() = outgoing.headers();
        let handle = capture_connection(&mut request);
        scope.is_told_by(handle.clone());
        let exchange = scope.wrap(self.clients[lane].request(request));
        let response = match self.lanes.protocol() {
            Protocol::Http1 => exchange.await,
            Protocol::Negotiate | Protocol::Http2 => scope.share(exchange).await,
        };
        let (head, body) = response.map_err(fault)?.into_parts();
        let identity = head.extensions.get::<Identity>();
        if let Some(identity) = identity.filter(|_| self.has_max_age) {
            identity.is_reached_by(handle);
        }
        let connection = identity.map(Identity::take);
        Ok((head, body, connection))
    }
}

type Answer = (hyper::http::response::Parts, hyper::body::Incoming, Option<Connection>);

fn builder(pool: &Pool, protocol: Protocol) -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .timer(HyperTimer)
        .pool_timer(HyperTimer)
        .pool_idle_timeout(pool.idle_timeout)
        // Without end: so many would be tried and forgotten as the server closed. Once is done here, and recorded.
        .retry_canceled_requests(false)
        .set_host(false)
        .http2_only(protocol == Protocol::Http2)
        .http2_keep_alive_interval(pool.http2.ping_interval)
        .http2_keep_alive_timeout(pool.http2.ping_timeout);
    if !pool.keeps_connections() {
        builder.pool_max_idle_per_host(0);
    }
    builder
}

fn fault(error: Error) -> Fault {
    let stage = if error.is_connect() { Stage::Connect } else { Stage::Head };
    let connection = connection_of(&error);
    Fault::new(error, stage).on(connection)
}

fn connection_of(error: &Error) -> Option<Connection> {
    let mut extensions = hyper::http::Extensions::new();
    error.connect_info()?.get_extras(&mut extensions);
    extensions.get::<Identity>().map(Identity::take)
}
