//! TLS: certificates of one's own, or made for the occasion.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The protocols that are offered, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A server's certificate with its key, for HTTPS. Callers choose HTTP/2 or HTTP/1.1 by ALPN.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    authority: Option<Arc<str>>,
}

/// Why TLS could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that cannot be read, or has nothing of what is looked for.
    #[error("cannot read {what} in {}", path.display())]
    File {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it was not found.
        source: pem::Error,
    },
    /// A key behind a password.
    #[error("the key in {} is encrypted; write it without a password (openssl pkey -in KEY -out PLAIN)", .0.display())]
    EncryptedKey(PathBuf),
    /// A certificate and a key that do not belong together, or that TLS cannot use.
    #[error("the certificate in {} cannot be used with the key in {}", certificate.display(), key.display())]
    Mismatched {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// Why they cannot be used.
        source: tokio_rustls::rustls::Error,
    },
    /// A certificate that was made and that TLS cannot use.
    #[error("the certificate cannot be used with its key")]
    Unusable(#[from] tokio_rustls::rustls::Error),
    /// No certificate could be made.
    #[error("cannot make a certificate")]
    Making(#[from] rcgen::Error),
}

impl Tls {
    /// A certificate (with those that lead to its authority behind it) and its key, each in a PEM file.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or has none, and when the two do not belong together.
    pub fn from_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let unreadable = |what, path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::File { what, path, source }
        };
        let certificate = certificate.as_ref();
        let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) });
        let chain = chain.map_err(unreadable("a certificate", certificate))?;
        let key = key.as_ref();
        let der = match PrivateKeyDer::from_pem_file(key) {
            Err(pem::Error::NoItemsFound) if is_encrypted(key) => return Err(TlsError::EncryptedKey(key.into())),
            key_read => key_read.map_err(unreadable("a key", key))?,
        };
        let acceptor = acceptor(chain, der).map_err(|error| match error {
            TlsError::Unusable(source) => TlsError::Mismatched { certificate: certificate.into(), key: key.into(), source },
            other => other,
        })?;
        Ok(Self { acceptor, authority: None })
    }

    /// A certificate for this machine (`localhost`, `127.0.0.1`, `::1`) and for `addr`, by an authority that is made with it and signs
    /// nothing else.
    ///
    /// # Errors
    ///
    /// When the system has no randomness to give.
    pub fn self_signed(addr: Option<IpAddr>) -> Result<Self, TlsError> {
        let authority = authority()?;
        let authority_pem = authority.1;
        let key = KeyPair::generate()?;
        let certificate = leaf(addr)?.signed_by(&key, &authority.0)?;
        let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Ok(Self { acceptor: acceptor(vec![certificate.der().clone()], der)?, authority: Some(authority_pem.into()) })
    }

    /// The certificate of the authority that was made, as PEM: what clients must trust. None with files of one's own.
    pub fn authority_pem(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("authority", &self.authority).finish_non_exhaustive()
    }
}

fn acceptor(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<TlsAcceptor, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Whether a file that holds no key that can be used holds one behind a password, in PKCS#8 or as OpenSSL once wrote them.
fn is_encrypted(key: &Path) -> bool {
    let pem = std::fs::read_to_string(key).unwrap_or_default();
    pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem.contains("Proc-Type: 4,ENCRYPTED")
}

/// An authority, with its certificate as PEM. Its key is forgotten with it.
fn authority() -> Result<(Issuer<'static, KeyPair>, String), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "relaybench-mock, for tests alone");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}

fn leaf(addr: Option<IpAddr>) -> Result<CertificateParams, rcgen::Error> {
    let mut names = vec!["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string(), Ipv6Addr::LOCALHOST.to_string()];
    names.extend(addr.filter(|addr| !addr.is_loopback() && !addr.is_unspecified()).map(|addr| addr.to_string()));
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "relaybench-mock");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}
