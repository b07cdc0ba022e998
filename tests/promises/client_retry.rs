//! What is tried again, and exactly when.

use std::time::Duration;

use relaybench::Client;
use relaybench::client::{ErrorKind, Hints, Policy, Progress, RequestId, Stop};
use relaybench_clock::{now, run_virtual};

use crate::support::raw_relay::{RawRelay, Step, error, json, question, response, success};

fn seconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(Duration::as_secs_f64).collect()
}

fn busy(headers: &[(&str, &str)]) -> Step {
    error("429 Too Many Requests", "rate_limit_exceeded", headers)
}

/// The default policy without the jitter that is added to hints, so that waits are exact.
fn punctual(relay: &RawRelay) -> Client {
    let hints = Hints::Obey { limit: Duration::from_secs(120), spread: 0.0 };
    relay.client().hints(hints).build().unwrap()
}

#[test]
fn a_good_answer_takes_one_attempt() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().build().unwrap();
        let answer = tokio::spawn(async move { client.chat(question()).await }).await.unwrap().unwrap();
        assert_eq!(answer.content(), "Hello.");
        assert_eq!(answer.usage().unwrap().completion_tokens, 2);
        assert_eq!(answer.attempts().len(), 1);
        assert_eq!(relay.attempts().len(), 1);
    });
}

#[test]
fn waits_without_jitter_are_exact() {
    run_virtual(async {
        let relay = RawRelay::start([busy(&[("retry-after", "7")])]);
        let client = relay.client().policy(Policy::tutorial_retry()).build().unwrap();
        let error = client.chat(question()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!(error.stop(), Some(Stop::Attempts));
        assert_eq!(seconds(&relay.times()), [0.0, 1.0, 3.0, 7.0, 15.0]);
    });
}

#[test]
fn jittered_waits_are_the_same_in_every_run_and_within_their_bounds() {
    let run = || {
        run_virtual(async {
            let relay = RawRelay::start([error("503 Service Unavailable", "server_is_overloaded", &[])]);
            let client = relay.client().build().unwrap();
            client.chat(question()).await.unwrap_err();
            relay.times()
        })
    };
    let times = run();
    assert_eq!(times, run());
    let waits: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, longest_ms) in waits.iter().zip([500, 1000, 2000]) {
        assert!(*wait < Duration::from_millis(longest_ms), "{waits:?}");
    }
    assert_eq!(waits.len(), 3);
}

#[test]
fn retry_after_is_obeyed_in_every_form() {
    run_virtual(async {
        // The virtual day begins at midnight; the date is 21.25 s on, when 9.25 s have passed.
        let relay = RawRelay::start([
            busy(&[("retry-after", "9")]),
            busy(&[("retry-after", "60"), ("retry-after-ms", "250")]),
            busy(&[("retry-after", "Thu, 01 Jan 2026 00:00:21 GMT")]),
            success(),
        ]);
        let answer = punctual(&relay).chat(question()).await.unwrap();
        assert_eq!(seconds(&relay.times()), [0.0, 9.0, 9.25, 21.0]);
        assert!(answer.attempts()[1..].iter().all(|attempt| attempt.hint_obeyed));
        assert_eq!(answer.attempts()[1].waited, Duration::from_secs(9));
    });
}

#[test]
fn a_hint_is_obeyed_and_a_little_more_so_that_a_fleet_does_not_wake_together() {
    run_virtual(async {
        let relay = RawRelay::start([busy(&[("retry-after", "4")]), success()]);
        relay.client().build().unwrap().chat(question()).await.unwrap();
        let wait = relay.times()[1];
        assert!(wait > Duration::from_secs(4) && wait < Duration::from_millis(4400), "{wait:?}");
    });
}

#[test]
fn a_hint_beyond_the_deadline_returns_at_once() {
    run_virtual(async {
        let relay = RawRelay::start([busy(&[("retry-after", "30")])]);
        let start = now();
        let error = punctual(&relay).chat(question()).await.unwrap_err();
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(error.stop(), Some(Stop::Deadline));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
        assert!(error.is_rate_limited());
        assert_eq!(relay.attempts().len(), 1);
    });
}

#[test]
fn a_hint_of_more_than_two_minutes_is_not_waited_for() {
    run_virtual(async {
        let relay = RawRelay::start([busy(&[("retry-after", "121")])]);
        let client = relay.client().total_timeout(Duration::from_secs(600)).build().unwrap();
        let error = client.chat(question()).await.unwrap_err();
        assert_eq!(error.stop(), Some(Stop::HintTooLong));
        assert_eq!(relay.attempts().len(), 1);
    });
}

