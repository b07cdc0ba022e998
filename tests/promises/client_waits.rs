//! Who waits for a connection that another opens, or for a free stream of one, is in the queue and not connecting: under its own
//! clocks, to the nanosecond, and counted. A connect that nobody waits for ends too.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use relaybench::client::{ClientBuilder, ErrorKind, Http2, Policy, Progress, Protocol, Timeout, TransportKind};
use relaybench::{ChatRequest, ChatResponse, Client, Error};
use relaybench_clock::{now, run_virtual, sleep};
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::support::http2_relay::Http2Relay;
use crate::support::raw_relay::{COMPLETION, RawRelay, Step, question, response};
use crate::support::sockets::{self, BOTH};
use crate::support::tls::Authority;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
/// No round number, so that nothing is exact by chance.
const FIGURE: Duration = Duration::from_nanos(1_234_567_891);

fn ask(client: &Client, request: ChatRequest) -> JoinHandle<Result<ChatResponse, Error>> {
    let client = client.clone();
    tokio::spawn(async move { client.chat(request).await })
}

/// A client of HTTP/2 that shares a single connection.
fn one_connection(builder: ClientBuilder) -> Client {
    let mut http2 = Http2::default();
    http2.connections = 1;
    builder.policy(Policy::none()).protocol(Protocol::Http2).http2(http2).build().unwrap()
}

#[test]
fn who_waits_for_a_connection_that_another_opens_is_in_the_queue() {
    run_virtual(async {
        let relay = Http2Relay::new(SECOND);
        let client = one_connection(relay.client_with_connect_delay(10 * SECOND));
        let start = now();
        let opener = ask(&client, question());
        let hurried = ask(&client, question().timeout(Timeout::Queue, FIGURE));
        // It opens nothing, so that this is no figure of its own.
        let patient = ask(&client, question().timeout(Timeout::Connect, SECOND));
        sleep(SECOND / 2).await;
        assert_eq!(client.pool().waiting, 2);

        let error = hurried.await.unwrap().unwrap_err();
        let attempt = &error.attempts()[0];
        assert_eq!((error.kind(), start.elapsed(), attempt.queued), (ErrorKind::QueueTimeout, FIGURE, FIGURE));
        let queued = |answer: Result<ChatResponse, Error>| answer.unwrap().attempts()[0].queued;
        assert_eq!(queued(opener.await.unwrap()), Duration::ZERO);
        assert_eq!((queued(patient.await.unwrap()), start.elapsed()), (10 * SECOND, 11 * SECOND));
        let pool = client.pool();
        assert_eq!((pool.waiting, pool.gave_up, pool.waits.count(), pool.waits.waited()), (0, 1, 2, 1));
        assert_eq!(pool.waits.longest(), 10 * SECOND);
    });
}

#[test]
fn who_waited_for_a_connect_that_came_to_nothing_opens_its_own_in_its_own_time() {
    run_virtual(async {
        let relay = Http2Relay::new(SECOND);
        let client = one_connection(relay.client_with_connect_delay(10 * SECOND));
        let start = now();
        let first = ask(&client, question().timeout(Timeout::Connect, 3 * SECOND));
        let second = ask(&client, question().timeout(Timeout::Connect, FIGURE));
        let third = ask(&client, question());

        let error = first.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (ErrorKind::ConnectTimeout, 3 * SECOND));
        let error = second.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (ErrorKind::ConnectTimeout, 3 * SECOND + FIGURE));
        assert_eq!(error.attempts()[0].queued, 3 * SECOND);
        let answer = third.await.unwrap().unwrap();
        assert_eq!((answer.attempts().len(), answer.attempts()[0].queued), (1, 3 * SECOND + FIGURE));
        assert_eq!(start.elapsed(), 3 * SECOND + FIGURE + 11 * SECOND);
        assert_eq!(client.pool().gave_up, 0);
    });
}

