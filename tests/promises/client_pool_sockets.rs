//! The pool over real sockets and TLS, with both transports.

use std::time::Duration;

use relaybench::client::{ErrorKind, Policy, RequestId, TransportKind};
use relaybench_clock::sleep;

use crate::support::http2_relay::Http2Relay;
use crate::support::raw_relay::{COMPLETION, RawRelay, Step, question, response, success};
use crate::support::sockets::{self, BOTH};
use crate::support::tls::Authority;

#[tokio::test]
async fn a_certificate_is_trusted_when_its_root_is_given() {
    let authority = Authority::new();
    for transport in BOTH {
        let address = Http2Relay::new(Duration::ZERO).listen(authority.acceptor(&["http/1.1"])).await;
        let client = authority.client(address, transport).build().unwrap();
        assert_eq!(client.chat(question()).await.unwrap().content(), "Hello.", "{transport:?}");

        let stranger = Authority::new().client(address, transport).build().unwrap();
        let error = stranger.chat(question()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{transport:?}: {error:?}");
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let client = relaybench::Client::builder().base_url("https://relay.example/v1").root_certificate_pem("nonsense");
    assert!(client.build().unwrap_err().is_config());
}

#[tokio::test]
async fn an_attempt_tells_its_connection_over_both_transports() {
    for transport in BOTH {
        let relay = RawRelay::start([success()]);
        let address = sockets::serve(&relay).await;
        let client = sockets::client(address, transport).build().unwrap();
        let mut connections = Vec::new();
        for _ in 0..2 {
            let attempt = client.chat(question()).await.unwrap().into_attempts().remove(0);
            connections.push((attempt.connection.unwrap().id, attempt.connection.unwrap().reused, attempt.connect.is_some()));
        }
        assert_eq!(connections, [(1, false, true), (1, true, false)], "{transport:?}");
        let pool = client.pool();
        assert_eq!((pool.opened, pool.waits.count(), pool.waits.waited()), (1, 2, 0), "{transport:?}");
    }
}

#[tokio::test]
async fn waits_are_in_order_and_counted_over_both_transports() {
    for transport in BOTH {
        let answer = response("200 OK", "application/json", &[], COMPLETION);
        let relay = RawRelay::start([Step::Drip(vec![(Duration::from_millis(20), answer)])]);
        let address = sockets::serve(&relay).await;
        let client = sockets::client(address, transport).max_connections_per_host(1).build().unwrap();
        let prepared = client.prepare(&question()).unwrap();
        let sent = (0..5).map(|index| client.send(&prepared, RequestId::new(format!("r-{index}")).unwrap()));
        let answers = futures_util::future::join_all(sent).await;
        let queued: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().attempts()[0].queued).collect();
        assert!(queued.is_sorted() && queued[0].is_zero() && !queued[1].is_zero(), "{transport:?}: {queued:?}");
        let pool = client.pool();
        assert_eq!((pool.peak, pool.waiting, pool.waits.count(), pool.waits.waited()), (1, 0, 5, 4), "{transport:?}");
        assert_eq!(pool.waits.total(), queued.iter().sum::<Duration>(), "{transport:?}");
        let seen = relay.attempts();
        let order: Vec<_> = seen.iter().map(|seen| seen.header("x-client-request-id").unwrap()).collect();
        assert_eq!(order, ["r-0", "r-1", "r-2", "r-3", "r-4"], "{transport:?}");
    }
}

#[tokio::test]
async fn no_connection_is_used_beyond_its_age_over_both_transports() {
    for transport in BOTH {
        for (age, expected) in [(Duration::from_millis(50), [false, false]), (Duration::from_secs(3600), [false, true])] {
            let relay = RawRelay::start([success()]);
            let address = sockets::serve(&relay).await;
            let client = sockets::client(address, transport).max_connection_age(age).build().unwrap();
            let mut reused = Vec::new();
            for _ in 0..2 {
                reused.push(client.chat(question()).await.unwrap().attempts()[0].connection.unwrap().reused);
                sleep(Duration::from_millis(60)).await;
            }
            assert_eq!(reused, expected, "{transport:?}, {age:?}");
        }
    }
}

#[tokio::test]
async fn an_idle_timeout_of_zero_uses_no_connection_twice() {
    for transport in BOTH {
        let relay = RawRelay::start([success()]);
        let address = sockets::serve(&relay).await;
        let client = sockets::client(address, transport).idle_timeout(Duration::ZERO).build().unwrap();
        for _ in 0..3 {
            client.chat(question()).await.unwrap();
        }
        assert_eq!((relay.connections_opened(), client.pool().opened), (3, 3), "{transport:?}");
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_it_was_idle_costs_no_attempt() {
    for transport in BOTH {
        let relay = RawRelay::start([Step::WriteAndClose(response("200 OK", "application/json", &[], COMPLETION))]);
        let address = sockets::serve(&relay).await;
        // Kept for long, and without retries.
        let client = sockets::client(address, transport).policy(Policy::none()).build().unwrap();
        for _ in 0..5 {
            let attempts = client.chat(question()).await.unwrap().into_attempts();
            assert_eq!(attempts.len(), 1, "{transport:?}");
            sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(relay.connections_opened(), 5, "{transport:?}");
    }
}

/// Whether the kernel is about to ask the other side of this machine's connection to `address` if it is there.
#[cfg(target_os = "linux")]
fn is_kept_alive(address: std::net::SocketAddr) -> bool {
    const ESTABLISHED: &str = "01";
    const KEEP_ALIVE: &str = "02";
    let remote = format!("0100007F:{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let mut rows = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row[2] == remote && row[3] == ESTABLISHED).expect("the connection is kept");
    row[5].starts_with(KEEP_ALIVE)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn tcp_asks_whether_the_other_side_is_there_if_it_is_to() {
    for transport in BOTH {
        for silence in [Some(Duration::from_secs(15)), None] {
            let relay = RawRelay::start([success()]);
            let address = sockets::serve(&relay).await;
            let client = sockets::client(address, transport).tcp_keepalive(silence).build().unwrap();
            client.chat(question()).await.unwrap();
            // Until the last acknowledgement is there another timer may run.
            let until = relaybench_clock::now() + Duration::from_secs(30);
            while is_kept_alive(address) != silence.is_some() {
                assert!(relaybench_clock::now() < until, "{transport:?}, {silence:?}");
                sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

#[tokio::test]
async fn keep_alive_of_tcp_is_at_least_a_second() {
    let build =
        |silence: Duration| sockets::client(([127, 0, 0, 1], 1).into(), TransportKind::Hyper).tcp_keepalive(silence).build();
    assert!(build(Duration::from_secs(1)).is_ok());
    assert!(build(Duration::from_millis(999)).unwrap_err().is_config());
}
