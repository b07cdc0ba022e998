//! The one TLS configuration that both transports use.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::client::error::{Error, ErrorKind};

/// Trusts what the operating system trusts. HTTP/1.1 only, as the pools count one request on one connection.
///
/// A client of a plain `http` base URL needs none, but reqwest wants one: it gets one that trusts nobody, since loading the
/// system's certificates takes tens of milliseconds.
pub(crate) fn config(is_tls: bool) -> Result<ClientConfig, Error> {
    let unusable = |source: rustls::Error| Error::of(ErrorKind::Config, "TLS cannot be set up").with_source(source);
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let mut config = match is_tls {
        true => builder.with_platform_verifier().map_err(unusable)?.with_no_client_auth(),
        false => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
