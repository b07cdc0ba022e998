//! Bytes that no client would send, and clients that are nearly right.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

use crate::support::{KEY, chat, request};

/// One connection's worth of bytes after the other, the same for the same seed.
pub(super) struct Garbage {
    random: Pcg64Mcg,
    requests: Vec<Vec<u8>>,
}

impl Garbage {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Pcg64Mcg::seed_from_u64(seed), requests: requests() }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.random.next_u64() % bound as u64) as usize
    }

    fn random_bytes(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.below(most) + 1];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// Changes, takes out, puts in, repeats or cuts off, in one place.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len().max(1)).min(bytes.len());
        let until = (at + self.below(16)).min(bytes.len());
        match self.below(6) {
            0 if at < bytes.len() => bytes[at] = self.random.next_u64() as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            2 => drop(bytes.drain(at..until)),
            3 => {
                let more = self.random_bytes(16);
                drop(bytes.splice(at..at, more));
            }
            4 => {
                let again = bytes[at..until].to_vec();
                drop(bytes.splice(at..at, again));
            }
            _ => bytes.truncate(at),
        }
    }
}

impl Iterator for Garbage {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.below(4) == 0 {
            return Some(self.random_bytes(300));
        }
        let which = self.below(self.requests.len());
        let mut bytes = self.requests[which].clone();
        for _ in 0..=self.below(4) {
            self.mutate(&mut bytes);
        }
        Some(bytes)
    }
}

/// What is right, to begin with; a third of it over HTTP/2.
fn requests() -> Vec<Vec<u8>> {
    let keep_alive = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace("connection: close\r\n", "").into_bytes();
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\n{KEY}transfer-encoding: chunked\r\n\r\n5\r\n{{\"mod\r\n3;a=b\r\nel\"\r\n0\r\na: b\r\n\r\n"
    );
    let mut http2 = [http2_request(false), http2_request(true)].concat();
    http2.splice(0..0, PREFACE.iter().copied());
    vec![
        chat("x-client-request-id: a\r\n", ""),
        [keep_alive(chat("", "")), chat("x-stainless-retry-count: 1\r\n", ",\"stream\":true")].concat(),
        keep_alive(chat("x-mock-fault: truncate=50%\r\n", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}")),
        chunked.into_bytes(),
        // Those that wait until they leave, with something behind them.
        [keep_alive(chat("x-mock-fault: hang\r\n", "")), chat("", "")].concat(),
        [keep_alive(chat("x-mock-fault: stall=1c\r\n", ",\"stream\":true")), b"\r\n".to_vec()].concat(),
        [keep_alive(chat("x-mock-latency: 50m\r\nx-mock-fault: truncate\r\n", "")), b"GET /v1".to_vec()].concat(),
        [keep_alive(request("GET", "/v1/models", &format!("{KEY}x-mock-fault: hang\r\n"), "{}")), chat("", "").repeat(50)]
            .concat(),
        [keep_alive(request("GET", "/v1/models", KEY, "")), request("PUT", "/__admin/profile", "", "seed = 2\n")].concat(),
        request("POST", "/v1/chat/completions", &format!("{KEY}expect: 100-continue\r\n"), "{}"),
        [PREFACE, &http2_request(false)].concat(),
        [PREFACE, &http2_request(true)].concat(),
        http2,
    ]
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u32;
    [&length.to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request in frames: HEADERS (RFC 9113, section 6.2, without Huffman coding, RFC 7541), DATA, PING, WINDOW_UPDATE.
fn http2_request(is_stream: bool) -> Vec<u8> {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    let stream = if is_stream { 3 } else { 1 };
    let literal = |index: u8, value: &str| [&[index, value.len() as u8], value.as_bytes()].concat();
    // By their numbers in the static table: :method POST, :scheme http, :path, :authority, authorization.
    let headers =
        [vec![0x83, 0x86], literal(0x04, "/v1/chat/completions"), literal(0x01, "mock"), literal(0x0f, "")[..1].to_vec()]
            .concat();
    // authorization is number 23, which is 15 and a byte of 8.
    let headers = [headers, literal(8, "Bearer sk-test")].concat();
    let body = crate::support::chat_body("gpt-4.1", if is_stream { ",\"stream\":true" } else { "" });
    [
        frame(HEADERS, END_HEADERS, stream, &headers),
        frame(WINDOW_UPDATE, 0, 0, &1_000_u32.to_be_bytes()),
        frame(DATA, END_STREAM, stream, body.as_bytes()),
        frame(PING, 0, 0, b"pingpong"),
    ]
    .concat()
}
