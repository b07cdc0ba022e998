//! The guard of a connection's socket: it ends connections whose caller is too slow, or gone, or idle for as long as a fault lets it be.

use std::any::Any;
use std::future::Future;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use relaybench_clock::{Sleep, sleep};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Caller;
use super::ahead::Ahead;
use super::frames::Frames;
use super::head_end::HeadEnds;
use super::watch::{Phase, Stage};
use crate::ledger::{FaultOutcome, PlannedFault};
use crate::profile::FaultName;

/// What a caller reads whose request did not come in time.
const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A connection under guard. Timers run only while something is missing, so that a request that comes in one piece sets none.
pub(super) struct Guarded<IO> {
    io: IO,
    caller: Arc<Caller>,
    /// What is to be read once more.
    again: Box<[u8]>,
    /// What was read before it was asked for, while that is not asked for.
    ahead: Option<Box<Ahead>>,
    /// Whoever is served over it waits for what the caller sends, and so learns that it has gone.
    is_waited_for: bool,
    /// It was idle for as long as a fault lets it be.
    is_closed_idle: bool,
    reading: Option<Wait>,
    ends: HeadEnds,
    /// Of HTTP/2; in a box, since it is rarer.
    frames: Option<Box<Frames>>,
    /// The clock of bytes that the caller does not take.
    writing: Option<Pin<Box<Sleep>>>,
}

/// Waiting for the caller.
struct Wait {
    /// What for.
    stage: Stage,
    /// Until when.
    clock: Pin<Box<Sleep>>,
}

impl<IO> Guarded<IO> {
    pub(super) fn new(io: IO, caller: Arc<Caller>) -> Self {
        Self {
            io,
            caller,
            again: Box::default(),
            ahead: None,
            is_waited_for: false,
            is_closed_idle: false,
            reading: None,
            ends: HeadEnds::default(),
            frames: None,
            writing: None,
        }
    }

    /// What is guarded.
    pub(super) fn inner(&mut self) -> &mut IO {
        &mut self.io
    }

    /// What was read already and is to be read once more.
    pub(super) fn read_again(&mut self, bytes: &[u8]) {
        self.again = bytes.into();
    }

    /// From here on it speaks HTTP/2, and its frames begin after so many bytes.
    pub(super) fn speaks_http2(&mut self, frames_after: usize) {
        self.frames = Some(Box::new(Frames::after(frames_after)));
    }

    /// What the caller is at.
    fn stage(&self) -> Stage {
        let open_head = self.frames.as_ref().and_then(|frames| frames.open_head());
        open_head.map_or_else(|| self.caller.watch.stage(), Stage::head_of_stream)
    }

    /// How long the caller may take for what it owes.
    fn patience(&self, phase: Phase) -> Option<Duration> {
        let limits = &self.caller.server.common.limits;
        match phase {
            Phase::Head | Phase::HeadOfStream => limits.head_timeout,
            Phase::Body => limits.body_timeout,
            _ if self.caller.watch.is_idle() => self.caller.closes_idle_after,
            _ => None,
        }
    }

    /// Ready when the caller has been waited for too long, with what it owed.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Phase> {
        let stage = self.stage();
        if self.reading.as_ref().is_some_and(|wait| wait.stage != stage) {
            self.reading = None;
        }
        if self.reading.is_none() {
            let Some(patience) = self.patience(stage.phase) else {
                if self.caller.closes_idle_after.is_some() {
                    // Nobody reads again for the end of an answer alone.
                    self.caller.watch.wake_when_answered(cx.waker());
                }
                return Poll::Pending;
            };
            self.reading = Some(Wait { stage, clock: Box::pin(sleep(patience)) });
        }
        match &mut self.reading {
            Some(Wait { stage, clock }) => clock.as_mut().poll(cx).map(|()| stage.phase),
            None => Poll::Pending,
        }
    }

    /// Whether bytes that are not taken have been held for too long.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(timeout) = self.caller.server.common.limits.write_timeout else { return Poll::Pending };
        let clock = self.writing.get_or_insert_with(|| Box::pin(sleep(timeout)));
        clock.as_mut().poll(cx).map(|()| {
            self.caller.watch.gives_up();
            io::ErrorKind::TimedOut.into()
        })
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Guarded<IO> {
    /// Ends the connection of a caller that owes something: with a word where there is room for one.
    fn end(&mut self, owed: Phase, cx: &mut Context<'_>) -> io::Result<()> {
        match owed {
            Phase::Idle | Phase::Streams => {
                if !mem::replace(&mut self.is_closed_idle, true) {
                    let closed = PlannedFault { name: FaultName::CloseIdle, outcome: FaultOutcome::Played };
                    self.caller.server.common.ledger.count_fault(closed);
                }
                return Ok(());
            }
            Phase::Head | Phase::Body if self.writing.is_none() => {
                // Seventy bytes fit, or the caller is past caring.
                let _ = Pin::new(&mut self.io).poll_write(cx, TOO_LATE);
            }
            _ => {}
        }
        self.caller.watch.gives_up();
        Err(io::ErrorKind::TimedOut.into())
    }

    fn watch_write<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.caller.watch.wrote(written.is_pending());
        if written.is_pending() {
            // Nobody comes by the look at the caller in this round.
            self.is_waited_for = false;
            return self.poll_stall(cx).map(Err);
        }
        self.writing = None;
        written
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let again = self.again.len().min(buffer.remaining());
        if again > 0 {
            buffer.put_slice(&self.again[..again]);
            self.again = self.again[again..].into();
        }
        self.is_waited_for = false;
        // Together with what follows: hyper doubles its buffer, for as long as the connection lives, for a head in two pieces.
        let before = buffer.filled().len();
        Ahead::hand_on(&mut self.ahead, buffer);
        if buffer.filled().len() > before || Pin::new(&mut self.io).poll_read(cx, buffer)?.is_ready() {
            if buffer.filled().len() > before {
                let Self { caller, ends, frames, .. } = &mut *self;
                match frames {
                    Some(frames) => frames.received(&buffer.filled()[before..]),
                    None => caller.watch.received(&buffer.filled()[before..], ends),
                }
            }
            return Poll::Ready(Ok(()));
        }
        if again > 0 {
            return Poll::Ready(Ok(()));
        }
        self.is_waited_for = true;
        match self.poll_patience(cx) {
            // Nothing read is the end of what the caller sends.
            Poll::Ready(owed) => Poll::Ready(self.end(owed, cx)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Any> AsyncWrite for Guarded<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch_write(written, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.watch_write(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Hyper comes by here after each look at what it reads.
        if !mem::take(&mut self.is_waited_for) && self.caller.watch.is_answer_owed() {
            let Self { io, ahead, .. } = &mut *self;
            if Ahead::poll_left(ahead, io, cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.watch_write(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch_write(ended, cx)
    }
}
