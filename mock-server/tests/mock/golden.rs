//! The bytes of every kind of answer in every dialect, as they are kept in fixtures/wire. In virtual time ids and dates are the same in
//! every run. `RELAYBENCH_WRITE_GOLDEN=1` writes them anew, to be looked at before they are committed.

mod dialects;
mod endpoints;
mod patience;

use std::fs;
use std::path::{Path, PathBuf};

use relaybench_clock::run_virtual;

use crate::support::{KEY, chat, chat_body, request, server, text};

const PLAIN: &str = r#"
latency.total = { dist = "fixed", value = "250ms" }
completion.tokens = { dist = "fixed", value = 14 }
limits.body_bytes = 1000
auth.keys = ["sk-test"]
models = ["gpt-4.1", "deepseek-chat"]
"#;

/// Answers of four tokens.
const SHORT_STREAM: &str = "completion.tokens = { dist = \"fixed\", value = 4 }\n";

fn injecting(status: u16) -> String {
    format!("[[fault]]\nfault = \"status={status}\"\nprobability = 1.0\n")
}

fn chat_with(body: &str) -> Vec<u8> {
    request("POST", "/v1/chat/completions", KEY, body)
}

#[track_caller]
fn matches_golden(name: &str, profile: &str, request: Vec<u8>) {
    matches_golden_of("openai", name, profile, request);
}

#[track_caller]
fn matches_golden_of(dialect: &str, name: &str, profile: &str, request: Vec<u8>) {
    let profile = profile.to_owned();
    is_golden(dialect, name, &run_virtual(async move { text(&server(&profile), &request).await }));
}

/// Compares the bytes of an answer with those that are kept under a name.
#[track_caller]
pub(crate) fn is_golden(dialect: &str, name: &str, actual: &str) {
    let path = directory().join(dialect).join(format!("{name}.http"));
    if std::env::var_os("RELAYBENCH_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, golden, "{}", path.display());
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/wire")
}

#[test]
fn completions_are_as_recorded() {
    matches_golden("completion", PLAIN, chat("", ""));
    matches_golden("completion-cut", PLAIN, chat("", r#","max_tokens":3"#));
    matches_golden("stream", PLAIN, chat("", r#","stream":true"#));
    matches_golden(
        "stream-cut-with-usage",
        PLAIN,
        chat("", r#","stream":true,"max_tokens":2,"stream_options":{"include_usage":true}"#),
    );
}

#[test]
fn echoes_and_given_texts_are_as_recorded() {
    const PROMPT: &str = "Sag \"Grüße\" \\ 你好 🎉\n\u{1}ende";
    let body = |prompt: &str, extra: &str| {
        let prompt = serde_json::to_string(prompt).unwrap();
        format!(r#"{{"model":"gpt-4.1","messages":[{{"role":"user","content":{prompt}}}]{extra}}}"#)
    };
    let echo = "completion.content = \"echo\"";
    matches_golden("echo", echo, chat_with(&body(PROMPT, "")));
    matches_golden("echo-cut", echo, chat_with(&body(PROMPT, r#","max_tokens":6"#)));
    matches_golden("echo-empty", echo, chat_with(&body("", "")));
    matches_golden("echo-empty-stream", echo, chat_with(&body("", r#","stream":true"#)));
    let given =
        "completion = { content = { text = \"Zwölf \\\"Boxkämpfer\\\"\" }, chunk_tokens = { dist = \"fixed\", value = 2 } }";
    matches_golden("given", given, chat("", ""));
    matches_golden("given-stream", given, chat("", r#","stream":true"#));
    matches_golden(
        "given-stream-cut-with-usage",
        given,
        chat("", r#","stream":true,"max_tokens":4,"stream_options":{"include_usage":true}"#),
    );
}

#[test]
fn a_stream_in_chunks_of_several_tokens_is_as_recorded() {
    let chunked = format!("{PLAIN}completion.chunk_tokens = {{ dist = \"uniform\", min = 2, max = 6 }}\n");
    matches_golden("stream-chunked", &chunked, chat("", r#","stream":true"#));
}

#[test]
fn the_list_of_models_is_as_recorded() {
    matches_golden("models", PLAIN, request("GET", "/v1/models", KEY, ""));
}

#[test]
fn refused_callers_read_what_is_recorded() {
    matches_golden("401-missing", PLAIN, request("POST", "/v1/chat/completions", "", &chat_body("gpt-4.1", "")));
    let wrong = "authorization: Bearer sk-a-secret-of-someone\r\n";
    matches_golden("401-wrong", PLAIN, request("POST", "/v1/chat/completions", wrong, &chat_body("gpt-4.1", "")));
    matches_golden("404-model", PLAIN, chat_with(&chat_body("gpt-99", "")));
    matches_golden("404-route", PLAIN, request("GET", "/v2/chat", KEY, ""));
    matches_golden("405", PLAIN, request("GET", "/v1/chat/completions", KEY, ""));
    matches_golden("413", PLAIN, chat_with(&" ".repeat(1001)));
}

#[test]
fn wrong_requests_read_what_is_recorded() {
    matches_golden("400-malformed", PLAIN, chat_with(r#"{"model": "gpt-4.1", "messages": [}"#));
    matches_golden("400-missing-model", PLAIN, chat_with(r#"{"messages":[{"role":"user","content":"hi"}]}"#));
    matches_golden("400-missing-messages", PLAIN, chat_with(r#"{"model":"gpt-4.1"}"#));
    matches_golden("400-empty-messages", PLAIN, chat_with(r#"{"model":"gpt-4.1","messages":[]}"#));
    matches_golden("400-wrong-type", PLAIN, chat_with(&chat_body("gpt-4.1", r#","temperature":"hot""#)));
    matches_golden("400-too-hot", PLAIN, chat_with(&chat_body("gpt-4.1", r#","temperature":2.1"#)));
    matches_golden("400-top-p", PLAIN, chat_with(&chat_body("gpt-4.1", r#","top_p":1.01"#)));
    matches_golden("400-penalty", PLAIN, chat_with(&chat_body("gpt-4.1", r#","presence_penalty":-2.5"#)));
    matches_golden("400-below-minimum", PLAIN, chat_with(&chat_body("gpt-4.1", r#","max_tokens":0"#)));
}

#[test]
fn failures_read_what_is_recorded() {
    let burst = "[[burst]]\nevery = \"20s\"\nfor = \"2s\"\nretry_after = \"1234567us\"\n";
    matches_golden("429-burst", burst, chat("", ""));
    let failing =
        "[capacity]\nmodel = \"curve\"\n[[capacity.point]]\nin_flight = 1\nlatency = { p50 = \"90ms\" }\nfailure_share = 1.0\n";
    matches_golden("503-overloaded", failing, chat("", ""));
    for status in [401, 404, 418, 429, 500, 503, 529] {
        matches_golden(&format!("injected-{status}"), &injecting(status), chat("", ""));
    }
}

#[test]
fn no_golden_answer_holds_a_key() {
    for dialect in fs::read_dir(directory()).unwrap().map(|dialect| dialect.unwrap().path()).filter(|path| path.is_dir()) {
        for file in fs::read_dir(dialect).unwrap() {
            let answer = fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!answer.contains("sk-test") && !answer.contains("secret"), "{answer}");
        }
    }
}
