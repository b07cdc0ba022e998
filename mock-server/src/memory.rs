//! Connections in memory that can be reset, as those over TCP can.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// One end of a connection in memory. When the other was dropped, what it had written can still be read; then comes the end, or,
/// if it was reset, [`io::ErrorKind::ConnectionReset`].
#[derive(Debug)]
pub struct Stream {
    io: DuplexStream,
    /// Whether either end reset it.
    is_reset: Arc<AtomicBool>,
    /// Whether this end sends no more.
    is_ended: Arc<AtomicBool>,
    /// Whether the other does not.
    is_ended_by_other: Arc<AtomicBool>,
}

/// The two ends of a connection that holds up to so many bytes in each direction.
///
/// ```
/// use relaybench_mock::{MockServer, Profile, memory};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// relaybench_clock::run_virtual(async {
///     let server = MockServer::new("[[fault]]\nfault = \"reset\"".parse::<Profile>()?);
///     let (mut near, far) = memory::pair(64 * 1024);
///     tokio::spawn(server.serve_connection(far));
///     let body = r#"{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}"#;
///     let head = format!("POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer a\r\ncontent-length: {}", body.len());
///     near.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await?;
///     let error = near.read(&mut [0; 100]).await.unwrap_err();
///     assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
///     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub fn pair(buffer_bytes: usize) -> (Stream, Stream) {
    let (near, far) = tokio::io::duplex(buffer_bytes);
    let is_reset = Arc::new(AtomicBool::new(false));
    let ended = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
    let stream = |io, end: usize| Stream {
        io,
        is_reset: Arc::clone(&is_reset),
        is_ended: Arc::clone(&ended[end]),
        is_ended_by_other: Arc::clone(&ended[1 - end]),
    };
    (stream(near, 0), stream(far, 1))
}

impl Stream {
    /// Ends the connection with a reset.
    pub fn reset(mut self) {
        self.abort();
    }

    /// What is dropped from now on is not ended but reset.
    pub(crate) fn abort(&mut self) {
        self.is_reset.store(true, Release);
    }

    /// Whether the other end has ended the connection, or its side of it. What it had written may still be read.
    pub(crate) fn is_ended_by_other(&self) -> bool {
        self.is_ended_by_other.load(Acquire)
    }

    fn reset_or<T>(&self, otherwise: io::Result<T>) -> io::Result<T> {
        if self.is_reset.load(Acquire) { Err(io::ErrorKind::ConnectionReset.into()) } else { otherwise }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.is_ended.store(true, Release);
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buffer));
        let is_end = read.is_ok() && buffer.filled().len() == before && room > 0;
        Poll::Ready(if is_end { self.reset_or(read) } else { read })
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        Poll::Ready(if written.is_err() { self.reset_or(written) } else { written })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_ended.store(true, Release);
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices));
        Poll::Ready(if written.is_err() { self.reset_or(written) } else { written })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn what_was_written_before_a_reset_is_read_before_it() {
        relaybench_clock::run_virtual(async {
            let (mut near, mut far) = pair(100);
            far.write_all(b"so far").await.unwrap();
            far.reset();
            let mut read = [0; 6];
            assert!(near.is_ended_by_other());
            near.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"so far");
            assert_eq!(near.read(&mut read).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(near.write(b"more").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        });
    }

    #[test]
    fn without_a_reset_the_end_is_an_end() {
        relaybench_clock::run_virtual(async {
            let (mut near, far) = pair(100);
            let reader = tokio::spawn(async move { near.read(&mut [0; 6]).await });
            drop(far);
            assert_eq!(reader.await.unwrap().unwrap(), 0);
        });
    }
}