#[test]
fn who_waits_for_a_free_stream_is_in_the_queue() {
    run_virtual(async {
        let relay = Http2Relay::with_streams(1, 10 * SECOND);
        let client = one_connection(relay.client());
        // By its answer the client knows how many streams there are.
        client.chat(question()).await.unwrap();
        let start = now();
        let first = ask(&client, question());
        let hurried = ask(&client, question().timeout(Timeout::Queue, FIGURE));
        let patient = ask(&client, question().timeout(Timeout::Connect, SECOND));

        let error = hurried.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (ErrorKind::QueueTimeout, FIGURE), "{error}");
        let attempt = &error.attempts()[0];
        assert_eq!((attempt.queued, attempt.progress, attempt.sent), (FIGURE, Progress::NeverSent, None));
        let queued = |answer: Result<ChatResponse, Error>| answer.unwrap().attempts()[0].queued;
        assert_eq!(queued(first.await.unwrap()), Duration::ZERO);
        assert_eq!((queued(patient.await.unwrap()), start.elapsed()), (10 * SECOND, 20 * SECOND));
        let pool = client.pool();
        assert_eq!((pool.waiting, pool.gave_up, pool.waits.waited()), (0, 1, 1));
        // Who gave up is not sent when its stream is free at last.
        assert_eq!(relay.bodies(), 3);
    });
}

#[tokio::test]
async fn waiting_for_a_free_stream_is_not_connecting_over_both_transports() {
    let authority = Authority::new();
    for transport in BOTH {
        let relay = Http2Relay::with_streams(1, 100 * MILLISECOND);
        let address = relay.listen(authority.acceptor(&["h2"])).await;
        let client = one_connection(authority.client(address, transport));
        client.chat(question()).await.unwrap();
        let strict = question().timeout(Timeout::Connect, MILLISECOND);
        let [first, second] = join_all([question(), strict].map(|request| client.chat(request))).await.try_into().unwrap();
        first.unwrap();
        let attempts = second.unwrap().into_attempts();
        assert!(!attempts[0].queued.is_zero(), "{transport:?}");
        assert!(client.pool().waits.waited() >= 1, "{transport:?}");
    }
}

/// A server that takes connections and never says a word, and a client that negotiates with it for ever.
async fn black_hole(transport: TransportKind) -> (Client, JoinHandle<Result<ChatResponse, Error>>) {
    let arrived = Arc::new(Semaphore::new(0));
    let come = Arc::clone(&arrived);
    let address = sockets::accept(move |stream, _| {
        come.add_permits(1);
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(stream);
        });
        Ok(())
    })
    .await;
    let builder = sockets::client(address, transport).base_url(format!("https://{address}/v1")).protocol(Protocol::Negotiate);
    let client = builder.build().unwrap();
    let opener = ask(&client, question());
    arrived.acquire().await.unwrap().forget();
    (client, opener)
}

#[tokio::test]
async fn behind_a_handshake_that_never_ends_callers_wait_in_the_queue_by_their_own_clocks() {
    const SOON: Duration = Duration::from_millis(50);
    for transport in BOTH {
        let (client, opener) = black_hole(transport).await;
        let hurried = question().timeout(Timeout::Queue, SOON);
        let errors = join_all((0..3).map(|_| client.chat(hurried.clone()))).await;
        for error in errors.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::QueueTimeout, "{transport:?}: {error}");
            let attempt = &error.attempts()[0];
            assert!(attempt.queued >= SOON && attempt.progress == Progress::NeverSent, "{transport:?}: {attempt:?}");
        }
        let pool = client.pool();
        assert_eq!((pool.waiting, pool.gave_up), (0, 3), "{transport:?}");
        opener.abort();
    }
}

/// All of them together, and not one after the other.
#[tokio::test]
async fn behind_a_handshake_that_never_ends_callers_lose_patience_and_open_their_own() {
    const SOON: Duration = Duration::from_millis(50);
    for transport in BOTH {
        let (client, opener) = black_hole(transport).await;
        let before = client.pool().waiting;
        let hurried = question().timeout(Timeout::Connect, SOON);
        let errors = join_all((0..3).map(|_| client.chat(hurried.clone()))).await;
        for error in errors.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::ConnectTimeout, "{transport:?}: {error}");
            let attempt = &error.attempts()[0];
            // As long as another's connect may take, and then as long as its own may.
            assert!(attempt.queued >= SOON && attempt.ended - attempt.started >= 2 * SOON, "{transport:?}: {attempt:?}");
        }
        let pool = client.pool();
        assert_eq!((before, pool.waiting, pool.gave_up), (0, 0, 0), "{transport:?}");
        opener.abort();
    }
}

