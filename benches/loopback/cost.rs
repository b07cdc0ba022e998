//! What a request costs the server: the processor time of its thread, of the mock at zero delay and of bare hyper with the same
//! answer. The mock parses, checks the key, draws, keeps a ledger and writes the answer; bare hyper does none of it.
//!
//! A server's cost is its own processor time, not the rate at which a driver reaches it. Where the system does not tell a thread's
//! time (`/proc/self/task/*/schedstat`), nothing is measured.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, SamplingMode, Throughput};
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use relaybench_mock::{MockRelay, Profile};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::raw::{self, Connection};

const CONNECTIONS: u64 = 50;
/// The two take turns, so that a machine that slows down slows down both.
const ROUNDS: usize = 3;

pub(crate) fn cost(criterion: &mut Criterion) {
    let relay = MockRelay::start(Profile::load("instant").expect("it is compiled in")).expect("a free port on loopback");
    let Some(mock_clock) = ThreadClock::of("relaybench-mock") else { return };
    let runtime = Builder::new_current_thread().enable_io().build().expect("a runtime");
    let answer = runtime.block_on(async {
        let mut connection = Connection::open(relay.addr()).await.expect("the relay listens");
        connection.exchange(&raw::request("")).await.expect("it answers").to_vec()
    });
    let bare = bare_hyper(&answer);
    let bare_clock = ThreadClock::of("bare-hyper").expect("the mock's was found");

    let mut group = criterion.benchmark_group("server-cpu");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Elements(1));
    let mut medians = [Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        for (which, (name, addr, clock)) in
            [("relaybench-mock", relay.addr(), &mock_clock), ("bare-hyper", bare, &bare_clock)].into_iter().enumerate()
        {
            let mut costs = Vec::new();
            group.bench_function(format!("{name}/{round}"), |bencher| {
                bencher.iter_custom(|requests| {
                    let spent = spend(&runtime, addr, clock, requests);
                    costs.push(spent.as_secs_f64() / requests as f64);
                    spent
                });
            });
            costs.sort_by(f64::total_cmp);
            medians[which].extend(costs.get(costs.len() / 2).copied());
            relay.ledger().drain();
        }
    }
    group.finish();
    report(&medians);
}

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn report([mock, bare]: &[Vec<f64>; 2]) {
    let mut ratios: Vec<f64> = mock.iter().zip(bare).map(|(mock, bare)| mock / bare).collect();
    ratios.sort_by(f64::total_cmp);
    if let Some(median) = ratios.get(ratios.len() / 2) {
        println!(
            "server-cpu: a request costs the mock {median:.2} times what it costs bare hyper, round by round {ratios:.2?}\n"
        );
    }
}

/// Sends so many requests, and tells what they cost the thread whose clock this is.
fn spend(runtime: &Runtime, addr: SocketAddr, clock: &ThreadClock, requests: u64) -> Duration {
    let request = raw::request("");
    let (opened, share) = (requests.min(CONNECTIONS), requests.div_ceil(CONNECTIONS));
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..opened {
            connections.push(Connection::open(addr).await.expect("it listens"));
        }
        let before = clock.read();
        let callers = connections.iter_mut().enumerate().map(|(caller, connection)| {
            let mine = share.min(requests.saturating_sub(caller as u64 * share));
            let request = &request;
            async move {
                for _ in 0..mine {
                    connection.exchange(request).await.expect("it answers");
                }
            }
        });
        join_all(callers).await;
        clock.read() - before
    })
}

/// A server without any of the mock's work, which gives this answer to every request.
fn bare_hyper(answer: &[u8]) -> SocketAddr {
    let (head, body) = split(answer);
    let (addr, listening) = mpsc::channel();
    let serve = move || {
        let runtime = Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            addr.send(listener.local_addr().expect("it is bound")).expect("somebody waits for it");
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("it was just accepted");
                let (head, body) = (head.clone(), body.clone());
                tokio::spawn(async move {
                    let service = service_fn(|request: Request<hyper::body::Incoming>| {
                        let (head, body) = (head.clone(), body.clone());
                        async move {
                            let _ = request.into_body().collect().await;
                            let mut response = Response::new(Full::new(body));
                            *response.headers_mut() = head;
                            Ok::<_, Infallible>(response)
                        }
                    });
                    let builder = hyper::server::conn::http1::Builder::new();
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    };
    // It serves until the process ends.
    drop(thread::Builder::new().name("bare-hyper".to_owned()).spawn(serve).expect("a thread"));
    listening.recv().expect("it listens")
}

/// Headers, but for those that hyper writes itself, and body.
fn split(answer: &[u8]) -> (HeaderMap, Bytes) {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("it is whole") + 4;
    let head = std::str::from_utf8(&answer[..end]).expect("the mock's headers are text");
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = fields.filter(|(name, _)| !["date", "content-length"].contains(name)).map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("it was a header's name");
        (name, HeaderValue::from_str(value).expect("it was a header's value"))
    });
    (headers.collect(), Bytes::copy_from_slice(&answer[end..]))
}

/// The processor time of one thread of this process.
struct ThreadClock(PathBuf);

impl ThreadClock {
    fn of(name: &str) -> Option<Self> {
        let tasks = fs::read_dir("/proc/self/task").ok()?.filter_map(|task| Some(task.ok()?.path()));
        let is_it = |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
        let clock = Self(tasks.into_iter().find(is_it)?.join("schedstat"));
        clock.try_read().is_some().then_some(clock)
    }

    fn read(&self) -> Duration {
        self.try_read().expect("the thread lives as long as its server")
    }

    fn try_read(&self) -> Option<Duration> {
        // Its first number is the time on a processor, in nanoseconds.
        let schedstat = fs::read_to_string(&self.0).ok()?;
        Some(Duration::from_nanos(schedstat.split_ascii_whitespace().next()?.parse().ok()?))
    }
}
