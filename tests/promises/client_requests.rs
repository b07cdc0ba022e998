//! What can be asked beside a plain question, and what comes back.

use relaybench::client::{EncodingFormat, ErrorKind, Message, Policy, Tool, ToolCalls, ToolChoice};
use relaybench::{ChatRequest, EmbeddingsRequest};
use relaybench_clock::run_virtual;
use serde_json::{Value, json};

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, error, json as answer, question, response};

/// An answer that calls `weather` for Oslo.
const CALL: &str = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}]},"finish_reason":"tool_calls"}]}"#;

fn weather() -> Tool {
    Tool::function("weather", "The weather of a city.", json!({"type": "object", "properties": {"city": {"type": "string"}}}))
}

fn body_of(relay: &RawRelay, attempt: usize) -> Value {
    serde_json::from_str(&relay.attempts()[attempt].body).unwrap()
}

#[test]
fn a_tool_is_called_answered_and_the_conversation_goes_on() {
    run_virtual(async {
        let relay = RawRelay::start([answer("200 OK", &[], CALL), answer("200 OK", &[], COMPLETION)]);
        let client = relay.client().build().unwrap();
        let request = ChatRequest::new("gpt-4.1").user("Will it rain in Oslo?").tools([weather()]).tool_choice(&ToolChoice::Auto);
        let asked = client.chat(request.clone()).await.unwrap();
        let [call] = asked.tool_calls() else { panic!("{asked:?}") };
        assert_eq!((call.id.as_str(), call.function.name.as_str(), asked.content()), ("call_1", "weather", ""));
        assert_eq!(call.function.parse::<Value>().unwrap(), json!({"city": "Oslo"}));

        let told = request.message(asked.message()).message(Message::tool(&call.id, "rain"));
        assert_eq!(client.chat(told).await.unwrap().content(), "Hello.");
        assert_eq!(body_of(&relay, 0)["tools"][0]["function"]["name"], "weather");
        assert_eq!(
            body_of(&relay, 1)["messages"],
            json!([
                {"role": "user", "content": "Will it rain in Oslo?"},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}},
                ]},
                {"role": "tool", "content": "rain", "tool_call_id": "call_1"},
            ])
        );
    });
}

#[test]
fn the_pieces_of_streamed_calls_are_put_together() {
    let delta = |calls: Value| {
        let chunk = json!({"choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": null}]});
        format!("data: {chunk}\n\n")
    };
    let events = [
        delta(json!([{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}])),
        // Some relays repeat what the first piece said, or write null.
        delta(json!([{"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": "{\"city\""}}])),
        delta(json!([{"index": 1, "id": "call_2", "function": {"name": "time", "arguments": "{}"}}])),
        delta(json!([{"index": 0, "function": {"arguments": ":\"Oslo\"}"}}])),
        delta(Value::Null),
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n".to_owned(),
    ];
    run_virtual(async move {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        let relay = RawRelay::start([Step::WriteAndClose(head.to_owned() + &events.concat())]);
        let mut stream = relay.client().build().unwrap().chat_stream(question().tools([weather()])).await.unwrap();
        let mut calls = ToolCalls::default();
        while let Some(chunk) = stream.next().await {
            calls.add(&chunk.unwrap());
        }
        let calls: Vec<_> =
            calls.finish().into_iter().map(|call| (call.id, call.function.name, call.function.arguments)).collect();
        let expected = [("call_1", "weather", r#"{"city":"Oslo"}"#), ("call_2", "time", "{}")];
        assert_eq!(calls, expected.map(|(id, name, arguments)| (id.to_owned(), name.to_owned(), arguments.to_owned())));
    });
}

#[test]
fn several_answers_come_in_one_completion() {
    run_virtual(async {
        let two = r#"{"choices":[{"message":{"content":"a"}},{"message":{"content":"b","tool_calls":null}}]}"#;
        let relay = RawRelay::start([answer("200 OK", &[], two)]);
        let answer = relay.client().build().unwrap().chat(question().n(2)).await.unwrap();
        assert_eq!(answer.contents().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(body_of(&relay, 0)["n"], 2);
    });
}

#[test]
fn embeddings_are_asked_for_again_like_anything_else_and_come_in_the_order_of_the_texts() {
    run_virtual(async {
        let vectors = r#"{"object":"list","model":"e-1","data":[{"index":1,"embedding":"AACAPwAAIMA="},{"index":0,"embedding":[0.5,0.25]}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#;
        let relay = RawRelay::start([error("503 Service Unavailable", "busy", &[]), answer("200 OK", &[], vectors)]);
        let client = relay.client().build().unwrap();
        let request = EmbeddingsRequest::new("text-embedding-3-small").inputs(["one", "two"]);
        let embeddings = client.embeddings(request.encoding_format(EncodingFormat::Base64)).await.unwrap();
        assert_eq!(embeddings.vectors(), [[0.5, 0.25], [1.0, -2.5]]);
        assert_eq!((embeddings.model(), embeddings.usage().unwrap().prompt_tokens), (Some("e-1"), 4));
        assert_eq!(embeddings.attempts().len(), 2);
        let seen = &relay.attempts()[1];
        assert!(seen.head.starts_with("POST /v1/embeddings HTTP/1.1\r\n"), "{}", seen.head);
        assert_eq!(seen.header("x-stainless-retry-count"), Some("1"));
        assert_eq!(
            body_of(&relay, 1),
            json!({"model": "text-embedding-3-small", "input": ["one", "two"], "encoding_format": "base64"})
        );
    });
}

#[test]
fn embeddings_with_a_vector_missing_are_an_error() {
    run_virtual(async {
        let relay = RawRelay::start([answer("200 OK", &[], r#"{"data":[{"index":0,"embedding":[1.0]}]}"#)]);
        let client = relay.client().policy(Policy::none()).build().unwrap();
        let error = client.embeddings(EmbeddingsRequest::new("e-1").inputs(["one", "two"])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    });
}

#[test]
fn one_model_is_asked_for_by_its_name_whatever_is_in_it() {
    run_virtual(async {
        let relay = RawRelay::start([answer("200 OK", &[], r#"{"id":"openai/gpt-4o?x","object":"model","owned_by":"openai"}"#)]);
        let client = relay.client().build().unwrap();
        let model = client.model("openai/gpt-4o?x").await.unwrap();
        assert_eq!((model.id.as_str(), model.owned_by.as_deref()), ("openai/gpt-4o?x", Some("openai")));
        let head = &relay.attempts()[0].head;
        assert!(head.starts_with("GET /v1/models/openai%2Fgpt-4o%3Fx HTTP/1.1\r\n"), "{head}");
        assert!(client.model("").await.unwrap_err().is_config());
    });
}

#[test]
fn a_model_that_is_not_there_is_a_404() {
    run_virtual(async {
        let relay = RawRelay::start([Step::Write(response("404 Not Found", "text/html", &[], "<html>"))]);
        let error = relay.client().build().unwrap().model("x").await.unwrap_err();
        assert_eq!((error.kind(), relay.attempts().len()), (ErrorKind::Status(404), 1));
    });
}
