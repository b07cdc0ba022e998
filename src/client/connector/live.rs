//! A live connection: it holds its permit as long as it lives, knows how often it was used, and notices that it is old.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use relaybench_clock::Sleep;

use super::BoxedIo;
use super::identity::Identity;
use crate::client::pool::Permit;

/// A connection that hyper drives. When hyper drops it, its place in the pool is free.
pub(crate) struct Live {
    io: TokioIo<BoxedIo>,
    identity: Identity,
    is_negotiated: bool,
    retires: Option<Sleep>,
    _permit: Permit,
}

impl Live {
    /// `is_negotiated`: that it speaks HTTP/2 came out when it was opened. When `retires` ends it is too old for more requests.
    pub(crate) fn new(io: BoxedIo, permit: Permit, identity: Identity, is_negotiated: bool, retires: Option<Sleep>) -> Self {
        Self { io: TokioIo::new(io), identity, is_negotiated, retires, _permit: permit }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.identity.is_gone();
    }
}

impl Connection for Live {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.identity.clone());
        if self.is_negotiated { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Live {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        // hyper reads from idle connections too, to see them close, so that this is polled when it is due.
        if let Some(retires) = &mut self.retires
            && Pin::new(retires).poll(cx).is_ready()
        {
            self.retires = None;
            self.identity.retire();
        }
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
