//! Whatever dialect a relay speaks, the client says what a refusal means: its kind, the limit, and when to come back.

use std::time::Duration;

use relaybench::Error;
use relaybench::client::{Client, ErrorKind, Limit, Policy, connector};
use relaybench_clock::run_virtual;
use relaybench_mock::MockServer;

use crate::support::raw_relay::question;
use crate::support::runs::profile;

const DIALECTS: [&str; 9] = ["openai", "azure", "anthropic", "groq", "cloudflare", "openrouter", "litellm", "one-api", "vllm"];

fn relay(dialect: &str, rest: &str) -> MockServer {
    MockServer::new(profile(&format!("dialect = \"{dialect}\"\n{rest}")))
}

/// A client of a relay of this dialect, in memory, which tries once.
fn client(dialect: &str, rest: &str) -> Client {
    client_of(relay(dialect, rest), Policy::none())
}

fn client_of(server: MockServer, policy: Policy) -> Client {
    let dial = move || {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(server.serve_connection(far));
        Ok(near)
    };
    let builder = Client::builder().base_url("http://mock/v1").api_key("sk-live").policy(policy);
    builder.connector(connector::memory(dial, Duration::ZERO)).build().unwrap()
}

fn refusal(dialect: &str, rest: &str) -> Error {
    let client = client(dialect, rest);
    run_virtual(async move { client.chat(question()).await.unwrap_err() })
}

fn injected(dialect: &str, status: u16) -> (ErrorKind, Option<Limit>) {
    let error = refusal(dialect, &format!("[[fault]]\nfault = \"status={status}\"\nprobability = 1.0\n"));
    (error.kind(), error.limit())
}

#[test]
fn a_wrong_key_is_no_matter_of_patience() {
    for dialect in DIALECTS {
        let error = refusal(dialect, "auth.keys = [\"sk-other\"]");
        assert_eq!((error.kind(), error.limit(), error.retry_wait()), (ErrorKind::Status(401), None, None), "{dialect}");
    }
}

#[test]
fn an_unknown_model_has_the_status_of_its_dialect() {
    let status = |dialect| match dialect {
        "cloudflare" | "openrouter" | "litellm" => 400,
        "one-api" => 503,
        _ => 404,
    };
    for dialect in DIALECTS {
        let error = refusal(dialect, "models = [\"another\"]");
        assert_eq!((error.kind(), error.limit()), (ErrorKind::Status(status(dialect)), None), "{dialect}");
    }
}

#[test]
fn overload_is_told_from_limits_and_from_faults() {
    for (dialect, status, kind, limit) in [
        ("openai", 503, ErrorKind::Status(503), Some(Limit::Overload)),
        ("anthropic", 529, ErrorKind::Status(529), Some(Limit::Overload)),
        ("groq", 498, ErrorKind::Status(498), Some(Limit::Overload)),
        ("groq", 503, ErrorKind::Status(503), Some(Limit::Overload)),
        ("cloudflare", 429, ErrorKind::RateLimited, Some(Limit::Overload)),
        ("cloudflare", 408, ErrorKind::Status(408), None),
        ("openrouter", 402, ErrorKind::InsufficientQuota, Some(Limit::Quota)),
        ("openrouter", 502, ErrorKind::Status(502), None),
        ("litellm", 503, ErrorKind::Status(503), Some(Limit::Overload)),
        ("one-api", 429, ErrorKind::RateLimited, Some(Limit::Overload)),
        ("one-api", 403, ErrorKind::InsufficientQuota, Some(Limit::Quota)),
        ("one-api", 503, ErrorKind::Status(503), None),
    ] {
        assert_eq!(injected(dialect, status), (kind, limit), "{dialect} {status}");
    }
}

#[test]
fn a_quota_that_is_used_up_is_told_from_limits_and_never_tried_again() {
    for dialect in DIALECTS {
        // With limits of one's own the headers say that all is there, and without them nothing.
        for limits in ["", "limits = { requests_per_minute = 600, tokens_per_minute = 90_000 }\n"] {
            let rest = format!("{limits}[[fault]]\nfault = \"status=429:quota\"\nprobability = 1.0\n");
            let server = relay(dialect, &rest);
            let client = client_of(server.clone(), Policy::resilient());
            let error = run_virtual(async move { client.chat(question()).await.unwrap_err() });
            assert!(error.is_quota(), "{dialect} {limits}: {error:?}");
            assert_eq!((error.kind(), error.limit()), (ErrorKind::InsufficientQuota, Some(Limit::Quota)), "{dialect} {limits}");
            server.assert().attempts(1);
            // The other reasons of the same status are tried again.
            let server = relay(dialect, &rest.replace(":quota", ":requests").replace("probability = 1.0", "first = 1"));
            let client = client_of(server.clone(), Policy::resilient());
            run_virtual(async move { client.chat(question()).await.unwrap() });
            server.assert().attempts(2);
        }
    }
}

#[test]
fn a_limit_that_is_reached_names_itself_and_the_wait() {
    let burst = "limits.requests_per_minute = 600\n[[burst]]\nevery = \"20s\"\nfor = \"2s\"\nretry_after = \"1500ms\"\n";
    for dialect in DIALECTS {
        let error = refusal(dialect, burst);
        // Workers AI does not say what is limited.
        let limit = if dialect == "cloudflare" { Limit::Unknown } else { Limit::Requests };
        // OpenAI, and who hands on what it says, has it in milliseconds too; the others round up.
        let in_milliseconds = ["openai", "azure", "litellm", "one-api"].contains(&dialect);
        let wait = Duration::from_millis(if in_milliseconds { 1_500 } else { 2_000 });
        assert_eq!(
            (error.kind(), error.limit(), error.retry_after()),
            (ErrorKind::RateLimited, Some(limit), Some(wait)),
            "{dialect}"
        );
    }
}

#[test]
fn a_wait_that_azure_names_in_words_alone_is_read_and_resets_that_mean_nothing_are_not() {
    let gaps = "azure = { vague_resets = 1.0, missing_retry_after = 1.0 }\nlimits.requests_per_minute = 600\n";
    let burst = "[[burst]]\nevery = \"20s\"\nfor = \"2s\"\nretry_after = \"1500ms\"\n";
    let error = refusal("azure", &format!("{gaps}{burst}"));
    assert_eq!((error.limit(), error.retry_after()), (Some(Limit::Requests), Some(Duration::from_secs(2))));
}

#[test]
fn an_error_in_a_success_is_an_error_in_band() {
    for dialect in DIALECTS {
        let error = refusal(dialect, "[[fault]]\nfault = \"error-in-200\"\nprobability = 1.0\n");
        assert_eq!(error.kind(), ErrorKind::InBand, "{dialect}");
    }
}

#[test]
fn an_error_within_a_stream_ends_it_and_what_came_before_is_kept() {
    for dialect in DIALECTS {
        let client = client(dialect, "[[fault]]\nfault = \"error-event\"\nprobability = 1.0\n");
        let error = run_virtual(async move {
            let mut stream = client.chat_stream(question()).await.unwrap();
            loop {
                if let Err(error) = stream.next().await.unwrap() {
                    return error;
                }
            }
        });
        assert_eq!(error.kind(), ErrorKind::InBand, "{dialect}");
        assert!(error.partial().is_some_and(|partial| !partial.content.is_empty()), "{dialect}");
    }
}
