//! Pieces of a streamed answer.

/// The head of a response that is a stream.
pub(crate) const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// The first chunk, which has no content.
pub(crate) const ROLE: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4.1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";

pub(crate) const COMMENT: &str = ": keep-alive\n\n";

pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// A chunk of the first choice; delta and finish reason are JSON.
pub(crate) fn chunk(delta: &str, finish_reason: &str) -> String {
    chunk_of(0, delta, finish_reason)
}

/// A chunk of this choice.
pub(crate) fn chunk_of(index: u32, delta: &str, finish_reason: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4.1\",\"choices\":[{{\"index\":{index},\"delta\":{delta},\"finish_reason\":{finish_reason}}}]}}\n\n"
    )
}

/// A chunk that adds this text.
pub(crate) fn said(text: &str) -> String {
    chunk(&format!("{{\"content\":\"{text}\"}}"), "null")
}

/// The chunk that ends the answer.
pub(crate) fn finish() -> String {
    chunk("{}", "\"stop\"")
}

/// The chunk that tells the usage.
pub(crate) const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\n";
