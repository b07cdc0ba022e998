//! HTTP/2: several connections, pings, and who chooses the protocol.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use relaybench::Client;
use relaybench::client::{ErrorKind, Http2, Policy, Progress, Protocol, RequestId};
use relaybench_clock::{run_virtual, sleep};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};

use crate::support::http2_relay::{Http2Relay, Seen, in_memory};
use crate::support::raw_relay::question;
use crate::support::sockets::{self, BOTH};
use crate::support::tls::Authority;

const SECOND: Duration = Duration::from_secs(1);

fn connections(count: usize) -> Http2 {
    let mut http2 = Http2::default();
    http2.connections = count;
    http2
}

/// Sends so many requests at once.
async fn burst(client: &Client, count: usize) {
    for answer in client.batch((0..count).map(|_| question()), count).await {
        answer.unwrap();
    }
}

#[test]
fn requests_in_flight_are_shared_by_the_connections() {
    run_virtual(async {
        let relay = Http2Relay::new(SECOND);
        let client = relay.client().policy(Policy::none()).protocol(Protocol::Http2).http2(connections(3)).build().unwrap();
        burst(&client, 90).await;
        assert_eq!(relay.requests(), [30, 30, 30]);
        burst(&client, 90).await;
        assert_eq!(relay.requests(), [60, 60, 60]);
        let pool = client.pool();
        assert_eq!((pool.live, pool.peak, pool.opened), (3, 3, 3));
    });
}

#[test]
fn connections_that_are_not_needed_are_not_opened() {
    run_virtual(async {
        let relay = Http2Relay::new(SECOND);
        let client = relay.client().http2(connections(3)).build().unwrap();
        let mut used = Vec::new();
        for _ in 0..3 {
            let connection = client.chat(question()).await.unwrap().attempts()[0].connection.unwrap();
            used.push((connection.id, connection.reused, connection.is_http2));
        }
        assert_eq!(used, [(1, false, true), (1, true, true), (1, true, true)]);
        assert_eq!(relay.requests(), [3]);
    });
}

#[test]
fn an_old_connection_of_http2_carries_no_request() {
    run_virtual(async {
        let relay = Http2Relay::new(SECOND);
        let client = relay.client().http2(connections(1)).idle_timeout(None).max_connection_age(60 * SECOND).build().unwrap();
        for wait_s in [0, 58, 1] {
            sleep(wait_s * SECOND).await;
            burst(&client, 10).await;
        }
        assert_eq!(relay.requests(), [20, 10]);
    });
}

/// Greets as HTTP/2 demands, and then reads for ever and says nothing.
fn zombie() -> io::Result<DuplexStream> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(silent(far));
    Ok(near)
}

async fn silent(mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    const EMPTY_SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    io.write_all(&EMPTY_SETTINGS).await?;
    while io.read(&mut [0; 4096]).await? > 0 {}
    Ok(())
}

#[test]
fn a_connection_that_answers_no_ping_is_given_up() {
    run_virtual(async {
        let client = in_memory(zombie).policy(Policy::none()).protocol(Protocol::Http2).build().unwrap();
        let error = client.chat(question()).await.unwrap_err();
        let attempt = &error.attempts()[0];
        assert_eq!((error.kind(), attempt.progress), (ErrorKind::ReadTimeout, Progress::NoResponse), "{error:?}");
        // The interval of pings, and what an answer may take.
        assert_eq!(attempt.ended - attempt.sent.unwrap(), 25 * SECOND);
        assert_eq!(client.pool().live, 0);
    });
}

#[tokio::test]
async fn a_connection_that_answers_no_ping_is_given_up_over_both_transports() {
    for transport in BOTH {
        let address = sockets::accept(|stream, _| {
            tokio::spawn(silent(stream));
            Ok(())
        })
        .await;
        let mut http2 = Http2::default();
        (http2.ping_interval, http2.ping_timeout) = (Some(SECOND / 20), SECOND / 20);
        let client = sockets::client(address, transport).protocol(Protocol::Http2).http2(http2).build().unwrap();
        let error = client.chat(question()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadTimeout, "{transport:?}: {error:?}");
        assert_eq!(error.attempts()[0].progress, Progress::NoResponse, "{transport:?}");
    }
}

