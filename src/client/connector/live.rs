//! A live connection: it holds its permit as long as it lives, and knows how often it was used.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;

use super::BoxedIo;
use crate::client::attempt;
use crate::client::pool::Permit;

/// A connection that hyper drives. When hyper drops it, its place in the pool is free.
pub(crate) struct Live {
    io: TokioIo<BoxedIo>,
    identity: Identity,
    _permit: Permit,
}

/// Which connection it is, attached to every response it carries.
#[derive(Clone, Debug)]
pub(crate) struct Identity(Arc<Usage>);

#[derive(Debug)]
struct Usage {
    id: u64,
    used: AtomicBool,
}

impl Identity {
    /// Notes one more use.
    pub(crate) fn take(&self) -> attempt::Connection {
        attempt::Connection { id: self.0.id, reused: self.0.used.swap(true, Ordering::Relaxed) }
    }
}

impl Live {
    pub(crate) fn new(io: BoxedIo, permit: Permit, id: u64) -> Self {
        let identity = Identity(Arc::new(Usage { id, used: AtomicBool::new(false) }));
        Self { io: TokioIo::new(io), identity, _permit: permit }
    }
}

impl Connection for Live {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.identity.clone())
    }
}

impl Read for Live {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Live {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
