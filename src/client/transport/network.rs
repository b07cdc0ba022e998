//! The default transport: reqwest. The only file that names it.

use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;

use super::dns::Resolver;
use super::fault::{Fault, Stage};
use super::scope::Scope;
use super::{Addresses, Outgoing, Reply, ReplyBody, tls};
use crate::client::config::BaseUrl;
use crate::client::error::{Error, ErrorKind};
use crate::client::policy::Policy;

/// reqwest, with its own retries, redirects and timeouts off: those are the policy's.
pub(crate) struct NetworkTransport {
    client: reqwest::Client,
    urls: Addresses<reqwest::Url>,
}

impl NetworkTransport {
    pub(crate) fn new(base: &BaseUrl, policy: &Policy) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .retry(reqwest::retry::never())
            .redirect(redirect::Policy::none())
            .referer(false)
            .http1_only()
            .tcp_nodelay(true)
            .pool_idle_timeout(policy.pool.idle_timeout)
            .dns_resolver(Arc::new(Resolver::new(policy.pool.dns_ttl)))
            .tls_backend_preconfigured(tls::config(base.is_tls)?);
        if base.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|source| Error::of(ErrorKind::Config, "the HTTP client cannot be set up").with_source(source))?;
        Ok(Self { client, urls: Addresses::new(base, url)? })
    }

    pub(crate) async fn send(&self, outgoing: Outgoing<'_>, scope: &Scope) -> Result<Reply, Fault> {
        let url = self.urls.of(outgoing.endpoint).map_err(|error| Fault::new(error, Stage::Connect))?;
        let mut request = reqwest::Request::new(outgoing.endpoint.method(), url);
        *request.headers_mut() = outgoing.headers();
        *request.body_mut() = Some(reqwest::Body::wrap(outgoing.body(scope)));
        // The cap is on attempts, so that nothing is waited for but the connection itself.
        scope.record_dialing();
        let response = self.client.execute(request).await.map_err(fault)?;
        let (head, body) = hyper::Response::<reqwest::Body>::from(response).into_parts();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: ReplyBody::Network(body), connection: None })
    }
}

fn url(base: &BaseUrl, path: &str) -> Result<reqwest::Url, Error> {
    reqwest::Url::parse(&format!("{base}{path}"))
        .map_err(|source| Error::of(ErrorKind::Config, format!("base URL \"{base}\" is not a URL")).with_source(source))
}

fn fault(error: reqwest::Error) -> Fault {
    let is_connect = error.is_connect();
    // The URL is ours, and says nothing that the caller does not know.
    Fault::new(error.without_url(), if is_connect { Stage::Connect } else { Stage::Head })
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
