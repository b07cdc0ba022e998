//! Every other dialect: errors, headers, a completion and a stream.

use super::{PLAIN, SHORT_STREAM, chat_with, injecting, matches_golden_of};
use crate::support::{KEY, chat, chat_body, request};

/// Those besides OpenAI's, which has files of its own.
const DIALECTS: [&str; 8] = ["azure", "anthropic", "groq", "cloudflare", "openrouter", "litellm", "one-api", "vllm"];

/// All that a profile may inject and some dialect has words for.
const STATUSES: [u16; 15] = [400, 401, 402, 403, 404, 408, 413, 418, 429, 498, 500, 502, 503, 504, 529];

fn in_dialect(dialect: &str, rest: &str) -> String {
    format!("dialect = \"{dialect}\"\n{rest}")
}

#[test]
fn answers_are_as_recorded_in_every_dialect() {
    for dialect in DIALECTS {
        let profile = in_dialect(dialect, PLAIN);
        matches_golden_of(dialect, "completion", &profile, chat("", ""));
        let options = r#","stream":true,"max_tokens":2,"stream_options":{"include_usage":true}"#;
        matches_golden_of(dialect, "stream", &profile, chat("", options));
    }
}

#[test]
fn refused_callers_read_what_is_recorded_in_every_dialect() {
    for dialect in DIALECTS {
        let profile = in_dialect(dialect, PLAIN);
        let matches = |name: &str, request: Vec<u8>| matches_golden_of(dialect, name, &profile, request);
        matches("401-missing", request("POST", "/v1/chat/completions", "", &chat_body("gpt-4.1", "")));
        let wrong = "authorization: Bearer sk-a-secret-of-someone\r\n";
        matches("401-wrong", request("POST", "/v1/chat/completions", wrong, &chat_body("gpt-4.1", "")));
        matches("model-unknown", chat_with(&chat_body("gpt-99", "")));
        matches("route-unknown", request("GET", "/v2/chat", KEY, ""));
        matches("405", request("GET", "/v1/chat/completions", KEY, ""));
        matches("413", chat_with(&" ".repeat(1001)));
        matches("400-malformed", chat_with(r#"{"model": "gpt-4.1", "messages": [}"#));
        matches("400-invalid", chat_with(&chat_body("gpt-4.1", r#","max_tokens":0"#)));
        matches("400-missing", chat_with(r#"{"model":"gpt-4.1"}"#));
    }
}

#[test]
fn failures_read_what_is_recorded_in_every_dialect() {
    for dialect in DIALECTS {
        for status in STATUSES {
            let profile = in_dialect(dialect, &injecting(status));
            matches_golden_of(dialect, &format!("injected-{status}"), &profile, chat("", ""));
        }
        let burst = "[[burst]]\nevery = \"20s\"\nfor = \"2s\"\nretry_after = \"1234567us\"\n";
        matches_golden_of(dialect, "429-burst", &in_dialect(dialect, burst), chat("", ""));
        let limited = format!("limits.requests_per_minute = 600\n{burst}");
        matches_golden_of(dialect, "429-limit", &in_dialect(dialect, &limited), chat("", ""));
        let failing = "[capacity]\nmodel = \"curve\"\n\
                       [[capacity.point]]\nin_flight = 1\nlatency = { p50 = \"90ms\" }\nfailure_share = 1.0\n";
        matches_golden_of(dialect, "overloaded", &in_dialect(dialect, failing), chat("", ""));
    }
}

#[test]
fn limits_are_told_as_recorded_in_every_dialect() {
    for dialect in DIALECTS {
        let limits = "completion.tokens = { dist = \"fixed\", value = 14 }\n[limits]\nrequests_per_day = 1000\n\
                      requests_per_minute = 600\ntokens_per_minute = 90_000\n";
        matches_golden_of(dialect, "headers", &in_dialect(dialect, limits), chat("", ""));
        let few_tokens = "[limits]\ntokens_per_minute = 60\nassumed_completion_tokens = 100\n";
        matches_golden_of(dialect, "limit-too-large", &in_dialect(dialect, few_tokens), chat("", ""));
    }
}

#[test]
fn what_azure_leaves_out_is_as_recorded() {
    let gaps = "azure = { vague_resets = 1.0, missing_retry_after = 1.0 }\nlimits = { requests_per_minute = 600 }\n";
    // The draws of these attempts are -1 and 0.
    for (name, id) in [("headers-vague-minus-one", "c"), ("headers-vague-zero", "a")] {
        matches_golden_of("azure", name, &in_dialect("azure", gaps), chat(&format!("x-client-request-id: {id}\r\n"), ""));
    }
    let burst = format!("{gaps}[[burst]]\nevery = \"20s\"\nfor = \"2s\"\nretry_after = \"1234567us\"\n");
    matches_golden_of("azure", "429-without-retry-after", &in_dialect("azure", &burst), chat("", ""));
}

#[test]
fn azure_names_the_version_that_its_caller_named() {
    let burst = "[[burst]]\nevery = \"20s\"\nfor = \"2s\"\nretry_after = \"1234567us\"\n";
    let named = |query: &str| {
        let path = format!("/openai/deployments/gpt-4.1/chat/completions{query}");
        request("POST", &path, "api-key: sk-test\r\n", &chat_body("gpt-4.1", ""))
    };
    let matches = |name: &str, query: &str| matches_golden_of("azure", name, &in_dialect("azure", burst), named(query));
    matches("429-of-api-version", "?a=b&api-version=2025-04-01-preview");
    // Those who name none are told of the same version as callers of other paths.
    matches("429-of-no-api-version", "?api-version=");
}

#[test]
fn reasons_for_a_429_are_as_recorded_in_every_dialect() {
    for dialect in ["openai"].into_iter().chain(DIALECTS) {
        let limits = "limits = { requests_per_minute = 600, tokens_per_minute = 90_000 }\n";
        let asking = |fault: &str| chat(&format!("x-mock-fault: {fault}\r\n"), r#","max_tokens":87"#);
        for reason in ["quota", "requests", "tokens", "slow-down"] {
            let golden = |name: &str, profile: &str| {
                matches_golden_of(dialect, name, &in_dialect(dialect, profile), asking(&format!("status=429:{reason}")));
            };
            golden(&format!("429-injected-{reason}"), "");
            golden(&format!("429-injected-{reason}-limited"), limits);
        }
        matches_golden_of(dialect, "injected-429-limited", &in_dialect(dialect, limits), asking("status=429"));
    }
    let of_kinds = "dialect = \"anthropic\"\nlimits = { input_tokens_per_minute = 20_000, output_tokens_per_minute = 8_000 }\n";
    let asking = chat("x-mock-fault: status=429:tokens\r\n", r#","max_tokens":87"#);
    matches_golden_of("anthropic", "429-injected-tokens-of-kinds", of_kinds, asking);
}

#[test]
fn an_error_in_midstream_is_as_recorded_in_every_dialect() {
    for dialect in ["openai"].into_iter().chain(DIALECTS) {
        let failing = chat("x-mock-fault: error-event\r\n", r#","stream":true"#);
        matches_golden_of(dialect, "stream-error-event", &in_dialect(dialect, SHORT_STREAM), failing);
    }
}