#[test]
fn without_pings_a_hung_connection_is_noticed_by_timeouts_alone() {
    run_virtual(async {
        let mut http2 = Http2::default();
        http2.ping_interval = None;
        let client = in_memory(zombie).policy(Policy::none()).protocol(Protocol::Http2).http2(http2).build().unwrap();
        assert_eq!(client.chat(question()).await.unwrap_err().kind(), ErrorKind::TotalTimeout);
    });
}

#[test]
fn a_pool_that_is_smaller_than_its_connections_of_http2_is_refused() {
    let build = |most: usize| in_memory(zombie).max_connections(most).http2(connections(4)).build();
    assert!(build(4).is_ok());
    let error = build(3).unwrap_err();
    assert!(error.is_config() && error.to_string().contains("as many connections as HTTP/2"), "{error}");
}

/// What the server takes, what the client wants, and what they agree on.
#[tokio::test]
async fn the_protocol_is_what_both_ends_take() {
    let authority = Authority::new();
    for transport in BOTH {
        for (offered, wanted, is_http2) in [
            (&["h2", "http/1.1"][..], Protocol::Http1, false),
            (&["h2", "http/1.1"], Protocol::Negotiate, true),
            (&["h2", "http/1.1"], Protocol::Http2, true),
            (&["http/1.1"], Protocol::Negotiate, false),
            (&[], Protocol::Negotiate, false),
        ] {
            let relay = Http2Relay::new(Duration::ZERO);
            let address = relay.listen(authority.acceptor(offered)).await;
            let client = authority.client(address, transport).protocol(wanted).build().unwrap();
            let attempts = client.chat(question()).await.unwrap().into_attempts();
            let what = format!("{transport:?}: offered {offered:?}, wanted {wanted:?}");
            assert_eq!(attempts[0].connection.unwrap().is_http2, is_http2, "{what}");
            assert_eq!(relay.connections(), [Seen { requests: 1, is_http2 }], "{what}");
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_take_http2_is_a_tls_error_for_who_insists() {
    let authority = Authority::new();
    for transport in BOTH {
        for offered in [&["http/1.1"][..], &[]] {
            let address = Http2Relay::new(Duration::ZERO).listen(authority.acceptor(offered)).await;
            let client = authority.client(address, transport).protocol(Protocol::Http2).build().unwrap();
            let error = client.chat(question()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tls, "{transport:?}, {offered:?}: {error:?}");
            assert_eq!(error.attempts()[0].progress, Progress::NeverSent);
        }
    }
}

#[tokio::test]
async fn a_burst_that_negotiates_opens_no_more_connections_than_it_shares() {
    let authority = Authority::new();
    for transport in BOTH {
        let relay = Http2Relay::new(Duration::from_millis(100));
        let address = relay.listen(authority.acceptor(&["h2"])).await;
        let client = authority.client(address, transport).protocol(Protocol::Negotiate).http2(connections(4)).build().unwrap();
        burst(&client, 80).await;
        let requests = relay.requests();
        assert_eq!((requests.len(), client.pool().opened), (4, 4), "{transport:?}: {requests:?}");
        // Twenty each, unless the machine is so slow that one answers before all have left.
        assert!(requests.iter().sum::<usize>() == 80 && requests.iter().all(|count| *count >= 10), "{transport:?}: {requests:?}");
    }
}

#[tokio::test]
async fn a_burst_that_finds_http1_opens_a_connection_each() {
    let authority = Authority::new();
    for transport in BOTH {
        let relay = Http2Relay::new(Duration::from_millis(100));
        let address = relay.listen(authority.acceptor(&["http/1.1"])).await;
        let client = authority.client(address, transport).protocol(Protocol::Negotiate).max_connections(8).build().unwrap();
        let prepared = client.prepare(&question()).unwrap();
        let sent = (0..32).map(|index| client.send(&prepared, RequestId::new(format!("r-{index}")).unwrap()));
        assert!(join_all(sent).await.iter().all(Result::is_ok), "{transport:?}");
        let seen = relay.connections();
        assert!(seen.iter().all(|seen| !seen.is_http2) && seen.len() > 2, "{transport:?}: {seen:?}");
    }
}
