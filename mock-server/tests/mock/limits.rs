//! Rate limits on the wire: what answers say of them, whom they refuse, and until when.

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
fn a_retry_is_admitted_after_exactly_what_was_told_and_not_a_millisecond_earlier() {
    let limits = [
        "requests_per_minute = 7",
        "requests_per_day = 7",
        "tokens_per_minute = 97",
        "tokens_per_day = 97",
        "requests_per_minute = 3, tokens_per_minute = 1000, requests_per_day = 4",
    ];
    for (limits, window) in limits.iter().flat_map(|limits| ["bucket", "fixed", "sliding"].map(|window| (*limits, window))) {
        run_virtual(async move {
            let server = server(&format!("{ANSWERS}limits = {{ {limits}, window = \"{window}\" }}"));
            // So that no answer is due on a whole second.
            sleep(Duration::from_nanos(1_234_567_891)).await;
            let refusal = loop {
                let answer = ask(&server, r#","max_tokens":14"#).await;
                if status(&answer) == 429 {
                    break answer;
                }
                sleep(Duration::from_micros(123_457)).await;
            };
            let refused = now();
            let told = figure(&refusal, "retry-after-ms");
            assert_eq!(figure(&refusal, "retry-after"), told.div_ceil(1_000));
            sleep_until(refused + ms(told) - ms(1)).await;
            let early = ask(&server, r#","max_tokens":14"#).await;
            assert_eq!((status(&early), figure(&early, "retry-after-ms")), (429, 1), "{limits} {window}: {refusal}");
            sleep_until(refused + ms(told)).await;
            assert_eq!(status(&ask(&server, r#","max_tokens":14"#).await), 200, "{limits} {window}: {refusal}");
        });
    }
}

#[test]
fn after_a_429_that_a_fault_injects_a_retry_is_admitted_when_it_was_told() {
    let cases = [
        ("status=429", "requests_per_minute = 600", 1_000),
        ("status=429:requests", "requests_per_minute = 600", 1_000),
        // Of its own limits nothing is left for longer.
        ("status=429", "requests_per_minute = 1", 60_000),
        ("status=429:tokens", "tokens_per_minute = 900", 1_000),
    ];
    for (fault, limits, wait) in cases {
        run_virtual(async move {
            let server = server(&format!("{ANSWERS}limits = {{ {limits}, window = \"sliding\" }}"));
            let refusal = text(&server, &chat(&format!("x-mock-fault: {fault}\r\n"), "")).await;
            let resource = if limits.contains("tokens") { "tokens" } else { "requests" };
            assert_eq!((status(&refusal), figure(&refusal, "retry-after-ms")), (429, wait), "{fault} {limits}");
            assert_eq!(figure(&refusal, &format!("x-ratelimit-remaining-{resource}")), 0, "{fault} {limits}");
            sleep(ms(wait)).await;
            assert_eq!(status(&ask(&server, "").await), 200, "{fault} {limits}");
        });
    }
}

#[test]
fn azure_is_vague_as_often_as_it_is_told_and_always_for_the_same_attempts() {
    const GAPS: &str =
        "dialect = \"azure\"\nauth.keys = [\"sk-test\"]\nazure = { vague_resets = 0.5, missing_retry_after = 0.25 }
                        [limits]\nrequests_per_day = 100\nwindow = \"fixed\"";
    let run = || {
        run_virtual(async {
            let server = server(GAPS);
            let mut seen = Vec::new();
            for id in 0..400 {
                let answer = text(&server, &chat(&format!("x-client-request-id: {id}\r\n"), "")).await;
                let reset = header(&answer, "x-ratelimit-reset-requests").unwrap().to_owned();
                seen.push((status(&answer), reset, header(&answer, "retry-after").is_some()));
            }
            seen
        })
    };
    let seen = run();
    let count = |is: &dyn Fn(&(u16, String, bool)) -> bool| seen.iter().filter(|answer| is(answer)).count();
    // Three standard deviations either side.
    assert!((78..=122).contains(&count(&|(_, reset, _)| reset == "-1")));
    assert!((78..=122).contains(&count(&|(_, reset, _)| reset == "0")));
    assert_eq!(count(&|(status, _, told)| *status == 200 && !told), 100);
    assert!((52..=98).contains(&count(&|(status, _, told)| *status == 429 && !told)));
    assert_eq!(run(), seen);
    // Without gaps there are none.
    let exact = run_virtual(async {
        let server = server(&GAPS.replace("0.5", "0.0").replace("0.25", "0.0").replace("100", "1"));
        let answers = [ask(&server, "").await, ask(&server, "").await];
        answers.map(|answer| (figure(&answer, "x-ratelimit-reset-requests"), header(&answer, "retry-after").is_some()))
    });
    assert_eq!(exact, [(86_400, false), (86_400, true)]);
}

#[test]
fn one_too_many_at_once_is_refused_until_another_ends() {
    run_virtual(async {
        let server = server(&format!("{ANSWERS}limits.concurrency = 3"));
        let answering: Vec<_> = (0..3)
            .map(|_| {
                let server = server.clone();
                tokio::spawn(async move { status(&ask(&server, "").await) })
            })
            .collect();
        sleep(ms(249)).await;
        let refusal = ask(&server, "").await;
        assert_eq!((status(&refusal), header(&refusal, "retry-after")), (429, None));
        // Other models have places of their own.
        let other = request("POST", "/v1/chat/completions", KEY, &chat_body("gpt-4o", ""));
        assert_eq!(status(&text(&server, &other).await), 200);
        assert_eq!(status(&ask(&server, "").await), 200);
        for answer in answering {
            assert_eq!(answer.await.unwrap(), 200);
        }
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

/// Asks for something, and while that is answered for more, whose answer is compared with what is kept.
#[track_caller]
fn is_golden_after(dialect: &str, name: &str, toml: &str, first: Option<&'static str>, then: &'static str) {
    let toml = format!("dialect = \"{dialect}\"\n{ANSWERS}{toml}");
    let actual = run_virtual(async move {
        let server = server(&toml);
        let mut connection = connect(&server);
        if let Some(first) = first {
            connection.write_all(&chat("x-client-request-id: first\r\n", first)).await.unwrap();
        }
        sleep(ms(1)).await;
        text(&server, &chat("x-client-request-id: then\r\n", then)).await
    });
    is_golden(dialect, name, &actual);
}

/// Of OpenAI's own example: 29,937 are used and 385 asked for, less the millisecond between the two.
const SOME: (&str, &str) = (r#","max_tokens":29924"#, r#","max_tokens":372"#);
const TOKENS: &str = "[limits]\nrequests_per_minute = 500\ntokens_per_minute = 30000";
const DAILY: &str = "[limits]\nrequests_per_day = 1\ntokens_per_minute = 600\nwindow = \"sliding\"";
const AT_ONCE: &str = "[limits]\nconcurrency = 1\nrequests_per_minute = 10";
const LEFT: &str = "[limits]\nrequests_per_minute = 60\nrequests_per_day = 1000\ntokens_per_minute = 3000";

#[test]
fn refusals_and_standings_are_as_recorded() {
    let openai = |name: &str, toml: &str, first, then| is_golden_after("openai", name, toml, first, then);
    openai("completion-limited", LEFT, None, r#","max_tokens":100"#);
    openai("stream-limited", LEFT, None, r#","max_tokens":100,"stream":true"#);
    openai("429-tokens-too-large", TOKENS, None, r#","max_tokens":40000"#);
    openai("429-requests", "[limits]\nrequests_per_minute = 1\nwindow = \"fixed\"", Some(""), "");
    openai("429-tokens-per-day", "limits.tokens_per_day = 300", Some(""), "");
    let burst = format!("{TOKENS}\n[[burst]]\nevery = \"20s\"\nfor = \"2s\"\nretry_after = \"1234567us\"");
    openai("429-burst-limited", &burst, None, "");
    let anthropic = |name: &str, toml: &str, then| is_golden_after("anthropic", name, toml, Some(SOME.0), then);
    let of_kinds = format!("{TOKENS}\ninput_tokens_per_minute = 20\noutput_tokens_per_minute = 8000");
    anthropic("429-input-tokens", &of_kinds.replace("8000", "80000"), SOME.1);
    anthropic("429-output-tokens", &of_kinds.replace(" = 8000", " = 29930").replace(" = 20\n", " = 2000\n"), SOME.1);
    is_golden_after("anthropic", "headers-of-all-tokens", &of_kinds, None, r#","max_tokens":100"#);
    let of_kinds_alone = of_kinds.replace("\ntokens_per_minute = 30000", "");
    is_golden_after("anthropic", "headers-of-kinds-of-tokens", &of_kinds_alone, None, r#","max_tokens":100"#);
}

#[test]
fn refusals_and_standings_are_as_recorded_in_every_dialect() {
    for dialect in ["openai", "azure", "anthropic", "groq", "cloudflare", "openrouter", "litellm", "one-api", "vllm"] {
        is_golden_after(dialect, "429-tokens", TOKENS, Some(SOME.0), SOME.1);
        is_golden_after(dialect, "429-requests-per-day", DAILY, Some(""), "");
        is_golden_after(dialect, "429-concurrency", AT_ONCE, Some(""), "");
    }
}

/// One request of a sequence, which comes so long after the answer before.
#[derive(Clone, Debug)]
struct Asked {
    gap: Duration,
    max_tokens: u32,
    stream: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let gap = prop_oneof![Just(0), 0..2_000_000_000_u64, 0..90_000_000_000_u64].prop_map(Duration::from_nanos);
    (gap, 1..80_u32, any::<bool>()).prop_map(|(gap, max_tokens, stream)| Asked { gap, max_tokens, stream })
}

/// How a dialect writes that all of a limit is there again: what it is called, and to how long a time it is rounded up.
struct Resets {
    dialect: &'static str,
    prefix: &'static str,
    names: fn(&str, &str) -> String,
    unit: Duration,
    /// Whether tokens of prompts and of completions have headers of their own.
    tells_kinds: bool,
    /// How long after the answer's head, which left so long after the start.
    read: fn(&str, Duration) -> Duration,
}

const RESETS: [Resets; 4] = [
    Resets {
        dialect: "openai",
        prefix: "x-ratelimit",
        names: as_openai,
        unit: ms(1),
        tells_kinds: false,
        read: |text, _| go(text),
    },
    Resets {
        dialect: "groq",
        prefix: "x-ratelimit",
        names: as_openai,
        unit: ms(1),
        tells_kinds: false,
        read: |text, _| go(text),
    },
    Resets {
        dialect: "azure",
        prefix: "x-ratelimit",
        names: as_openai,
        unit: ms(1_000),
        tells_kinds: false,
        read: |text, _| Duration::from_secs(text.parse().unwrap()),
    },
    Resets {
        dialect: "anthropic",
        prefix: "anthropic-ratelimit",
        names: |what, resource| format!("{resource}-{what}"),
        unit: ms(1_000),
        tells_kinds: true,
        read: |text, head| {
            let start: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
            let reset: jiff::Timestamp = text.parse().unwrap();
            Duration::try_from(reset.duration_since(start)).unwrap().saturating_sub(head)
        },
    },
];

fn as_openai(what: &str, resource: &str) -> String {
    format!("{what}-{resource}")
}

/// `1h2m3.004s` or `5ms`.
fn go(text: &str) -> Duration {
    let Some(seconds) = text.strip_suffix("ms") else {
        let (hours, rest) = text.split_once('h').unwrap_or(("0", text));
        let (minutes, rest) = rest.split_once('m').unwrap_or(("0", rest));
        let whole: u64 = hours.parse::<u64>().unwrap() * 3600 + minutes.parse::<u64>().unwrap() * 60;
        let (seconds, fraction) = rest.strip_suffix('s').unwrap().split_once('.').unwrap_or((rest.trim_end_matches('s'), "0"));
        let fraction = format!("{fraction:0<3}");
        return Duration::from_secs(whole + seconds.parse::<u64>().unwrap()) + ms(fraction.parse().unwrap());
    };
    ms(seconds.parse().unwrap())
}

impl Resets {
    /// That an answer, whose head left so long after the start, says what the machine says.
    #[track_caller]
    fn are(&self, answer: &str, standings: &[Standing], head: Duration) {
        let all = [
            ("requests", Resource::Requests),
            ("tokens", Resource::Tokens),
            ("input-tokens", Resource::InputTokens),
            ("output-tokens", Resource::OutputTokens),
        ];
        for (name, resource) in all.into_iter().take(if self.tells_kinds { 4 } else { 2 }) {
            let named = |what| format!("{}-{}", self.prefix, (self.names)(what, name));
            let expected = standings.iter().find(|standing| (standing.resource, standing.period) == (resource, Period::Minute));
            let expected = expected.unwrap();
            let actual = (figure(answer, &named("remaining")), figure(answer, &named("limit")));
            assert_eq!(actual, (expected.remaining, expected.limit), "{name}: {answer}");
            let reset = (self.read)(header(answer, &named("reset")).unwrap(), head);
            // Rounded up, so that waiting is enough, and no further than it must.
            assert!(expected.reset <= reset && reset < expected.reset + self.unit, "{name} {:?}: {answer}", expected.reset);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The machine is told the same by hand, and has its own proofs.
    #[test]
    fn whatever_is_asked_the_wire_says_what_the_machine_does(
        sequence in prop::collection::vec(asked(), 1..25),
        window in prop::sample::select(&["bucket", "fixed", "sliding"][..]),
        which in 0..RESETS.len(),
    ) {
        const LATENCY: Duration = Duration::from_millis(250);
        let resets = &RESETS[which];
        let kinds = if resets.tells_kinds { "input_tokens_per_minute = 90, output_tokens_per_minute = 200, " } else { "" };
        let limits = format!("limits = {{ requests_per_minute = 9, tokens_per_minute = 300, {kinds}window = \"{window}\" }}");
        let toml = format!("dialect = \"{}\"\n{ANSWERS}{limits}", resets.dialect);
        run_virtual(async move {
            let server = server(&toml);
            let mut mirror = Limiter::new(&profile(&toml)).unwrap();
            let caller = Caller::new("sk-test", None);
            let (start, model) = (now(), 0);
            for Asked { gap, max_tokens, stream } in sequence {
                sleep(gap).await;
                let arrived = start.elapsed();
                let answer = ask(&server, &format!(r#","max_tokens":{max_tokens},"stream":{stream}"#)).await;
                let cost = |output: u32| Cost { input: PROMPT, output: output.into() };
                let used = cost(max_tokens.min(14));
                let (standings, head) = match mirror.admit(caller, model, cost(max_tokens), arrived) {
                    Ok(reservation) => {
                        assert_eq!((status(&answer), start.elapsed()), (200, arrived + LATENCY));
                        // A stream spreads its tokens over the latency, and its head leaves with the first.
                        let head = arrived + if stream { LATENCY / max_tokens.min(14) } else { LATENCY };
                        let mut standings = mirror.standings(caller, model, head);
                        mirror.settle(reservation, used, arrived + LATENCY);
                        if !stream {
                            standings = mirror.standings(caller, model, head);
                        } else if max_tokens == 1 {
                            // All of it goes out at once: the head is made before the body.
                            assert_eq!(head, arrived + LATENCY);
                        }
                        (standings, head)
                    }
                    Err(reached) => {
                        assert_eq!((status(&answer), start.elapsed()), (429, arrived));
                        let LimitReached::Rate { wait, .. } = reached else { panic!("{reached:?}") };
                        if resets.dialect == "openai" {
                            assert_eq!(u128::from(figure(&answer, "retry-after-ms")), wait.as_nanos().div_ceil(1_000_000));
                        }
                        assert_eq!(u128::from(figure(&answer, "retry-after")), wait.as_nanos().div_ceil(1_000_000_000));
                        (mirror.standings(caller, model, arrived), arrived)
                    }
                };
                resets.are(&answer, &standings, head);
            }
        });
    }

    #[test]
    fn a_client_that_waits_as_long_as_it_is_told_is_refused_once_at_most(
        sequence in prop::collection::vec(asked(), 1..25),
        window in prop::sample::select(&["bucket", "fixed", "sliding"][..]),
    ) {
        run_virtual(async move {
            let limits = "requests_per_minute = 5, tokens_per_minute = 200, tokens_per_day = 600, requests_per_day = 20";
            let server = server(&format!("{ANSWERS}limits = {{ {limits}, window = \"{window}\" }}"));
            for Asked { gap, max_tokens, stream } in sequence {
                sleep(gap).await;
                let extra = format!(r#","max_tokens":{max_tokens},"stream":{stream}"#);
                let answer = ask(&server, &extra).await;
                if status(&answer) == 429 {
                    sleep(ms(figure(&answer, "retry-after-ms"))).await;
                    let retried = ask(&server, &extra).await;
                    assert_eq!(status(&retried), 200, "{answer}\n{retried}");
                }
            }
        });
    }
}
