//! The judge: bare connections that know as much of HTTP as it takes to find an answer's end.
//!
//! It runs on a runtime that tokio built, and takes its own instants, so that it shares no clock with what it judges.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::case::{Case, Until, spread};

/// How long a part of an answer took, since its request was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) request: u64,
    /// Which token of a stream, from 0; a whole answer has only one part.
    pub(crate) token: u32,
    pub(crate) after: Duration,
}

/// Plays a case, and tells all that was seen.
pub(crate) async fn play(case: &Case, addr: SocketAddr) -> io::Result<Vec<Seen>> {
    let mut connections = Vec::new();
    for _ in 0..case.connections {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        connections.push(stream);
    }
    let start = Instant::now();
    let connections = (0..).zip(connections).map(|(number, stream)| {
        let begins_at = start + case.starts_over.mul_f64(spread(number));
        tokio::spawn(connection(stream, number, begins_at, case.clone()))
    });
    let mut seen = Vec::new();
    for connection in connections.collect::<Vec<_>>() {
        seen.extend(connection.await.map_err(io::Error::other)??);
    }
    Ok(seen)
}

async fn connection(mut stream: TcpStream, number: u64, begins_at: Instant, case: Case) -> io::Result<Vec<Seen>> {
    // This one only has to begin; it is not judged.
    relaybench_clock::sleep_until(begins_at).await;
    let mut seen = Vec::new();
    let mut answer = Vec::with_capacity(8 * 1024);
    for request in number * 1_000_000.. {
        let bytes = request_bytes(request, case.is_stream());
        let sent = Instant::now();
        stream.write_all(&bytes).await?;
        if case.is_stream() {
            read_stream(&mut stream, &mut answer, case.tokens, |token| {
                seen.push(Seen { request, token, after: sent.elapsed() });
            })
            .await?;
        } else {
            read_whole(&mut stream, &mut answer).await?;
            seen.push(Seen { request, token: 0, after: sent.elapsed() });
        }
        match case.until {
            Until::Elapsed(all) if begins_at.elapsed() < all => {}
            _ => break,
        }
    }
    Ok(seen)
}

fn request_bytes(request: u64, is_stream: bool) -> Vec<u8> {
    let body = format!(
        "{{\"model\":\"gpt-4.1\",\"messages\":[{{\"role\":\"user\",\"content\":\"Explain quantum computing in 2 sentences.\"}}],\
         \"max_tokens\":500,\"stream\":{is_stream}}}"
    );
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer sk-bench\r\ncontent-type: application/json\r\n\
         x-client-request-id: {request}\r\nx-stainless-retry-count: 0\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// Reads an answer with a content-length.
async fn read_whole(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    answer.clear();
    loop {
        read_some(stream, answer).await?;
        let Some(head) = find(answer, b"\r\n\r\n") else { continue };
        expect_success(answer)?;
        let length = std::str::from_utf8(&answer[..head]).ok().and_then(content_length).ok_or_else(|| unexpected(answer))?;
        if answer.len() >= head + 4 + length {
            return Ok(());
        }
    }
}

fn content_length(head: &str) -> Option<usize> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, length) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}

/// Reads an answer in chunks. `arrived` is told each token of it as soon as it is read: the first event is the role, and every
/// further one a token, until there are as many as were asked for.
async fn read_stream(stream: &mut TcpStream, answer: &mut Vec<u8>, tokens: u32, mut arrived: impl FnMut(u32)) -> io::Result<()> {
    const HEAD: usize = 16;
    answer.clear();
    let (mut is_checked, mut events, mut told) = (false, 0_u32, 0);
    loop {
        let before = answer.len();
        read_some(stream, answer).await?;
        if !is_checked && answer.len() >= HEAD {
            expect_success(answer)?;
            is_checked = true;
        }
        // Pairs that end in what was just read; the head's own are of another kind.
        let from = before.max(1);
        events += (from..answer.len()).filter(|&end| answer[end] == b'\n' && answer[end - 1] == b'\n').count() as u32;
        while told < events.saturating_sub(1).min(tokens) {
            arrived(told);
            told += 1;
        }
        if told == tokens && answer.ends_with(b"\r\n0\r\n\r\n") {
            return Ok(());
        }
        // Enough to find a pair, or the end, that was cut in two.
        if is_checked && answer.len() > HEAD {
            answer.drain(..answer.len() - HEAD);
        }
    }
}

async fn read_some(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(answer).await? {
        0 => Err(unexpected(answer)),
        _ => Ok(()),
    }
}

fn expect_success(answer: &[u8]) -> io::Result<()> {
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(unexpected(answer)) }
}

fn unexpected(answer: &[u8]) -> io::Error {
    io::Error::other(format!("an answer that is none: {}", String::from_utf8_lossy(answer)))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
