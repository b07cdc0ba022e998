//! Whatever the policy and whatever goes wrong: the total timeout is the end.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::StreamBody;
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use proptest::prelude::*;
use relaybench::Client;
use relaybench::client::{BrokenStreams, ClientBuilder, Jitter, Policy, Timeout};
use relaybench_clock::{HyperTimer, Instant, now, run_virtual, sleep};

use crate::support::http2_relay;
use crate::support::raw_relay::{COMPLETION, RawRelay, Step, error, question, response, success};
use crate::support::streams::{HEAD, said};

fn any_step() -> impl Strategy<Value = Step> {
    let pieces = |ms: u64| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n".to_owned();
        let piece = (Duration::from_millis(ms), "{\"choices\": ".to_owned());
        std::iter::once((Duration::from_millis(ms), head)).chain(std::iter::repeat_n(piece, 20)).collect()
    };
    prop_oneof![
        Just(Step::Hang),
        Just(success()),
        Just(Step::WriteAndClose(String::new())),
        Just(Step::WriteAndClose("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned())),
        Just(Step::Write(response("502 Bad Gateway", "text/html", &[], "<html></html>"))),
        (1_u64..90_000).prop_map(|ms| error("429 Too Many Requests", "busy", &[("retry-after-ms", &ms.to_string())])),
        Just(error("503 Service Unavailable", "busy", &[])),
        (1_u64..3_000).prop_map(move |ms| Step::Drip(pieces(ms))),
        (0_u64..8_000).prop_map(|ms| {
            let chunk = (Duration::from_millis(ms), said("x"));
            Step::DripAndClose(
                std::iter::once((Duration::ZERO, HEAD.to_owned())).chain(std::iter::repeat_n(chunk, 9)).collect(),
                Duration::ZERO,
            )
        }),
        (1_u64..40_000).prop_map(|ms| Step::Drip(vec![(
            Duration::from_millis(ms),
            "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n".to_owned()
        )])),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let preset = prop::sample::select(Policy::names().collect::<Vec<_>>());
    let jitter = prop::sample::select(vec![Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Quarter, Jitter::Decorrelated]);
    let ms = |longest: u64| (1..longest).prop_map(Duration::from_millis);
    let broken = prop::sample::select(vec![BrokenStreams::Fail, BrokenStreams::Restart]);
    (preset, jitter, 1_u32..8, ms(60_000), ms(5_000), prop::option::of(ms(20_000)), any::<bool>(), broken).prop_map(
        |(preset, jitter, attempts, total, base, read, is_bounded, broken)| {
            let mut policy = Policy::named(preset).unwrap();
            policy.timeouts.total = total;
            policy.timeouts.read = read;
            let retry = &mut policy.retry;
            (retry.jitter, retry.attempts, retry.base, retry.cap) = (jitter, attempts, base, 4 * base);
            retry.broken_streams = broken;
            if !is_bounded {
                (retry.budget, retry.billing_risk) = (None, None);
            }
            policy
        },
    )
}

/// What a relay of HTTP/2 answers: never, or after a pause a head and, each after its pause, pieces of a body, complete or cut.
#[derive(Clone, Debug)]
struct Answer {
    head_ms: Option<u64>,
    status: u16,
    piece_ms: u64,
    piece: &'static str,
    pieces: u32,
    is_cut: bool,
}

fn any_answer() -> impl Strategy<Value = Answer> {
    const CHUNK: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
    let piece = prop::sample::select(vec![COMPLETION, CHUNK, ": ping\n\n", "{\"choices\": "]);
    let head = prop::option::weighted(0.8, 0_u64..20_000);
    (head, prop::sample::select(vec![200, 200, 429, 503]), 0_u64..5_000, piece, 0_u32..20, any::<bool>()).prop_map(
        |(head_ms, status, piece_ms, piece, pieces, is_cut)| Answer { head_ms, status, piece_ms, piece, pieces, is_cut },
    )
}

/// A client of HTTP/2 and the relay it talks to, which plays these answers and then the last for ever.
fn http2_client(script: Vec<Answer>) -> ClientBuilder {
    let next = Arc::new(AtomicUsize::new(0));
    let script = Arc::new(script);
    http2_relay::in_memory(move || {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (next, script) = (Arc::clone(&next), Arc::clone(&script));
        let service = service_fn(move |_| {
            let answer = script[next.fetch_add(1, Relaxed).min(script.len() - 1)].clone();
            async move {
                match answer.head_ms {
                    None => std::future::pending().await,
                    Some(head_ms) => sleep(Duration::from_millis(head_ms)).await,
                }
                let kind = if answer.piece.starts_with('{') { "application/json" } else { "text/event-stream" };
                let head = Response::builder().status(answer.status).header("content-type", kind);
                Ok::<_, Infallible>(head.body(StreamBody::new(Box::pin(pieces(answer)))).expect("it is valid"))
            }
        });
        let server = http2::Builder::new(TokioExecutor::new()).timer(HyperTimer).serve_connection(TokioIo::new(far), service);
        tokio::spawn(server);
        Ok(near)
    })
}

fn pieces(answer: Answer) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, &'static str>> {
    futures_util::stream::unfold(0, move |count| async move {
        sleep(Duration::from_millis(answer.piece_ms)).await;
        let piece = match count.cmp(&answer.pieces) {
            Ordering::Less => Ok(Frame::data(Bytes::from_static(answer.piece.as_bytes()))),
            Ordering::Equal if answer.is_cut => Err("cut"),
            _ => return None,
        };
        Some((piece, count + 1))
    })
}

#[derive(Clone, Debug)]
enum Script {
    Http1(Vec<Step>),
    Http2(Vec<Answer>),
}

/// A request, with figures of its own or without, and how long its caller is busy with each chunk.
#[derive(Clone, Debug)]
struct Asked {
    is_streamed: bool,
    total: Option<Duration>,
    figure: Option<(Timeout, Option<Duration>)>,
    busy: Duration,
}

fn any_request() -> impl Strategy<Value = Asked> {
    let ms = |longest: u64| (0..longest).prop_map(Duration::from_millis);
    let figure = (prop::sample::select(Timeout::ALL.to_vec()), prop::option::of((1_u64..30_000).prop_map(Duration::from_millis)));
    let total = prop::option::of((1_u64..60_000).prop_map(Duration::from_millis));
    (any::<bool>(), total, prop::option::of(figure), prop_oneof![Just(Duration::ZERO), ms(9_000)])
        .prop_map(|(is_streamed, total, figure, busy)| Asked { is_streamed, total, figure, busy })
}

impl Asked {
    /// How much later than at the total timeout its caller got an answer to what was asked for before; and if it was asked for only
    /// after it, how long that took.
    async fn lateness(self, client: Client) -> Duration {
        let mut request = question();
        if let Some((which, figure)) = self.figure {
            request = request.timeout(which, figure);
        }
        if let Some(total) = self.total {
            request = request.total_timeout(total);
        }
        let end = now() + self.total.unwrap_or(client.policy().timeouts.total);
        let late = |asked: Instant| now().saturating_duration_since(end.max(asked));
        let begun = now();
        if !self.is_streamed {
            let _ = client.chat(request).await;
            return late(begun);
        }
        let opened = client.chat_stream(request).await;
        let mut latest = late(begun);
        if let Ok(mut stream) = opened {
            loop {
                let asked = now();
                let next = stream.next().await;
                latest = latest.max(late(asked));
                match next {
                    Some(Ok(_)) => sleep(self.busy).await,
                    _ => break,
                }
            }
        }
        latest
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// With few connections for several callers, over both protocols, and however slowly they read.
    #[test]
    fn no_request_outlives_its_total_timeout_by_a_millisecond(
        policy in any_policy(),
        script in prop_oneof![
            2 => prop::collection::vec(any_step(), 1..6).prop_map(Script::Http1),
            1 => prop::collection::vec(any_answer(), 1..6).prop_map(Script::Http2),
        ],
        connect_ms in 0_u64..3_000,
        connections in prop::option::of(1_usize..4),
        requests in prop::collection::vec(any_request(), 1..7),
    ) {
        let late = run_virtual(async move {
            let builder = match script {
                Script::Http1(script) => RawRelay::start(script).client_with_connect_delay(Duration::from_millis(connect_ms)),
                Script::Http2(script) => http2_client(script),
            };
            let mut builder = builder.policy(policy);
            if let Some(connections) = connections {
                builder = builder.max_connections(connections);
            }
            let client = builder.build().unwrap();
            let asked = requests.into_iter().map(|request| request.lateness(client.clone()));
            join_all(asked).await.into_iter().max().unwrap_or_default()
        });
        prop_assert!(late <= Duration::from_millis(1), "{late:?} late");
    }
}
