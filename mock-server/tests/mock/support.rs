//! A raw client over in-memory connections: bytes in, bytes and their instants out.

pub(crate) mod http2;

use std::time::Duration;

use relaybench_clock::{Instant, now};
use relaybench_mock::{MockServer, Profile};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn profile(toml: &str) -> Profile {
    Profile::parse(toml, "test.toml").unwrap()
}

pub(crate) fn server(toml: &str) -> MockServer {
    MockServer::new(profile(toml))
}

/// A connection to the server, served by a task of its own.
pub(crate) fn connect(server: &MockServer) -> DuplexStream {
    let (near, far) = duplex(1 << 20);
    tokio::spawn(server.serve_connection(far));
    near
}

/// What the caller read at one instant.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) at: Instant,
    pub(crate) text: String,
}

/// Sends one request on a connection of its own, and reads until the server closes it.
pub(crate) async fn exchange(server: &MockServer, request: &[u8]) -> Vec<Part> {
    let mut connection = connect(server);
    connection.write_all(request).await.unwrap();
    let mut parts = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match connection.read(&mut buffer).await {
            Ok(0) | Err(_) => return parts,
            Ok(n) => parts.push(Part { at: now(), text: String::from_utf8(buffer[..n].to_vec()).unwrap() }),
        }
    }
}

pub(crate) async fn text(server: &MockServer, request: &[u8]) -> String {
    exchange(server, request).await.into_iter().map(|part| part.text).collect()
}

/// A request to a route, with headers as lines of their own; the connection closes after it.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost:8080\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

pub(crate) const KEY: &str = "authorization: Bearer sk-test\r\n";

/// A chat request with a good key. `extra` goes into the body, like `,"stream":true`.
pub(crate) fn chat(headers: &str, extra: &str) -> Vec<u8> {
    request("POST", "/v1/chat/completions", &format!("{KEY}{headers}"), &chat_body("gpt-4.1", extra))
}

pub(crate) fn chat_body(model: &str, extra: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Explain quantum computing."}}]{extra}}}"#)
}

pub(crate) fn status(response: &str) -> u16 {
    response.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {response:?}"))
}
