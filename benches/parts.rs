//! Hot functions, one at a time; and a simulated request beside the least that HTTP on both ends of a connection costs.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use relaybench::ChatRequest;
use relaybench::client::{Policy, TransportKind, connector};
use relaybench::load::{Extent, InFlight, Load, Outcome, Record, Run, Sample, Scenario, Stage, Stop, Unsent, Window};
use relaybench::report::Collector;
use relaybench::stats::Histogram;
use relaybench::target::Target;
use relaybench_clock::{HyperTimer, now, run_virtual, sleep};
use relaybench_mock::Profile;
use relaybench_mock::draw::{Draws, Purpose};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

fn stats(criterion: &mut Criterion) {
    let mut histogram = Histogram::default();
    let mut value = Duration::from_micros(1);
    criterion.bench_function("histogram/record", |bencher| {
        bencher.iter(|| {
            value = Duration::from_nanos((value.as_nanos() as u64).wrapping_mul(6_364_136_223_846_793_005) >> 24);
            histogram.record(value);
        });
    });
    criterion.bench_function("histogram/summary", |bencher| bencher.iter(|| histogram.summary()));
}

fn records(criterion: &mut Criterion) {
    let sample = Record::Sample(Sample {
        outcome: Outcome::Succeeded,
        window: Some(Window::Steady),
        sent: Some(Duration::from_nanos(1_234_567_890)),
        ended: Some(Duration::from_nanos(1_657_567_890)),
        service: Some(Duration::from_nanos(423_000_000)),
        attempts: 1,
        prompt_tokens: Some(14),
        completion_tokens: Some(53),
        ..Sample::unsent(0, 17, Unsent::Interrupted)
    });
    let mut line = Vec::new();
    criterion.bench_function("sample/write", |bencher| {
        bencher.iter(|| {
            line.clear();
            serde_json::to_writer(&mut line, &sample).expect("it is only numbers and names");
            line.len()
        });
    });
    criterion.bench_function("sample/read", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Record>(&line).is_ok());
    });
}

fn draws(criterion: &mut Criterion) {
    let mut attempt = 0;
    criterion.bench_function("mock/draw", |bencher| {
        bencher.iter(|| {
            attempt += 1;
            Draws::new(1, 42, attempt).uniform(Purpose::Latency)
        });
    });
}

/// Chunks of one stream.
const CHUNKS: usize = 1000;

/// What a chunk of a stream costs the client, from the bytes on the connection to the typed chunk: the stream is written at once.
fn streams(criterion: &mut Criterion) {
    const CHUNK: &str = concat!(
        r#"data: {"id":"chatcmpl-1234567890abcdef","object":"chat.completion.chunk","created":1767225600,"model":"gpt-4.1","#,
        r#""system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" quantum"},"logprobs":null,"finish_reason":null}]}"#,
        "\n\n"
    );
    let stream = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{}data: [DONE]\n\n", CHUNK.repeat(CHUNKS));
    let stream: &'static str = stream.leak();
    let dial = move || {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let _ = far.read(&mut [0; 4096]).await;
            let _ = far.write_all(stream.as_bytes()).await;
        });
        Ok(near)
    };
    let builder = relaybench::Client::builder().base_url("http://relay/v1").policy(Policy::none());
    let client = builder.connector(connector::memory(dial, Duration::ZERO)).build().expect("nothing is wrong with it");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("the system has room for one");
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(CHUNKS as u64));
    group.bench_function("1000-chunks", |bencher| {
        bencher.iter(|| {
            let read = async {
                let mut stream = client.chat_stream(ChatRequest::new("gpt-4.1").user("Hi")).await.ok()?;
                let mut count = 0;
                while let Some(Ok(_)) = stream.next().await {
                    count += 1;
                }
                Some(count)
            };
            assert_eq!(runtime.block_on(read), Some(CHUNKS));
        });
    });
    group.finish();
}

/// Requests in flight in the simulations.
const IN_FLIGHT: usize = 200;
/// Their latency: what is simulated is waiting.
const LATENCY: Duration = Duration::from_millis(400);

/// Requests simulated in a wall second on one core: a whole run of ours, and bare hyper on both ends of the same connections, which
/// is the most that any simulation over hyper can reach on this machine.
fn simulation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulated");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(1));
    group.bench_function("relaybench/200", |bencher| bencher.iter_custom(|requests| timed(|| whole_run(requests))));
    group.bench_function("bare-hyper/200", |bencher| bencher.iter_custom(|requests| timed(|| run_virtual(bare_hyper(requests)))));
    group.finish();
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = now();
    work();
    start.elapsed()
}

fn whole_run(requests: u64) {
    let mut scenario = Scenario::load("tutorial").expect("it is compiled in");
    let load = Load::Closed { concurrency: IN_FLIGHT.try_into().expect("not zero") };
    scenario.stages = vec![Stage { load, extent: Extent::Requests(requests), ..scenario.stages[0].clone() }];
    let target = Target::Virtual(Profile::load("holysheep").expect("it is compiled in"));
    let run = Run { scenario, policy: Policy::none(), target, transport: TransportKind::Hyper, catalog: None };
    let (collector, played) = run.play(&Stop::default(), &InFlight::default(), Collector::default());
    played.expect("nothing that a run in memory needs can be missing");
    assert!(collector.report().is_some_and(|report| report.verdict.valid || requests < 1000));
}

async fn bare_hyper(requests: u64) {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.timer(HyperTimer).pool_timer(HyperTimer);
    let client = builder.build(Memory);
    let uri = Uri::from_static("http://mock/v1/chat/completions");
    let send = || {
        let request = Request::post(uri.clone()).header("content-type", "application/json").body(Full::new(REQUEST));
        let answer = client.request(request.expect("its parts are constants"));
        async move { answer.await.ok()?.into_body().collect().await.ok().map(|body| body.to_bytes().len()) }
    };
    let (mut left, mut in_flight) = (requests, FuturesUnordered::new());
    loop {
        while in_flight.len() < IN_FLIGHT && left > 0 {
            left -= 1;
            in_flight.push(send());
        }
        match in_flight.next().await {
            Some(length) => assert_eq!(length, Some(ANSWER.len())),
            None => return,
        }
    }
}

const REQUEST: Bytes = Bytes::from_static(
    br#"{"model":"gpt-4.1","messages":[{"role":"user","content":"Explain quantum computing in 2 sentences."}],"max_tokens":500}"#,
);
/// As long as a completion of the mock.
const ANSWER: Bytes = Bytes::from_static(&[b' '; 600]);

/// Connections in memory whose other end answers after the latency.
#[derive(Clone, Copy)]
struct Memory;

impl tower_service::Service<Uri> for Memory {
    type Response = Stream;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Stream, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let service = service_fn(|request: Request<hyper::body::Incoming>| async {
            let _ = request.into_body().collect().await;
            sleep(LATENCY).await;
            Ok::<_, Infallible>(Response::new(Full::new(ANSWER)))
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(HyperTimer).header_read_timeout(None).auto_date_header(false);
        tokio::spawn(builder.serve_connection(TokioIo::new(far), service).map(drop));
        std::future::ready(Ok(Stream(TokioIo::new(near))))
    }
}

struct Stream(TokioIo<DuplexStream>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn short() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1)).sample_size(20)
}

criterion_group! { name = benches; config = short(); targets = stats, records, draws, streams, simulation }
criterion_main!(benches);
