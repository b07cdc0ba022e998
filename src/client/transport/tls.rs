//! The one TLS configuration that both transports use.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::client::error::{Error, ErrorKind};
use crate::client::policy::Protocol;

/// Certificates that are trusted beside those of the operating system.
pub(crate) type Roots = Vec<CertificateDer<'static>>;

/// The certificates in a PEM text: at least one.
pub(crate) fn roots_of_pem(pem: &[u8]) -> Result<Roots, Error> {
    let roots: Result<Roots, _> = CertificateDer::pem_slice_iter(pem).collect();
    let roots = roots.map_err(|source| Error::of(ErrorKind::Config, "a root certificate is not PEM").with_source(source))?;
    if roots.is_empty() {
        return Err(Error::config("a root certificate's PEM holds none: it begins with -----BEGIN CERTIFICATE-----"));
    }
    Ok(roots)
}

/// Trusts what the operating system trusts, and these roots.
///
/// A client of a plain `http` base URL needs none, but reqwest wants one: it gets one that trusts nobody, since loading the
/// system's certificates takes tens of milliseconds.
pub(crate) fn config(is_tls: bool, roots: &Roots, protocol: Protocol) -> Result<ClientConfig, Error> {
    let unusable = |source: rustls::Error| Error::of(ErrorKind::Config, "TLS cannot be set up").with_source(source);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().map_err(unusable)?;
    let mut config = match is_tls {
        true => {
            let verifier = Verifier::new_with_extra_roots(roots.iter().cloned(), provider).map_err(unusable)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
        }
        false => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    let (http1, http2) = (b"http/1.1".to_vec(), b"h2".to_vec());
    config.alpn_protocols = match protocol {
        Protocol::Http1 => vec![http1],
        Protocol::Negotiate => vec![http2, http1],
        Protocol::Http2 => vec![http2],
    };
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_told_so() {
        for (pem, why) in [
            ("", "holds none"),
            ("nonsense", "holds none"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "is not PEM"),
        ] {
            let message = roots_of_pem(pem.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(why), "{pem:?}: {message}");
        }
    }
}
