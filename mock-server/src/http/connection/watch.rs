//! How far a connection's caller has come, told by those who serve it to the guard of its socket.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use relaybench_clock::Sleep;

use super::Caller;
use super::head_end::{HeadEnds, is_blank};

/// What the caller owes, or is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing: no byte of a request has come.
    Idle,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
    /// It is owed an answer.
    Answer,
    /// It is owed an answer, and something that it sent belongs, or may belong, to what follows.
    AnswerAndMore,
    /// Many requests at once: HTTP/2.
    Streams,
    /// The rest of a head among them. Whoever follows the frames knows of it.
    HeadOfStream,
}

/// How far a caller has come: the same phase of another request is another stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) phase: Phase,
    requests: u32,
}

impl Stage {
    /// Waiting for the rest of the head with this number of a connection of many.
    pub(super) fn head_of_stream(number: u32) -> Self {
        Self { phase: Phase::HeadOfStream, requests: number }
    }
}

/// The phase of a connection, and how many of its requests are being answered.
#[derive(Debug, Default)]
pub(in crate::http) struct Watch {
    phase: AtomicU8,
    open: AtomicU32,
    /// How many requests there were so far.
    requests: AtomicU32,
    /// The caller does not take what is written to it.
    is_stuck: AtomicBool,
    /// The caller was waited for too long.
    is_given_up: AtomicBool,
    /// How many bytes came behind a head with its last ones. Of several requests in one piece that is told of the first.
    behind: AtomicUsize,
    /// Whoever waits for it to be idle.
    idle: Mutex<Option<Waker>>,
}

impl Watch {
    pub(super) fn phase(&self) -> Phase {
        const ALL: [Phase; 6] = [Phase::Idle, Phase::Head, Phase::Body, Phase::Answer, Phase::AnswerAndMore, Phase::Streams];
        ALL[usize::from(self.phase.load(Acquire))]
    }

    pub(super) fn stage(&self) -> Stage {
        Stage { phase: self.phase(), requests: self.requests.load(Acquire) }
    }

    /// Whether no request is under way, nor the beginning of one.
    pub(super) fn is_idle(&self) -> bool {
        match self.phase() {
            Phase::Idle => true,
            Phase::Streams => self.open.load(Acquire) == 0,
            _ => false,
        }
    }

    /// Whether a request of HTTP/1.1 is under way whose head was read.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self.phase(), Phase::Body | Phase::Answer | Phase::AnswerAndMore)
    }

    /// Has a task woken when an answer ends.
    pub(super) fn wake_when_answered(&self, waker: &Waker) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }

    /// The caller was waited for too long, and the connection ends.
    pub(super) fn gives_up(&self) {
        self.is_given_up.store(true, Release);
    }

    fn has_given_up(&self) -> bool {
        self.is_given_up.load(Acquire)
    }

    /// Whether the last that was written had to wait.
    pub(super) fn wrote(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Relaxed);
    }

    /// Waits until what was answered before is handed to the system. It is polled by the task that writes.
    pub(super) async fn all_written(&self) {
        // What hyper holds is written after it has asked what comes next.
        let mut is_asked_again = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut is_asked_again, true) {
                return if self.is_stuck.load(Relaxed) { Poll::Pending } else { Poll::Ready(()) };
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    pub(super) fn speaks_http2(&self) {
        self.set(Phase::Streams);
    }

    /// Bytes came. Ends of lines alone are no beginning of a request.
    pub(super) fn received(&self, bytes: &[u8], ends: &mut HeadEnds) {
        let phase = self.phase();
        let behind = match phase {
            Phase::Idle => ends.behind_first(bytes),
            Phase::Head => ends.behind(bytes),
            _ => None,
        };
        if let Some(behind) = behind {
            self.behind.store(behind, Relaxed);
        }
        match phase {
            _ if is_blank(bytes) => {}
            Phase::Idle => self.set(Phase::Head),
            Phase::Answer => self.set(Phase::AnswerAndMore),
            _ => {}
        }
    }

    /// A head was read, whose body is so long, if that is known.
    fn asked(&self, body_bytes: Option<u64>) {
        self.open.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Release);
        let behind = self.behind.swap(0, Relaxed) as u64;
        match (self.phase(), body_bytes) {
            (Phase::Streams, _) => {}
            (_, Some(bytes)) if behind > bytes => self.set(Phase::AnswerAndMore),
            (_, Some(0)) => self.set(Phase::Answer),
            _ => self.set(Phase::Body),
        }
    }

    fn body_complete(&self) {
        if self.phase() == Phase::Body {
            self.set(Phase::Answer);
        }
    }

    fn answered(&self) {
        self.open.fetch_sub(1, Release);
        match self.phase() {
            Phase::Streams => {}
            Phase::AnswerAndMore => self.set(Phase::Head),
            _ => self.set(Phase::Idle),
        }
    }

    fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Release);
    }
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub(super) struct OpenRequest(Arc<Caller>);

