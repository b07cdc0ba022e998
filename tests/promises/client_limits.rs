//! A relay's rate limits: what obeying them is worth.

use std::sync::Arc;
use std::time::Duration;

use relaybench::Client;
use relaybench::client::{ErrorKind, Limit, Policy, connector};
use relaybench_clock::{now, run_virtual};
use relaybench_mock::MockServer;

use crate::support::raw_relay::question;
use crate::support::runs::profile;

/// What the question reserves is its prompt and 500 tokens, of which an answer uses 50.
const ANSWERS: &str = "
latency.total = { dist = \"fixed\", value = \"100ms\" }
completion.tokens = { dist = \"fixed\", value = 50 }\n";

fn client(server: &MockServer, policy: Policy) -> Client {
    let server = server.clone();
    let dial = move || {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(server.serve_connection(far));
        Ok(near)
    };
    let builder = Client::builder().base_url("http://mock/v1").api_key("sk-test").seed(1).policy(policy);
    builder.connector(connector::memory(dial, Duration::ZERO)).build().unwrap()
}

#[test]
fn whoever_is_alone_and_waits_as_told_is_refused_once_at_most_for_each_request() {
    let limits = [
        ("requests_per_minute = 60", Limit::Requests),
        ("tokens_per_minute = 4000", Limit::Tokens),
        ("requests_per_minute = 20, window = \"sliding\"", Limit::Requests),
    ];
    for (limits, limit) in limits {
        run_virtual(async move {
            let server = MockServer::new(profile(&format!("{ANSWERS}limits = {{ {limits} }}")));
            // Half a minute may pass, which is all that `resilient` gives a request.
            let mut policy = Policy::resilient();
            policy.timeouts.total = Duration::from_secs(120);
            let client = client(&server, policy);
            let mut refused = 0;
            for _ in 0..150 {
                let answer = client.chat(question()).await.unwrap();
                let tries = answer.attempts();
                assert!(tries.len() <= 2, "{limits}: {tries:?}");
                if tries.len() == 2 {
                    refused += 1;
                    assert_eq!((tries[0].limit, tries[1].hint_obeyed), (Some(limit), true), "{limits}: {tries:?}");
                }
            }
            assert!(refused > 50 || limits.contains("sliding") && refused > 5, "{limits}: {refused}");
        });
    }
}

#[test]
fn many_callers_at_a_limit_all_end_in_time_and_retry_only_when_told() {
    const CALLERS: usize = 20;
    const REQUESTS: usize = 50;
    run_virtual(async {
        let server =
            MockServer::new(profile(&format!("{ANSWERS}limits = {{ requests_per_minute = 600, tokens_per_minute = 100_000 }}")));
        let client = Arc::new(client(&server, Policy::resilient()));
        let start = now();
        let caller = || {
            let client = Arc::clone(&client);
            async move {
                let (mut succeeded, mut retries) = (0, 0);
                for _ in 0..REQUESTS {
                    let asked = now();
                    let tries = match client.chat(question()).await {
                        Ok(answer) => {
                            succeeded += 1;
                            answer.into_attempts()
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
                            error.into_attempts()
                        }
                    };
                    assert!(asked.elapsed() <= Duration::from_secs(30), "{:?}", asked.elapsed());
                    assert!(tries[1..].iter().all(|retry| retry.hint_obeyed), "{tries:?}");
                    retries += tries.len() - 1;
                }
                (succeeded, retries)
            }
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(caller())).collect();
        let (mut succeeded, mut retries) = (0, 0);
        for caller in callers {
            let (of_caller, its_retries) = caller.await.unwrap();
            succeeded += of_caller;
            retries += its_retries;
        }
        let entries = server.ledger().entries();
        assert_eq!(entries.len(), CALLERS * REQUESTS + retries);
        // All that the bucket had, and what came since, less the one that is being waited for.
        let served = entries.iter().filter(|entry| entry.status == Some(200)).count();
        assert_eq!(served, succeeded);
        let most = 600 + start.elapsed().as_millis() as usize / 100;
        assert!((most - CALLERS..=most).contains(&served), "{served} of {most}");
    });
}
