//! What keeping connections gains over TLS on this machine: requests a second with and without, at one latency of the answers.
//!
//! On loopback a handshake costs no distance, only the processors' work, which client and server here share. The gain in a closed
//! loop is the time to open a connection over the latency; `tests/promises/client_pool.rs` has it in exact figures.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use relaybench::client::{Client, Policy, TransportKind};
use relaybench_clock::now;
use relaybench_mock::{MockServer, Profile};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::{closed_loop, request};

const IN_FLIGHT: usize = 50;
/// The claim is of 40 %; it is measured beside it.
const CLAIMED_PERCENT: f64 = 40.0;

/// Whether connections are kept.
const KINDS: [(&str, Option<Duration>); 2] = [("kept", Some(Duration::from_secs(4))), ("fresh", Some(Duration::ZERO))];

pub(crate) fn pooling(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("pooling");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(1));
    for (name, latency_ms) in [("at-once", 0), ("100ms", 100)] {
        let (address, certificate) = tls_relay(latency_ms);
        let mut medians = Vec::new();
        for (kind, idle_timeout) in KINDS {
            let client = Client::builder()
                .base_url(format!("https://{address}/v1"))
                .api_key("sk-bench")
                .policy(Policy::none())
                .transport(TransportKind::Hyper)
                .idle_timeout(idle_timeout)
                .root_certificate_pem(certificate.clone())
                .build()
                .expect("the base URL is a mock's own");
            let mut times = Vec::new();
            group.bench_function(format!("{kind}/{name}"), |bencher| {
                bencher.iter_custom(|iterations| {
                    let time = runtime.block_on(time_of_one(&client, iterations));
                    times.push(time);
                    time.mul_f64(iterations as f64)
                });
            });
            times.sort_unstable();
            medians.extend(times.get(times.len() / 2).map(Duration::as_secs_f64));
        }
        report(name, &medians);
    }
    group.finish();
}

/// In whole waves: a last one that is half full would take as long.
async fn time_of_one(client: &Client, requests: u64) -> Duration {
    let waves = requests.div_ceil(IN_FLIGHT as u64);
    let sent = waves * IN_FLIGHT as u64;
    let start = now();
    let succeeded = closed_loop(IN_FLIGHT, sent, || async { client.chat(request()).await.is_ok() }).await;
    assert_eq!(succeeded, sent, "requests failed, so that this measures something else");
    start.elapsed().div_f64(sent as f64)
}

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn report(name: &str, medians: &[f64]) {
    if let [kept, fresh] = medians {
        let gain_percent = (fresh / kept - 1.0) * 100.0;
        println!(
            "pooling: answers {name}: keeping connections gains {gain_percent:.0} %, beside the {CLAIMED_PERCENT} % claimed\n"
        );
    }
}

/// A mock behind TLS on a thread and a port of its own, until the process ends, and its certificate in PEM.
fn tls_relay(latency_ms: u64) -> (SocketAddr, String) {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a name is all it takes");
    let certificate = certified.cert.pem();
    let (address, listening) = mpsc::channel();
    let serve = move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            address.send(listener.local_addr().expect("it is bound")).expect("somebody waits for it");
            let (acceptor, server) = (acceptor(&certified), MockServer::new(profile(latency_ms)));
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("it was just accepted");
                let (acceptor, server) = (acceptor.clone(), server.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        server.serve_connection(stream).await;
                    }
                });
            }
        });
    };
    drop(thread::Builder::new().name("tls-relay".to_owned()).spawn(serve).expect("a thread"));
    (listening.recv().expect("it listens"), certificate)
}

/// The instant profile, with every answer complete after this long.
fn profile(latency_ms: u64) -> Profile {
    let text = format!("name = \"pooling\"\n[latency]\ntotal = {{ dist = \"fixed\", value = \"{latency_ms}ms\" }}\n");
    Profile::parse(&text, "pooling").expect("it is a profile")
}

fn acceptor(certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("it was just made");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("key and certificate belong together");
    TlsAcceptor::from(Arc::new(config))
}