impl OpenRequest {
    pub(super) fn of<B: Body>(caller: &Arc<Caller>, request: &Request<B>) -> Self {
        let body = request.body();
        caller.watch.asked(if body.is_end_stream() { Some(0) } else { body.size_hint().exact() });
        Self(Arc::clone(caller))
    }

    /// The body of its answer, with which it ends.
    pub(super) fn with<B: GiveUp>(self, body: B) -> WatchedAnswer<B> {
        WatchedAnswer { body, open: self }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.watch.answered();
        if self.0.closes_idle_after.is_some()
            && let Some(waker) = self.0.watch.idle.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
    }
}

/// An answer that is told when its caller is given up.
pub(in crate::http) trait GiveUp {
    fn is_given_up(&mut self);
}

/// The body of an answer, whose request is open as long as it lives.
#[derive(Debug)]
pub(super) struct WatchedAnswer<B: GiveUp> {
    body: B,
    open: OpenRequest,
}

impl<B: GiveUp> Drop for WatchedAnswer<B> {
    fn drop(&mut self) {
        if self.open.0.watch.has_given_up() {
            self.body.is_given_up();
        }
    }
}

impl<B: Body + GiveUp + Unpin> Body for WatchedAnswer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request, which has until a deadline to come.
#[derive(Debug)]
pub(in crate::http) struct RequestBody {
    body: Incoming,
    caller: Arc<Caller>,
    /// Of requests over HTTP/2: over HTTP/1.1 the guard of the connection knows whose bytes are missing.
    deadline: Option<Sleep>,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, caller: &Arc<Caller>, timeout: Option<Duration>) -> Self {
        let timeout = timeout.filter(|_| caller.watch.phase() == Phase::Streams && !body.is_end_stream());
        Self { body, caller: Arc::clone(caller), deadline: timeout.map(relaybench_clock::sleep) }
    }
}

impl RequestBody {
    /// `TimedOut` when the caller was given up, `InvalidData` when what it sent has no end that could be found, and any other kind when it
    /// left.
    fn why_unread(&self, error: hyper::Error) -> io::Error {
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
        if self.caller.watch.has_given_up() {
            io::ErrorKind::TimedOut.into()
        } else if cause.is_some_and(|cause| matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)) {
            io::Error::new(io::ErrorKind::InvalidData, error)
        } else {
            io::Error::new(io::ErrorKind::ConnectionAborted, error)
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending() {
            if let Some(deadline) = &mut self.deadline {
                ready!(Pin::new(deadline).poll(cx));
                return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
            }
        } else if !matches!(polled, Poll::Ready(Some(Ok(_)))) || self.body.is_end_stream() {
            self.caller.watch.body_complete();
        }
        polled.map_err(|error| self.why_unread(error))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.caller.watch.body_complete();
    }
}