#[test]
fn faults_of_the_caller_are_not_retried() {
    for (status, code, kind) in [
        ("400 Bad Request", "invalid_request_error", ErrorKind::Status(400)),
        ("401 Unauthorized", "invalid_api_key", ErrorKind::Status(401)),
        ("403 Forbidden", "forbidden", ErrorKind::Status(403)),
        ("404 Not Found", "model_not_found", ErrorKind::Status(404)),
        ("429 Too Many Requests", "insufficient_quota", ErrorKind::InsufficientQuota),
        ("402 Payment Required", "credit_balance_exhausted", ErrorKind::InsufficientQuota),
    ] {
        run_virtual(async move {
            let relay = RawRelay::start([error(status, code, &[])]);
            let error = relay.client().build().unwrap().chat(question()).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{status}");
            assert_eq!(error.stop(), Some(Stop::Permanent), "{status}");
            assert_eq!(relay.attempts().len(), 1, "{status}");
        });
    }
}

#[test]
fn passing_faults_are_survived() {
    for step in [
        error("408 Request Timeout", "timeout", &[]),
        error("409 Conflict", "conflict", &[]),
        error("429 Too Many Requests", "rate_limit_exceeded", &[]),
        error("500 Internal Server Error", "server_error", &[]),
        error("529 Overloaded", "overloaded_error", &[]),
        Step::Write(response("502 Bad Gateway", "text/html", &[], "<html><h1>502 Bad Gateway</h1></html>")),
        Step::Write(response("429 Too Many Requests", "text/html", &[], "<html>slow down</html>")),
        Step::Write(response("503 Service Unavailable", "text/plain", &[], "")),
        Step::WriteAndClose(String::new()),
        Step::WriteAndClose("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"choices\"".to_owned()),
        Step::WriteAndClose("HTTP/1.1 200 OK\r\n\r\n{\"choices\"".to_owned()),
        json("200 OK", &[], r#"{"error":{"message":"upstream failed","type":"upstream_error"}}"#),
        json("200 OK", &[], "not JSON"),
        Step::Hang,
    ] {
        run_virtual(async move {
            let relay = RawRelay::start([step.clone(), success()]);
            let answer = relay.client().build().unwrap().chat(question()).await;
            let attempts = answer.unwrap_or_else(|error| panic!("{step:?}: {error:?}")).into_attempts();
            assert_eq!(attempts.len(), 2, "{step:?}");
            assert!(attempts[0].failure.is_some(), "{step:?}");
            assert_eq!(attempts[1].failure, None, "{step:?}");
        });
    }
}

#[test]
fn all_attempts_of_a_request_share_its_id_and_are_counted() {
    run_virtual(async {
        let relay = RawRelay::start([busy(&[]), busy(&[]), success()]);
        let client = relay.client().build().unwrap();
        let prepared = client.prepare(&question()).unwrap();
        client.send(&prepared, RequestId::new("run-1/7").unwrap()).await.unwrap();
        client.chat(question()).await.unwrap();
        let attempts = relay.attempts();
        let seen: Vec<_> = attempts.iter().map(|seen| seen.header("x-stainless-retry-count").unwrap()).collect();
        assert_eq!(seen, ["0", "1", "2", "0"]);
        let ids: Vec<_> = attempts.iter().map(|seen| seen.header("x-client-request-id").unwrap()).collect();
        assert_eq!(ids[..3], ["run-1/7"; 3]);
        assert_ne!(ids[3], "run-1/7");
    });
}

#[test]
fn an_attempt_says_what_the_relay_needs() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        relay.client().build().unwrap().chat(question()).await.unwrap();
        let seen = &relay.attempts()[0];
        assert!(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", seen.head);
        for (name, value) in [
            ("host", "relay"),
            ("authorization", "Bearer sk-test-secret"),
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("user-agent", concat!("relaybench/", env!("CARGO_PKG_VERSION"))),
        ] {
            assert_eq!(seen.header(name), Some(value), "{name}");
        }
        let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(body["model"], "gpt-4.1");
        assert_eq!(body["temperature"], 0.7);
    });
}

#[test]
fn a_refused_connection_never_sent_the_request() {
    run_virtual(async {
        let refuse = || Err::<tokio::io::DuplexStream, _>(std::io::ErrorKind::ConnectionRefused.into());
        let client = Client::builder()
            .base_url("http://relay/v1")
            .connector(relaybench::client::connector::memory(refuse, Duration::ZERO))
            .build()
            .unwrap();
        let error = client.chat(question()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.is_connect());
        assert_eq!(error.attempts().len(), 4);
        assert!(error.attempts().iter().all(|attempt| attempt.progress == Progress::NeverSent && !attempt.left_the_client()));
    });
}

#[test]
fn policy_none_tries_once() {
    run_virtual(async {
        let relay = RawRelay::start([busy(&[]), success()]);
        let client = relay.client().policy(Policy::none()).build().unwrap();
        assert!(client.chat(question()).await.unwrap_err().is_rate_limited());
        assert_eq!(relay.attempts().len(), 1);
    });
}
