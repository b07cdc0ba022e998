//! Every attempt that was sent tells its connection, and whether that was used before: also when it was never answered.

use std::time::Duration;

use relaybench::client::{Attempt, ErrorKind, Protocol, Timeout};
use relaybench::{ChatRequest, Client};

use crate::support::http2_relay::Http2Relay;
use crate::support::raw_relay::{RawRelay, Step, question, success};
use crate::support::sockets::{self, BOTH};
use crate::support::tls::Authority;

/// One that gives up soon after it was sent.
fn hurried() -> ChatRequest {
    question().timeout(Timeout::Headers, Duration::from_millis(50))
}

/// The only attempt that this took.
async fn attempt(client: &Client, request: ChatRequest) -> Attempt {
    let attempts = match client.chat(request).await {
        Ok(answer) => answer.into_attempts(),
        Err(error) => error.into_attempts(),
    };
    let [attempt] = attempts.try_into().unwrap();
    attempt
}

fn id_and_reused(attempt: &Attempt) -> Option<(u64, bool)> {
    attempt.connection.map(|connection| (connection.id, connection.reused))
}

#[tokio::test]
async fn an_attempt_that_is_never_answered_tells_its_connection() {
    for transport in BOTH {
        let relay = RawRelay::start([Step::Hang, success(), Step::Hang]);
        let address = sockets::serve(&relay).await;
        let client = sockets::client(address, transport).build().unwrap();
        let mut told = Vec::new();
        for request in [hurried(), question(), hurried()] {
            let attempt = attempt(&client, request).await;
            told.push((attempt.failure, id_and_reused(&attempt)));
        }
        let expired = Some(ErrorKind::HeadersTimeout);
        let expected = [(expired, Some((1, false))), (None, Some((2, false))), (expired, Some((2, true)))];
        assert_eq!(told, expected, "{transport:?}");
    }
}

#[tokio::test]
async fn an_attempt_that_is_never_answered_tells_which_connection_of_http2_it_shared() {
    let authority = Authority::new();
    for transport in BOTH {
        let relay = Http2Relay::with_answers(1);
        let address = relay.listen(authority.acceptor(&["h2"])).await;
        let client = authority.client(address, transport).protocol(Protocol::Http2).build().unwrap();
        let mut told = Vec::new();
        for request in [question(), hurried(), hurried()] {
            let attempt = attempt(&client, request).await;
            assert!(attempt.connection.is_none_or(|connection| connection.is_http2));
            told.push((attempt.failure.is_some(), id_and_reused(&attempt)));
        }
        let expected = [(false, Some((1, false))), (true, Some((1, true))), (true, Some((1, true)))];
        assert_eq!(told, expected, "{transport:?}");
    }
}

#[tokio::test]
async fn the_first_request_of_a_connection_of_http2_tells_it_though_it_is_never_answered() {
    let authority = Authority::new();
    for transport in BOTH {
        let address = Http2Relay::with_answers(0).listen(authority.acceptor(&["h2"])).await;
        let client = authority.client(address, transport).protocol(Protocol::Http2).build().unwrap();
        assert_eq!(id_and_reused(&attempt(&client, hurried()).await), Some((1, false)), "{transport:?}");
    }
}

#[tokio::test]
async fn an_attempt_that_got_no_connection_tells_none() {
    for transport in BOTH {
        // Kept open, and silent.
        let address = sockets::accept(|stream, _| {
            tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(stream);
            });
            Ok(())
        })
        .await;
        let client = sockets::client(address, transport).base_url(format!("https://{address}/v1")).build().unwrap();
        let attempt = attempt(&client, question().timeout(Timeout::Connect, Duration::from_millis(50))).await;
        assert_eq!((attempt.failure, attempt.connection), (Some(ErrorKind::ConnectTimeout), None), "{transport:?}");
    }
}
