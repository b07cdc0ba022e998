//! What a stream says while it has nothing to say: comments, until its first token or a failure comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use relaybench_clock::{Sleep, now, sleep_until};

use super::body::Chunk;
use crate::wire::dialect::KeepAlive;
use crate::wire::reply::Reply;

/// The comments of a stream whose first token is not due yet.
#[derive(Debug)]
pub(super) struct Patience {
    keep_alive: KeepAlive,
    next: Sleep,
    /// What comes in the place of the first token. The status was sent already, and cannot tell of it.
    pub(super) failure: Option<Reply>,
}

impl Patience {
    /// The first comment is due.
    pub(super) fn new(keep_alive: KeepAlive, failure: Option<Reply>) -> Box<Self> {
        Box::new(Self { keep_alive, next: sleep_until(now()), failure })
    }

    /// Ready when a comment is due.
    pub(super) fn poll_comment(&mut self, cx: &mut Context<'_>) -> Poll<Chunk> {
        ready!(Pin::new(&mut self.next).poll(cx));
        self.next.reset(now() + self.keep_alive.every);
        Poll::Ready(Chunk::new(self.keep_alive.comment.to_vec()))
    }
}
