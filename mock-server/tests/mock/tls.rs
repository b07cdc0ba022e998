//! HTTPS.

use std::net::SocketAddr;
use std::sync::Arc;

use relaybench_mock::{MockRelay, Tls, TlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::{chat, http2, profile, status};

/// A connection of a client that trusts a certificate, to a name, with protocols to choose from.
pub(crate) async fn dial(
    addr: SocketAddr,
    pem: &str,
    name: &'static str,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(addr).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await
}

async fn is_answered_over_http1(mut stream: TlsStream<TcpStream>) {
    stream.write_all(&chat("", "")).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), 200);
}

#[tokio::test]
async fn the_caller_chooses_the_protocol_and_trusts_what_was_made_for_the_occasion() {
    let tls = Tls::self_signed(None).unwrap();
    let pem = tls.authority_pem().unwrap().to_owned();
    let relay = MockRelay::builder(profile("")).tls(tls).start().unwrap();
    assert_eq!(relay.base_url(), format!("https://{}/v1", relay.addr()));
    for name in ["localhost", "127.0.0.1", "::1"] {
        let stream = dial(relay.addr(), &pem, name, &["h2", "http/1.1"]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut sender, _) = http2::handshake(stream).await;
        assert_eq!(http2::exchange(&mut sender, http2::chat("")).await.unwrap().0, 200);
    }
    let stream = dial(relay.addr(), &pem, "localhost", &["http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    is_answered_over_http1(stream).await;
    is_answered_over_http1(dial(relay.addr(), &pem, "localhost", &[]).await.unwrap()).await;
    let known = dial(relay.addr(), &pem, "localhost", &[]).await.unwrap();
    let (mut sender, _) = http2::handshake(known).await;
    assert_eq!(http2::exchange(&mut sender, http2::chat("")).await.unwrap().0, 200);
}

#[tokio::test]
async fn another_name_another_authority_and_no_tls_at_all_are_not_served() {
    let tls = Tls::self_signed(None).unwrap();
    let pem = tls.authority_pem().unwrap().to_owned();
    let stranger = Tls::self_signed(None).unwrap().authority_pem().unwrap().to_owned();
    let relay = MockRelay::builder(profile("")).tls(tls).start().unwrap();
    assert!(dial(relay.addr(), &pem, "example.com", &[]).await.is_err());
    assert!(dial(relay.addr(), &stranger, "localhost", &[]).await.is_err());
    let mut plain = TcpStream::connect(relay.addr()).await.unwrap();
    plain.write_all(&chat("", "")).await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    // A handshake that failed holds no connection.
    is_answered_over_http1(dial(relay.addr(), &pem, "localhost", &[]).await.unwrap()).await;
    assert_eq!(relay.ledger().entries().len(), 1);
}

#[tokio::test]
async fn a_reset_within_tls_is_a_reset_of_the_connection_beneath() {
    let tls = Tls::self_signed(None).unwrap();
    let pem = tls.authority_pem().unwrap().to_owned();
    let relay = MockRelay::builder(profile("[[fault]]\nfault = \"reset\"")).tls(tls).start().unwrap();
    let mut stream = dial(relay.addr(), &pem, "localhost", &["http/1.1"]).await.unwrap();
    stream.write_all(&chat("", "")).await.unwrap();
    let error = stream.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_shutdown_does_not_wait_for_a_handshake_that_nobody_ends() {
    // Neither what is accepted slowly nor what was never begun: without an end to either, this would take an hour.
    for toml in ["", "[[fault]]\nfault = \"slow-accept=1h\""] {
        let relay = MockRelay::builder(profile(toml)).tls(Tls::self_signed(None).unwrap()).start().unwrap();
        let mut silent = std::net::TcpStream::connect(relay.addr()).unwrap();
        while relay.server().connections() < 1 {
            std::thread::yield_now();
        }
        relay.shutdown(std::time::Duration::from_secs(3600));
        assert!(matches!(std::io::Read::read(&mut silent, &mut [0; 10]), Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn certificate_files_are_served_and_wrong_ones_are_refused_by_name() {
    let made = rcgen::generate_simple_self_signed(["relay.test".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(path("other.pem"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let tls = Tls::from_files(path("cert.pem"), path("key.pem")).unwrap();
    assert_eq!(tls.authority_pem(), None);
    let relay = MockRelay::builder(profile("")).tls(tls).start().unwrap();
    is_answered_over_http1(dial(relay.addr(), &made.cert.pem(), "relay.test", &[]).await.unwrap()).await;

    let error = |certificate: &str, key: &str| Tls::from_files(path(certificate), path(key)).unwrap_err();
    assert!(error("none.pem", "key.pem").to_string().starts_with("cannot read a certificate in "));
    assert!(error("key.pem", "key.pem").to_string().starts_with("cannot read a certificate in "));
    assert!(error("cert.pem", "cert.pem").to_string().starts_with("cannot read a key in "));
    let mismatched = error("cert.pem", "other.pem");
    assert!(matches!(mismatched, TlsError::Mismatched { .. }));
    assert!(["cert.pem", "other.pem"].iter().all(|file| mismatched.to_string().contains(file)), "{mismatched}");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    std::fs::write(path("encrypted.pem"), encrypted).unwrap();
    let said = error("cert.pem", "encrypted.pem").to_string();
    assert!(said.starts_with("the key in ") && said.contains("is encrypted; write it without a password"), "{said}");
}
