//! A request that meets a connection which the server had closed is sent once more for free, and once only.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use relaybench::Client;
use relaybench::client::{Catalog, ErrorKind, Policy, Progress, connector};
use relaybench_clock::{run_virtual, sleep};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::support::raw_relay::{RawRelay, question, success};

/// A connection that turns out to be closed, once it dies, when it is looked at for the next request, and not before.
struct Mortal {
    io: DuplexStream,
    is_dead: Arc<AtomicBool>,
}

impl AsyncRead for Mortal {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_dead.load(Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Mortal {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A client with so many idle connections, all of which are closed before its next request; those that it opens then live.
async fn client_of_dead(relay: &RawRelay, connections: usize, policy: Policy) -> Client {
    let (relay, dead) = (relay.clone(), Arc::new(AtomicBool::new(false)));
    let at_once = Arc::clone(&dead);
    let dial = move || {
        let (io, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(relay.clone().serve(far));
        let is_dead = if at_once.load(Relaxed) { Arc::default() } else { Arc::clone(&at_once) };
        Ok(Mortal { io, is_dead })
    };
    let builder = Client::builder().base_url("http://relay/v1").models(Catalog::new(["gpt-4.1"])).seed(1).policy(policy);
    let client = builder.connector(connector::memory(dial, Duration::ZERO)).build().unwrap();
    for answer in client.batch((0..connections).map(|_| question()), connections).await {
        answer.unwrap();
    }
    // What is still to be done of those is done.
    sleep(Duration::from_secs(1)).await;
    dead.store(true, Relaxed);
    client
}

#[test]
fn one_stale_connection_costs_no_try() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = client_of_dead(&relay, 1, Policy::none()).await;
        let attempts = client.chat(question()).await.unwrap().into_attempts();
        assert_eq!(attempts.len(), 1);
        assert_eq!((attempts[0].stale.unwrap().id, attempts[0].connection.unwrap().id), (1, 2));
    });
}

#[test]
fn a_second_stale_connection_in_a_row_is_left_to_the_policy() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = client_of_dead(&relay, 2, Policy::none()).await;
        let error = client.chat(question()).await.unwrap_err();
        let [attempt] = error.attempts() else { panic!("{error:?}") };
        let [Some(first), Some(second)] = [attempt.stale, attempt.connection] else { panic!("{attempt:?}") };
        assert!(first.reused && second.reused && first.id != second.id, "{attempt:?}");
        assert_eq!((error.kind(), attempt.progress, attempt.sent), (ErrorKind::Closed, Progress::NeverSent, None));
        assert!(!error.possibly_billed());
        assert_eq!(relay.attempts().len(), 2, "nothing more came");
    });
}

#[test]
fn a_policy_that_retries_goes_on_after_a_second_stale_connection_and_pays_with_a_try() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = client_of_dead(&relay, 3, Policy::resilient()).await;
        let attempts = client.chat(question()).await.unwrap().into_attempts();
        let seen: Vec<_> = attempts.iter().map(|attempt| (attempt.failure, attempt.stale.is_some())).collect();
        // Two of the three in the first attempt; the third, and then a fresh one, in the second.
        assert_eq!(seen, [(Some(ErrorKind::Closed), true), (None, true)]);
        assert!(!attempts[1].connection.unwrap().reused);
        assert_eq!(relay.attempts()[3].header("x-stainless-retry-count"), Some("1"));
    });
}
