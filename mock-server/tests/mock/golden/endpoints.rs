//! What is generated elsewhere than in chat, and chat with several choices.

use super::{KEY, PLAIN, chat, injecting, matches_golden, matches_golden_of, request};

const SHORT: &str = super::SHORT_STREAM;

fn post(path: &str, body: &str) -> Vec<u8> {
    request("POST", path, KEY, body)
}

#[test]
fn messages_are_as_recorded() {
    let asking = |headers: &str, extra: &str| {
        let body = format!(
            r#"{{"model":"claude-sonnet-4-20250514","max_tokens":50,"system":[{{"type":"text","text":"Be brief."}}],"messages":[{{"role":"user","content":[{{"type":"text","text":"Hello?"}}]}}]{extra}}}"#
        );
        request("POST", "/v1/messages", &format!("x-api-key: sk-test\r\nanthropic-version: 2023-06-01\r\n{headers}"), &body)
    };
    let message = |extra: &str| asking("", extra);
    let failing = asking("x-mock-fault: error-event\r\n", r#","stream":true"#);
    matches_golden_of("anthropic", "message-stream-error-event", SHORT, failing);
    matches_golden_of("anthropic", "message", SHORT, message(""));
    matches_golden_of("anthropic", "message-stream", SHORT, message(r#","stream":true"#));
    matches_golden_of("anthropic", "message-stream-cut", "", message(r#","stream":true,"max_tokens":2"#));
    matches_golden_of("anthropic", "message-injected-529", &injecting(529), message(""));
    let none = request("POST", "/v1/messages", "", "{}");
    matches_golden_of("anthropic", "message-401", "", none);
    let unlimited = post("/v1/messages", r#"{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}"#);
    for (name, extra) in [("too-hot", r#","temperature":1.5"#), ("top-p", r#","top_p":"all""#), ("top-k", r#","top_k":-1"#)] {
        matches_golden_of("anthropic", &format!("message-400-{name}"), "", message(extra));
    }
    matches_golden_of("anthropic", "message-400", "dialect = \"groq\"", unlimited);
}

#[test]
fn texts_are_as_recorded() {
    let text = |body: &str| post("/v1/completions", body);
    matches_golden("text", SHORT, text(r#"{"model":"gpt-4.1","prompt":"Once upon a time"}"#));
    let two =
        r#"{"model":"gpt-4.1","prompt":["a","b"],"n":2,"max_tokens":2,"stream":true,"stream_options":{"include_usage":true}}"#;
    matches_golden("text-stream", SHORT, text(two));
    matches_golden(
        "text-default-limit",
        PLAIN.replace("value = 14", "value = 99").as_str(),
        text(r#"{"model":"gpt-4.1","prompt":[1,2,3]}"#),
    );
    let failing = |extra: &str| text(&format!(r#"{{"model":"gpt-4.1","prompt":"Once"{extra}}}"#));
    matches_golden("text-400-too-hot", SHORT, failing(r#","temperature":2.1"#));
    matches_golden("text-400-penalty", SHORT, failing(r#","frequency_penalty":-3"#));
    matches_golden("text-400-choices", SHORT, failing(r#","n":0"#));
    matches_golden("text-400", SHORT, text(r#"{"model":"gpt-4.1"}"#));
}

#[test]
fn responses_are_as_recorded() {
    let asking = |headers: &str, extra: &str| {
        let input = r#"[{"role":"user","content":[{"type":"input_text","text":"Hello?"}]}]"#;
        let body = format!(r#"{{"model":"gpt-4.1","instructions":"Be brief.","input":{input}{extra}}}"#);
        request("POST", "/v1/responses", &format!("{KEY}{headers}"), &body)
    };
    let response = |extra: &str| asking("", extra);
    let failing = asking("x-mock-fault: error-event\r\n", r#","stream":true"#);
    matches_golden("response-stream-error-event", SHORT, failing);
    matches_golden("response", SHORT, response(""));
    matches_golden("response-stream", SHORT, response(r#","stream":true"#));
    matches_golden("response-stream-cut", SHORT, response(r#","stream":true,"max_output_tokens":2"#));
    let told = concat!(
        r#","max_output_tokens":50,"temperature":0.7,"top_p":0.9,"metadata":{"team":"b\u00fc\"ro"},"parallel_tool_calls":false"#,
        r#","previous_response_id":"resp_1","tool_choice":"none","tools":[{"type":"function","name":"f"}],"truncation":"auto""#,
        r#","user":"u","store":true,"reasoning":{"effort":"low"},"service_tier":"flex""#,
    );
    matches_golden("response-echo", SHORT, response(told));
    matches_golden("response-echo-stream", SHORT, response(&format!(r#"{told},"stream":true"#)));
    matches_golden("response-400-metadata", SHORT, response(r#","metadata":[1]"#));
    matches_golden("response-400-too-hot", SHORT, response(r#","temperature":-0.5"#));
    matches_golden("response-400-top-p", SHORT, response(r#","top_p":1.5"#));
    matches_golden("response-400", SHORT, post("/v1/responses", r#"{"model":"gpt-4.1","input":[4]}"#));
}

#[test]
fn embeddings_are_as_recorded() {
    let embedding = |extra: &str| post("/v1/embeddings", &format!(r#"{{"model":"gpt-4.1","dimensions":4{extra}}}"#));
    matches_golden("embeddings-400", PLAIN, embedding(r#","input":["Hello?",""]"#));
    matches_golden("embeddings-float", PLAIN, embedding(r#","input":["Hello?",[1,2,3]]"#));
    matches_golden("embeddings-base64", PLAIN, embedding(r#","input":"Hello?","encoding_format":"base64""#));
    matches_golden("embeddings-tokens", PLAIN, embedding(r#","input":[1,2,3]"#));
}

#[test]
fn single_models_are_as_recorded() {
    matches_golden("model", PLAIN, request("GET", "/v1/models/gpt-4.1", KEY, ""));
    matches_golden("model-404", PLAIN, request("GET", "/v1/models/gpt-99", KEY, ""));
    let anthropic = format!("dialect = \"anthropic\"\n{PLAIN}");
    matches_golden_of("anthropic", "models", &anthropic, request("GET", "/v1/models", KEY, ""));
    matches_golden_of("anthropic", "model", &anthropic, request("GET", "/v1/models/gpt-4.1", KEY, ""));
}

#[test]
fn several_choices_are_as_recorded() {
    matches_golden("choices", SHORT, chat("", r#","n":2"#));
    matches_golden(
        "choices-stream",
        SHORT,
        chat("", r#","n":2,"max_tokens":2,"stream":true,"stream_options":{"include_usage":true}"#),
    );
}

#[test]
fn a_deployment_names_its_model_in_the_path() {
    let body = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
    let path = "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21";
    let deployed = |path: &str| request("POST", path, "api-key: sk-test\r\n", body);
    matches_golden_of("azure", "deployment", "dialect = \"azure\"", deployed(path));
    matches_golden_of("azure", "deployment-unknown", "dialect = \"azure\"", deployed(&path.replace("gpt-4.1", "gpt-99")));
}
