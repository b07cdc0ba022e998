//! The other transport: hyper-util's pooling client over connections of our own, which carry their permit inside.

use hyper::Uri;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use relaybench_clock::HyperTimer;

use super::body::RequestBody;
use super::fault::{Fault, Stage};
use super::scope::Scope;
use super::{Addresses, Outgoing, Reply, ReplyBody, tls};
use crate::client::attempt::Connection;
use crate::client::config::BaseUrl;
use crate::client::connector::{Connector, Dialer, Identity};
use crate::client::policy::Policy;

/// hyper-util's client. Its cap on live connections is exact.
pub(crate) struct HyperTransport {
    client: Client<Dialer, RequestBody>,
    uris: Addresses<Uri>,
}

impl HyperTransport {
    pub(crate) fn new(base: &BaseUrl, policy: &Policy, connector: Connector) -> Result<Self, crate::client::Error> {
        let tls = base.is_tls.then(|| tls::config(true)).transpose()?;
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(HyperTimer)
            .pool_timer(HyperTimer)
            .pool_idle_timeout(policy.pool.idle_timeout)
            // A request that met a dying connection is a failed attempt like any other, to be recorded and retried by policy.
            .retry_canceled_requests(false)
            .set_host(false);
        let client = builder.build(Dialer::new(connector, base, policy, tls)?);
        Ok(Self { client, uris: Addresses::new(base, BaseUrl::join)? })
    }

    pub(crate) async fn send(&self, outgoing: Outgoing<'_>, scope: &Scope) -> Result<Reply, Fault> {
        let mut request = hyper::Request::new(outgoing.body(scope));
        *request.method_mut() = outgoing.endpoint.method();
        *request.uri_mut() = self.uris.of(outgoing.endpoint).map_err(|error| Fault::new(error, Stage::Connect))?;
        *request.headers_mut() = outgoing.headers();
        let response = scope.wrap(self.client.request(request)).await.map_err(fault)?;
        let (head, body) = response.into_parts();
        let connection = head.extensions.get::<Identity>().map(Identity::take);
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: ReplyBody::Hyper(body), connection })
    }
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