#[test]
fn a_connect_that_nobody_waits_for_ends_at_the_connect_timeout_and_else_after_a_minute() {
    for (limit, ends) in [(Some(5 * SECOND), 5 * SECOND), (None, 60 * SECOND)] {
        run_virtual(async move {
            let answer = Step::Drip(vec![(4 * SECOND, response("200 OK", "application/json", &[], COMPLETION))]);
            let relay = RawRelay::start([answer]);
            let client = relay.client_with_connect_delay(1000 * SECOND).policy(Policy::none()).idle_timeout(None);
            let client = client.total_timeout(5000 * SECOND).build().unwrap();
            let first = ask(&client, question());
            sleep(1001 * SECOND).await;
            // It begins to connect, and is given the first one's connection three seconds later.
            let second = ask(&client, question().timeout(Timeout::Connect, limit));
            assert!(first.await.unwrap().is_ok());
            assert!(second.await.unwrap().unwrap().attempts()[0].connection.unwrap().reused);
            // Four seconds of the second answer: seven since it began to connect.
            assert_eq!(client.pool().live, if limit.is_some() { 1 } else { 2 });
            sleep(ends.saturating_sub(7 * SECOND).saturating_sub(MILLISECOND)).await;
            assert_eq!(client.pool().live, if limit.is_some() { 1 } else { 2 });
            sleep(2 * MILLISECOND).await;
            assert_eq!((client.pool().live, relay.connections_opened()), (1, 1));
        });
    }
}

#[tokio::test]
async fn a_handshake_that_nobody_waits_for_ends_at_the_connect_timeout_over_both_transports() {
    let authority = Authority::new();
    for transport in BOTH {
        let (second_came, second_gone) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (come, gone, acceptor) = (Arc::clone(&second_came), Arc::clone(&second_gone), authority.acceptor(&["http/1.1"]));
        let address = sockets::accept(move |mut stream, number| {
            let (come, gone, acceptor) = (Arc::clone(&come), Arc::clone(&gone), acceptor.clone());
            tokio::spawn(async move {
                if number > 0 {
                    come.add_permits(1);
                    // Silent until the client leaves.
                    while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
                    gone.add_permits(1);
                } else if let Ok(mut stream) = acceptor.accept(stream).await {
                    let answer = response("200 OK", "application/json", &[], COMPLETION);
                    while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                        // The first answer comes when the second request connects.
                        come.acquire().await.unwrap().forget();
                        come.add_permits(1);
                        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await;
                    }
                }
            });
            Ok(())
        })
        .await;
        let client = authority.client(address, transport).idle_timeout(None).build().unwrap();
        let first = ask(&client, question());
        while client.pool().waits.count() == 0 {
            sleep(MILLISECOND).await;
        }
        let second = client.chat(question().timeout(Timeout::Connect, SECOND / 4)).await;
        first.await.unwrap().unwrap();
        // On a machine that stood still it may have connected for too long itself.
        assert!(second.is_ok() || second.is_err_and(|error| error.kind() == ErrorKind::ConnectTimeout), "{transport:?}");
        second_gone.acquire().await.unwrap().forget();
    }
}

/// The head of a refusal, and the beginning of its body.
fn begun_refusal() -> Step {
    let whole = response("429 Too Many Requests", "application/json", &[("retry-after", "7")], r#"{"error":{"message":"no"}}"#);
    Step::Write(whole[..whole.len() - 4].to_owned())
}

#[test]
fn a_refusal_whose_body_hangs_is_acted_on_after_a_second() {
    run_virtual(async {
        for (total, after, kind) in
            [(60 * SECOND, SECOND, ErrorKind::RateLimited), (FIGURE / 2, FIGURE / 2, ErrorKind::RateLimited)]
        {
            let relay = RawRelay::start([begun_refusal()]);
            let client = relay.client().policy(Policy::none()).total_timeout(total).build().unwrap();
            let start = now();
            let error = client.chat(question()).await.unwrap_err();
            assert_eq!((error.kind(), error.status(), start.elapsed()), (kind, Some(429), after));
            assert_eq!(error.retry_after(), Some(7 * SECOND));
            assert!(error.body().unwrap().starts_with(r#"{"error""#));
        }
    });
}

#[tokio::test]
async fn a_refusal_whose_body_hangs_is_acted_on_over_both_transports() {
    for transport in BOTH {
        let relay = RawRelay::start([begun_refusal()]);
        let client = sockets::client(sockets::serve(&relay).await, transport).total_timeout(600 * SECOND).build().unwrap();
        let error = client.chat(question()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(7 * SECOND)), "{transport:?}");
    }
}
