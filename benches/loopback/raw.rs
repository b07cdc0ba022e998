//! A driver with next to no cost of its own: keep-alive connections, the same bytes each time, and as little parsing as will do.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A chat request, with a bearer token and an id.
pub(crate) fn request(extra: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"model":"gpt-4.1","messages":[{{"role":"user","content":"Explain quantum computing in 2 sentences."}}],"max_tokens":500,"temperature":0.7{extra}}}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
         authorization: Bearer sk-bench\r\nx-client-request-id: bench-1\r\nx-stainless-retry-count: 0\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One connection, kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads an answer that has a length. The answer is what this gives back.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            self.read().await?;
            if let Some(end) = end_of_answer(&self.buffer).filter(|end| self.buffer.len() >= *end) {
                return Ok(&self.buffer[..end]);
            }
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        match tokio::io::AsyncReadExt::read_buf(&mut self.stream, &mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Where an answer with a length ends, once its head is complete.
fn end_of_answer(bytes: &[u8]) -> Option<usize> {
    const LENGTH: &[u8] = b"content-length: ";
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length = bytes[..head].windows(LENGTH.len()).position(|window| window == LENGTH)? + LENGTH.len();
    let digits = bytes[length..head].iter().take_while(|byte| byte.is_ascii_digit());
    Some(head + digits.fold(0, |number, digit| 10 * number + usize::from(digit - b'0')))
}
