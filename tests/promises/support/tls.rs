//! A certificate authority of one certificate, for servers on this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use relaybench::client::{ClientBuilder, TransportKind};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::sockets;

/// A certificate for this machine, signed by itself.
pub(crate) struct Authority(rcgen::CertifiedKey<rcgen::KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        Self(rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a name is all it takes"))
    }

    /// The server's end of TLS, which takes these protocols.
    pub(crate) fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.0.signing_key.serialize_der()).expect("it was just made");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![self.0.cert.der().clone()], key)
            .expect("key and certificate belong together");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A client of a server at this address, which trusts the certificate.
    pub(crate) fn client(&self, address: SocketAddr, transport: TransportKind) -> ClientBuilder {
        let builder = sockets::client(address, transport).base_url(format!("https://{address}/v1"));
        builder.root_certificate_pem(self.0.cert.pem())
    }
}
