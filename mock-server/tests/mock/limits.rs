//! Rate limits on the wire: what answers say of them, whom they refuse, and until when.

mod machine;
mod recorded;
mod waits;

use std::time::Duration;

use proptest::prelude::*;
use relaybench_clock::{now, run_virtual, sleep, sleep_until};
use relaybench_mock::MockServer;
use relaybench_mock::relay::limits::{Caller, Cost, LimitReached, Limiter, Period, Resource, Standing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::golden::is_golden;
use crate::support::{KEY, chat, chat_body, connect, ms, profile, request, server, status, text};

/// What every chat's prompt counts.
const PROMPT: u64 = 13;

/// 14 tokens after a quarter of a second.
const ANSWERS: &str = "
latency.total = { dist = \"fixed\", value = \"250ms\" }
completion.tokens = { dist = \"fixed\", value = 14 }\n";

/// The value of a header.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn figure(answer: &str, name: &str) -> u64 {
    let value = header(answer, name).unwrap_or_else(|| panic!("no {name} in {answer}"));
    value.parse().unwrap()
}

/// `remaining/limit reset` of a resource.
fn standing(answer: &str, resource: &str) -> String {
    let value = |what: &str| header(answer, &format!("x-ratelimit-{what}-{resource}")).unwrap_or("none");
    format!("{}/{} {}", value("remaining"), value("limit"), value("reset"))
}

async fn ask(server: &MockServer, extra: &str) -> String {
    text(server, &chat("", extra)).await
}

/// What is left of the tokens, from an answer that comes at once and is served nothing.
async fn remaining_tokens(server: &MockServer) -> u64 {
    // It asks for too much, and so uses nothing.
    figure(&ask(server, r#","max_tokens":4000000"#).await, "x-ratelimit-remaining-tokens")
}

#[test]
fn an_answer_says_what_is_left_once_it_has_given_back_what_it_did_not_use() {
    run_virtual(async {
        let server = server(&format!("{ANSWERS}limits = {{ requests_per_minute = 60, tokens_per_minute = 6000 }}"));
        let answer = ask(&server, r#","max_tokens":100"#).await;
        // 13 + 14 tokens were used 250 ms ago; since then 25 came back, and a quarter of a request.
        assert_eq!(standing(&answer, "tokens"), "5998/6000 20ms");
        assert_eq!(standing(&answer, "requests"), "59/60 750ms");
    });
}

#[test]
fn a_stream_reserves_what_it_may_use_until_its_end() {
    run_virtual(async {
        let server = server(
            "latency = { first_token = { dist = \"fixed\", value = \"100ms\" }, inter_token = { dist = \"fixed\", value = \"10ms\" } }
             completion.tokens = { dist = \"fixed\", value = 21 }
             limits = { tokens_per_minute = 1000, requests_per_day = 10, window = \"fixed\" }",
        );
        let mut connection = connect(&server);
        connection.write_all(&chat("", r#","stream":true,"max_tokens":100"#)).await.unwrap();
        let mut bytes = vec![0; 1 << 16];
        let read = connection.read(&mut bytes).await.unwrap();
        let head = String::from_utf8_lossy(&bytes[..read]).into_owned();
        assert_eq!(standing(&head, "tokens"), "887/1000 59.9s");
        assert_eq!(standing(&head, "requests"), "9/10 23h59m59.9s");
        sleep(ms(199)).await;
        assert_eq!(remaining_tokens(&server).await, 1000 - PROMPT - 100);
        sleep(ms(1)).await;
        while connection.read(&mut bytes).await.unwrap() > 0 {}
        assert_eq!(remaining_tokens(&server).await, 1000 - PROMPT - 21);
    });
}

#[test]
fn a_caller_who_leaves_midway_has_used_the_prompt_and_what_was_sent() {
    run_virtual(async {
        let server = server(
            "latency = { first_token = { dist = \"fixed\", value = \"100ms\" }, inter_token = { dist = \"fixed\", value = \"10ms\" } }
             completion.tokens = { dist = \"fixed\", value = 21 }
             limits = { tokens_per_minute = 1000, concurrency = 1, window = \"fixed\" }",
        );
        let mut connection = connect(&server);
        connection.write_all(&chat("", r#","stream":true,"max_tokens":100"#)).await.unwrap();
        sleep(ms(145)).await;
        assert_eq!(status(&ask(&server, "").await), 429);
        drop(connection);
        sleep(ms(1)).await;
        // Tokens came after 100, 110, 120, 130 and 140 ms.
        assert_eq!(remaining_tokens(&server).await, 1000 - PROMPT - 5);

        // Whoever leaves before an answer that is not streamed has used the prompt.
        let mut connection = connect(&server);
        connection.write_all(&chat("", r#","max_tokens":100"#)).await.unwrap();
        sleep(ms(50)).await;
        assert_eq!(remaining_tokens(&server).await, 1000 - PROMPT - 5 - PROMPT - 100);
        drop(connection);
        sleep(ms(1)).await;
        assert_eq!(remaining_tokens(&server).await, 1000 - PROMPT - 5 - PROMPT);
        assert_eq!(status(&ask(&server, "").await), 200);
    });
}

#[test]
fn what_fails_has_used_a_request_and_no_tokens() {
    const LIMITS: &str = "limits = { requests_per_minute = 10, tokens_per_minute = 1000, window = \"fixed\" }\n";
    let failing = [
        ("[[fault]]\nfault = \"status=500\"\nprobability = 1.0", 500),
        ("[[burst]]\nevery = \"20s\"\nfor = \"1s\"", 429),
        ("[capacity]\nmodel = \"queue\"\nservers = 1\nwaiting_room = 0\n[[fault]]\nfault = \"hang\"\nprobability = 1.0", 429),
        (
            "[capacity]\nmodel = \"curve\"\n[[capacity.point]]\nin_flight = 1\nlatency = { p50 = \"90ms\" }\nfailure_share = 1.0",
            503,
        ),
    ];
    for (failing, expected) in failing {
        run_virtual(async move {
            let server = server(&format!("{LIMITS}{failing}"));
            // In the queue somebody hangs, who has used a request as well.
            let hanging = (failing.contains("hang")).then(|| connect(&server));
            let used = if let Some(mut hanging) = hanging {
                hanging.write_all(&chat("", "")).await.unwrap();
                sleep(ms(1)).await;
                let answer = ask(&server, "").await;
                assert_eq!(status(&answer), expected);
                drop(hanging);
                sleep(ms(1)).await;
                2
            } else {
                assert_eq!(status(&ask(&server, "").await), expected);
                1
            };
            let answer = ask(&server, r#","max_tokens":4000000"#).await;
            assert_eq!(figure(&answer, "x-ratelimit-remaining-tokens"), 1000, "{failing}");
            assert_eq!(figure(&answer, "x-ratelimit-remaining-requests"), 10 - used, "{failing}");
        });
    }
}

#[test]
fn a_stream_that_a_fault_breaks_off_has_used_the_prompt_and_what_was_sent() {
    // Over hyper and by hand.
    for (fault, sent) in [("truncate=3c", 3), ("stall=3c", 3), ("no-done", 21), ("error-event", 10), ("close", 21)] {
        run_virtual(async move {
            let server = server(
                "completion.tokens = { dist = \"fixed\", value = 21 }
                 limits = { tokens_per_minute = 1000, window = \"fixed\", concurrency = 1 }",
            );
            let mut connection = connect(&server);
            let fault = format!("x-mock-fault: {fault}\r\n");
            connection.write_all(&chat(&fault, r#","stream":true,"max_tokens":100"#)).await.unwrap();
            sleep(ms(1)).await;
            drop(connection);
            sleep(ms(1)).await;
            assert_eq!(remaining_tokens(&server).await, 1000 - PROMPT - sent, "{fault}");
            assert_eq!(status(&ask(&server, "").await), 200);
        });
    }
}

#[test]
fn without_max_tokens_so_much_is_reserved_as_is_assumed_or_as_the_answer_has() {
    for (assumed, reserved) in [("", 256), ("assumed_completion_tokens = 100", 100), ("assumed_completion_tokens = 5", 14)] {
        run_virtual(async move {
            let server = server(&format!("{ANSWERS}[limits]\ntokens_per_minute = 1000\nwindow = \"fixed\"\n{assumed}"));
            let mut connection = connect(&server);
            connection.write_all(&chat("", "")).await.unwrap();
            sleep(ms(1)).await;
            assert_eq!(remaining_tokens(&server).await, 1000 - PROMPT - reserved);
            sleep(ms(250)).await;
            assert_eq!(remaining_tokens(&server).await, 1000 - PROMPT - 14);
        });
    }
}

#[test]
fn several_choices_and_embeddings_cost_what_they_are() {
    run_virtual(async {
        let server = server(&format!("{ANSWERS}limits = {{ tokens_per_minute = 1000, window = \"fixed\" }}"));
        let answer = ask(&server, r#","max_tokens":20,"n":3"#).await;
        assert_eq!(standing(&answer, "tokens").split(' ').next(), Some("945/1000"));
        let embeddings = request("POST", "/v1/embeddings", KEY, r#"{"model":"gpt-4.1","input":"12345678"}"#);
        let answer = text(&server, &embeddings).await;
        assert!(answer.contains("\"total_tokens\":2"), "{answer}");
        assert_eq!(figure(&answer, "x-ratelimit-remaining-tokens"), 943);
    });
}

#[test]
fn tokens_of_prompts_and_of_completions_are_limited_apart() {
    run_virtual(async {
        let limits = "input_tokens_per_minute = 30, output_tokens_per_minute = 50, window = \"fixed\"";
        let server = server(&format!("{ANSWERS}limits = {{ {limits} }}"));
        // Who asks for more than there ever is, and who uses less than it reserved.
        assert_eq!(status(&ask(&server, r#","max_tokens":51"#).await), 429);
        let answer = ask(&server, r#","max_tokens":50"#).await;
        assert_eq!(status(&answer), 200);
        // 17 tokens of prompts are left, and 36 of completions: the dialect has headers for all together, of the scarcer.
        assert_eq!(standing(&answer, "tokens").split(' ').next(), Some("17/30"));
        let answer = ask(&server, r#","max_tokens":37"#).await;
        assert!(answer.contains("on output tokens per min (OTPM): Limit 50, Used 14, Requested 37."), "{answer}");
        assert_eq!(status(&ask(&server, r#","max_tokens":1"#).await), 200);
        let answer = ask(&server, r#","max_tokens":1"#).await;
        assert!(answer.contains("on input tokens per min (ITPM): Limit 30, Used 26, Requested 13."), "{answer}");
        sleep(ms(figure(&answer, "retry-after-ms"))).await;
        assert_eq!(status(&ask(&server, r#","max_tokens":1"#).await), 200);
        // A fault that leaves no tokens leaves none of a kind.
        let answer = text(&server, &chat("x-mock-fault: status=429:tokens\r\n", r#","max_tokens":1"#)).await;
        assert_eq!((status(&answer), figure(&answer, "x-ratelimit-remaining-tokens")), (429, 0));
    });
}

#[test]
fn keys_and_models_have_limits_of_their_own_or_share_them() {
    async fn left(server: &MockServer, key: &str, model: &str) -> u64 {
        let headers = format!("authorization: Bearer {key}\r\n");
        let answer = text(server, &request("POST", "/v1/chat/completions", &headers, &chat_body(model, ""))).await;
        figure(&answer, "x-ratelimit-remaining-requests")
    }
    let cases = [
        ("", [9, 9, 9, 8]),
        ("per = [\"key\", \"model\"]", [9, 9, 9, 8]),
        ("per = [\"key\"]", [9, 9, 8, 7]),
        ("per = [\"model\"]", [9, 8, 9, 7]),
        ("per = []", [9, 8, 7, 6]),
        ("[limits.models.\"gpt-4o\"]\nrequests_per_minute = 5", [9, 9, 4, 8]),
        (
            "[[limits.key]]\nplace = 2\nrequests_per_minute = 3\n[limits.models.\"gpt-4.1\"]\nrequests_per_minute = 5",
            [4, 2, 9, 3],
        ),
    ];
    for (per, expected) in cases {
        run_virtual(async move {
            let keys = "auth.keys = [\"sk-a\", \"sk-b\"]\n";
            let server = server(&format!("{keys}[limits]\nrequests_per_minute = 10\nwindow = \"fixed\"\n{per}"));
            let mut actual = Vec::new();
            for (key, model) in [("sk-a", "gpt-4.1"), ("sk-b", "gpt-4.1"), ("sk-a", "gpt-4o"), ("sk-a", "gpt-4.1")] {
                actual.push(left(&server, key, model).await);
            }
            assert_eq!(actual, expected, "{per}");
        });
    }
}

#[test]
fn where_no_limit_is_concerned_none_is_spoken_of() {
    run_virtual(async {
        let limited = server("auth.keys = [\"sk-test\"]\nlimits.requests_per_minute = 10");
        let wrong = request("POST", "/v1/chat/completions", "authorization: Bearer sk-x\r\n", &chat_body("gpt-4.1", ""));
        let unknown = request("POST", "/v1/chat/completions", KEY, &chat_body("gpt-99", ""));
        let malformed = request("POST", "/v1/chat/completions", KEY, "{");
        let models = request("GET", "/v1/models", KEY, "");
        for (request, expected) in [(&wrong, 401), (&unknown, 404), (&malformed, 400), (&models, 200)] {
            let answer = text(&limited, request).await;
            assert_eq!((status(&answer), answer.contains("ratelimit")), (expected, false), "{answer}");
        }
        let unlimited = server("limits.body_bytes = 10_000");
        assert!(!ask(&unlimited, "").await.contains("ratelimit"));
        let answer = ask(&limited, "").await;
        assert_eq!((standing(&answer, "requests").as_str(), standing(&answer, "tokens").as_str()), ("9/10 6s", "none/none none"));
    });
}

#[test]
fn every_answer_whose_limits_are_known_speaks_of_them() {
    let good = |path: &str, body: &str| request("POST", path, KEY, body);
    let chat = |body: &str| good("/v1/chat/completions", body);
    let of_a_model = [
        (chat(r#"{"model":"gpt-4.1"}"#), 400),
        (chat(r#"{"model":"gpt-4.1","messages":[]}"#), 400),
        (chat(&chat_body("gpt-4.1", r#","max_tokens":0"#)), 400),
        (request("POST", "/v1/chat/completions", &format!("{KEY}x-mock-fault: nonsense\r\n"), &chat_body("gpt-4.1", "")), 400),
        (good("/v1/embeddings", r#"{"model":"gpt-4.1"}"#), 400),
        (good("/openai/deployments/gpt-4.1/chat/completions", "{"), 400),
        (request("GET", "/v1/models/gpt-4.1", KEY, ""), 200),
    ];
    let of_a_key = [
        (chat(&chat_body("gpt-99", "")), 404),
        (chat("{"), 400),
        (chat(&" ".repeat(1001)), 413),
        (request("GET", "/v1/models", KEY, ""), 200),
        (request("GET", "/v1/models/gpt-99", KEY, ""), 404),
    ];
    run_virtual(async move {
        let toml = "[limits]\nrequests_per_minute = 10\nwindow = \"fixed\"\nbody_bytes = 1000\n";
        let (per_model, per_key) = (server(toml), server(&format!("{toml}per = [\"key\"]")));
        for server in [&per_model, &per_key] {
            assert_eq!(status(&ask(server, "").await), 200);
        }
        let of_all = of_a_key.iter().map(|case| (&per_key, case));
        for (server, (request, expected)) in of_a_model.iter().map(|case| (&per_model, case)).chain(of_all) {
            let answer = text(server, request).await;
            assert_eq!((status(&answer), figure(&answer, "x-ratelimit-remaining-requests")), (*expected, 9), "{answer}");
        }
    });
}
