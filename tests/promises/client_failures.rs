//! What a failure says of itself: how far it came, what it may cost, when another try makes sense.

use std::time::Duration;

use relaybench::client::{BillingRisk, BrokenStreams, ErrorKind, Limit, OtherModel, Policy, Progress, Stop};
use relaybench::{Client, Error};
use relaybench_clock::{now, run_virtual};

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, error, json, question, response, success};

const SECOND: Duration = Duration::from_secs(1);

fn failure(step: Step, policy: Policy) -> Error {
    run_virtual(async move {
        let relay = RawRelay::start([step]);
        relay.client().policy(policy).build().unwrap().chat(question()).await.unwrap_err()
    })
}

#[test]
fn each_failure_says_how_far_it_came_and_whether_it_may_be_billed() {
    let html = |status| Step::Write(response(status, "text/html", &[], "<html></html>"));
    for (step, kind, progress, billed) in [
        (error("401 Unauthorized", "invalid_api_key", &[]), ErrorKind::Status(401), Progress::Content, false),
        (error("429 Too Many Requests", "busy", &[]), ErrorKind::RateLimited, Progress::Content, false),
        (html("502 Bad Gateway"), ErrorKind::Status(502), Progress::Content, false),
        (html("504 Gateway Timeout"), ErrorKind::Status(504), Progress::Content, true),
        (html("520 Unknown"), ErrorKind::Status(520), Progress::Content, true),
        (html("522 Timed Out"), ErrorKind::Status(522), Progress::Content, false),
        (html("524 A Timeout"), ErrorKind::Status(524), Progress::Content, true),
        (
            Step::Write(response("503 Service Unavailable", "text/plain", &[], "")),
            ErrorKind::Status(503),
            Progress::Headers,
            false,
        ),
        (json("200 OK", &[], r#"{"error":{"message":"no"}}"#), ErrorKind::InBand, Progress::Content, false),
        (json("200 OK", &[], &in_band(502)), ErrorKind::InBand, Progress::Content, false),
        (json("200 OK", &[], &in_band(504)), ErrorKind::InBand, Progress::Content, true),
        (json("200 OK", &[], &in_band(520)), ErrorKind::InBand, Progress::Content, true),
        (json("200 OK", &[], &in_band(524)), ErrorKind::InBand, Progress::Content, true),
        (json("200 OK", &[], &failed_midway()), ErrorKind::InBand, Progress::Content, true),
        (json("200 OK", &[], "{}"), ErrorKind::Malformed, Progress::Content, true),
        (Step::WriteAndClose(String::new()), ErrorKind::Closed, Progress::NoResponse, true),
        (
            Step::WriteAndClose("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_owned()),
            ErrorKind::Truncated,
            Progress::Headers,
            true,
        ),
        (
            Step::WriteAndClose("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned()),
            ErrorKind::Truncated,
            Progress::Content,
            true,
        ),
        (Step::Hang, ErrorKind::TotalTimeout, Progress::NoResponse, true),
    ] {
        let error = failure(step.clone(), Policy::none());
        assert_eq!(error.kind(), kind, "{step:?}");
        assert_eq!(error.attempts()[0].progress, progress, "{step:?}");
        assert_eq!(error.possibly_billed(), billed, "{step:?}");
    }
}

/// An error in a 200 whose code is the status that it should have had.
fn in_band(code: u16) -> String {
    format!(r#"{{"error":{{"message":"no","code":{code}}},"choices":[]}}"#)
}

#[test]
fn an_error_in_a_stream_says_by_its_code_whether_it_may_be_billed() {
    for (code, billed) in [(502, false), (503, false), (504, true), (520, true), (524, true)] {
        run_virtual(async move {
            let body = in_band(code);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            let relay = RawRelay::start([Step::WriteAndClose(format!("{head}data: {body}\n\n"))]);
            let client = relay.client().policy(Policy::none()).build().unwrap();
            let error = client.chat_stream(question()).await.unwrap_err();
            assert_eq!((error.kind(), error.possibly_billed()), (ErrorKind::InBand, billed), "{code}");
            assert_eq!(error.attempts()[0].in_band_status, Some(code));
        });
    }
}

/// A whole answer that broke off after some text, as gateways tell it.
fn failed_midway() -> String {
    COMPLETION.replace("\"finish_reason\":\"stop\"", "\"finish_reason\":\"error\"")
}

#[test]
fn a_wait_beyond_all_time_is_no_instant() {
    let error = failure(error("429 Too Many Requests", "busy", &[("retry-after", "10000000000000000000")]), Policy::none());
    assert_eq!(error.retry_at(), None);
    assert!(error.retry_wait().is_some());
}

#[test]
fn the_beginning_of_a_long_or_broken_refusal_still_tells_what_it_is() {
    let quota =
        r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    let long = format!("{quota}{}", " ".repeat(100_000));
    let broken = format!("HTTP/1.1 429 No\r\ncontent-length: 100000\r\n\r\n{quota}");
    for step in [Step::Write(response("429 Too Many Requests", "application/json", &[], &long)), Step::WriteAndClose(broken)] {
        assert_eq!(failure(step, Policy::none()).kind(), ErrorKind::InsufficientQuota);
    }
}

#[test]
fn an_error_says_when_another_try_makes_sense_whatever_the_policy_allows() {
    let busy = |headers: &[(&str, &str)]| error("429 Too Many Requests", "rate_limit_exceeded", headers);
    let words = r#"{"error":{"message":"Please retry after 7 seconds."}}"#;
    for (step, policy, wait) in [
        (busy(&[("retry-after", "600")]), Policy::resilient(), Some(600 * SECOND)),
        (busy(&[("retry-after", "600")]), Policy::none(), Some(600 * SECOND)),
        (json("429 Too Many Requests", &[], words), Policy::none(), Some(7 * SECOND)),
        // The fourth try would have waited the fourth backoff.
        (busy(&[]), Policy::tutorial_retry(), Some(16 * SECOND)),
        (busy(&[]), Policy::none(), Some(Duration::ZERO)),
        (busy(&[("x-should-retry", "false")]), Policy::none(), None),
        (error("429 Too Many Requests", "insufficient_quota", &[("retry-after", "5")]), Policy::none(), None),
        (error("400 Bad Request", "invalid_request_error", &[]), Policy::none(), None),
    ] {
        let error = failure(step.clone(), policy);
        assert_eq!(error.retry_wait(), wait, "{step:?}");
        assert_eq!(error.retry_at(), wait.map(|wait| error.attempts().last().unwrap().ended + wait), "{step:?}");
    }
}

#[test]
fn what_never_succeeds_is_sent_once() {
    let too_large = r#"{"error":{"message":"Request too large for gpt-4.1 on tokens per min (TPM): Limit 30000, Requested 40000.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    for (step, limit, kind) in [
        (json("429 Too Many Requests", &[], too_large), Limit::TooLarge, ErrorKind::TooLarge),
        (error("429 Too Many Requests", "insufficient_quota", &[]), Limit::Quota, ErrorKind::InsufficientQuota),
        (json("200 OK", &[], r#"{"error":{"message":"no","code":402}}"#), Limit::Quota, ErrorKind::InBand),
    ] {
        let error = failure(step.clone(), Policy::resilient());
        assert_eq!((error.limit(), error.kind(), error.attempts().len()), (Some(limit), kind, 1), "{step:?}");
        assert_eq!(error.attempts()[0].limit, Some(limit));
        assert_eq!(error.is_quota(), limit == Limit::Quota);
    }
}

#[test]
fn a_wait_that_only_the_message_names_is_waited() {
    run_virtual(async {
        let body =
            r#"{"error":{"code":"429","message":"Requests have exceeded call rate limit. Please retry after 7 seconds."}}"#;
        let relay = RawRelay::start([json("429 Too Many Requests", &[], body), success()]);
        relay.client().build().unwrap().chat(question()).await.unwrap();
        let waited = relay.times()[1];
        assert!(waited >= 7 * SECOND && waited < 8 * SECOND, "{waited:?}");
    });
}

#[test]
fn what_was_sent_and_lost_is_sent_again_once_and_what_never_left_is_free() {
    let lost = failure(Step::WriteAndClose(String::new()), Policy::resilient());
    assert_eq!((lost.attempts().len(), lost.stop()), (2, Some(Stop::BillingRisk)));
    assert!(lost.possibly_billed() && lost.to_string().contains("billed"), "{lost}");

    let mut thrifty = Policy::resilient();
    let mut risk = BillingRisk::default();
    risk.per_request = 0;
    thrifty.retry.billing_risk = Some(risk);
    assert_eq!(failure(Step::WriteAndClose(String::new()), thrifty.clone()).attempts().len(), 1);

    run_virtual(async move {
        let refuse = || Err::<tokio::io::DuplexStream, _>(std::io::ErrorKind::ConnectionRefused.into());
        let connector = relaybench::client::connector::memory(refuse, Duration::ZERO);
        let client = Client::builder().base_url("http://relay/v1").policy(thrifty).connector(connector).build().unwrap();
        let error = client.chat(question()).await.unwrap_err();
        assert_eq!((error.attempts().len(), error.stop()), (4, Some(Stop::Attempts)));
        assert!(!error.possibly_billed());
    });
}

fn answer_of(model: &str) -> Step {
    json("200 OK", &[], &COMPLETION.replace("gpt-4.1", model))
}

/// A stream of these texts, cut after them or complete.
fn stream_of(model: &str, texts: &[&str], tail: &str) -> Step {
    let chunk = |text: &&str| {
        format!("data: {{\"model\":\"{model}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let events: String = texts.iter().map(chunk).collect();
    Step::WriteAndClose(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{events}{tail}"))
}

const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

#[test]
fn the_answer_of_another_model_is_noted_or_refused() {
    for (model, other) in [("gpt-4.1", None), ("gpt-4.1-2025-04-14", None), ("gpt-4.1-mini", Some("gpt-4.1-mini"))] {
        run_virtual(async move {
            let relay = RawRelay::start([
                answer_of(model),
                stream_of(model, &["Hi"], END),
                answer_of(model),
                stream_of(model, &["Hi"], END),
            ]);
            let client = relay.client().build().unwrap();
            let answer = client.chat(question()).await.unwrap();
            assert_eq!(answer.attempts()[0].other_model.as_deref(), other);
            let mut stream = client.chat_stream(question()).await.unwrap();
            while let Some(chunk) = stream.next().await {
                chunk.unwrap();
            }
            assert_eq!(stream.attempts()[0].other_model.as_deref(), other);

            let strict = relay.client().other_model(OtherModel::Fail).build().unwrap();
            let failures = [strict.chat(question()).await.err(), strict.chat_stream(question()).await.err()];
            for failure in failures {
                assert_eq!(failure.as_ref().map(Error::kind), other.map(|_| ErrorKind::ModelMismatch), "{model}");
                if let Some(error) = failure {
                    assert_eq!((error.attempts().len(), error.possibly_billed(), error.retry_at()), (1, true, None));
                    assert_eq!(error.to_string(), format!("model \"gpt-4.1\" was asked, and {model:?} answered"));
                }
            }
        });
    }
}

#[test]
fn a_broken_stream_begins_anew_when_the_caller_wants_it() {
    run_virtual(async {
        let cut = stream_of("gpt-4.1", &["Hel", "lo"], "");
        let relay =
            RawRelay::start([cut, error("503 Service Unavailable", "busy", &[]), stream_of("gpt-4.1", &["Good ", "day."], END)]);
        let client = relay.client().broken_streams(BrokenStreams::Restart).build().unwrap();
        let mut stream = client.chat_stream(question()).await.unwrap();
        let (mut text, mut restarts) = (String::new(), 0);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.unwrap();
            if chunk.restarts() {
                text.clear();
                restarts += 1;
            }
            text += chunk.content();
        }
        assert_eq!((text.as_str(), restarts), ("Good day.", 1));
        assert_eq!(stream.so_far().content, "Good day.");
        let failures: Vec<_> = stream.attempts().iter().map(|attempt| (attempt.number, attempt.failure)).collect();
        assert_eq!(failures, [(1, Some(ErrorKind::Truncated)), (2, Some(ErrorKind::Status(503))), (3, None)]);
        let counts: Vec<_> =
            relay.attempts().iter().map(|seen| seen.header("x-stainless-retry-count").unwrap().to_owned()).collect();
        assert_eq!(counts, ["0", "1", "2"]);
    });
}

#[test]
fn a_stream_that_breaks_again_and_again_ends_with_what_arrived_within_the_rules() {
    run_virtual(async {
        let relay = RawRelay::start([stream_of("gpt-4.1", &["Hel"], "")]);
        let client = relay.client().broken_streams(BrokenStreams::Restart).build().unwrap();
        let mut stream = client.chat_stream(question()).await.unwrap();
        let mut last = None;
        while let Some(chunk) = stream.next().await {
            last = chunk.err();
        }
        let error = last.unwrap();
        assert_eq!((error.kind(), error.stop(), error.attempts().len()), (ErrorKind::Truncated, Some(Stop::BillingRisk), 2));
        assert_eq!(error.partial().unwrap().content, "Hel");
        assert!(error.possibly_billed() && stream.next().await.is_none());
    });
}

#[test]
fn a_stream_that_begins_anew_keeps_its_first_deadline() {
    run_virtual(async {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        let chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
        let slow = Step::DripAndClose(vec![(8 * SECOND, format!("{head}{chunk}"))], SECOND);
        let relay = RawRelay::start([slow]);
        let mut policy = Policy::resilient();
        (policy.retry.billing_risk, policy.retry.broken_streams, policy.retry.attempts) = (None, BrokenStreams::Restart, 99);
        let start = now();
        let mut stream = relay.client().policy(policy).build().unwrap().chat_stream(question()).await.unwrap();
        while let Some(chunk) = stream.next().await {
            if let Err(error) = chunk {
                assert_eq!(error.kind(), ErrorKind::TotalTimeout);
            }
        }
        assert!(start.elapsed() <= 30 * SECOND && stream.attempts().len() > 2, "{:?}", start.elapsed());
    });
}
