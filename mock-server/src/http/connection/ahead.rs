//! What a caller sends while nothing of it is read: hyper reads no further than into the next request, and then would not notice that
//! the caller goes away. So the guard reads on for it, up to a limit, and beyond that asks the connection whether its other side is gone.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use relaybench_clock::{Sleep, sleep};
use tokio::io::{AsyncRead, ReadBuf};

use super::hang_up::{LOOK_EVERY, has_hung_up};

/// So much is read ahead of its time. A caller who sends more waits with the rest, as TCP has it.
const MOST_BYTES: usize = 16 * 1024;

/// What was read ahead of its time.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    bytes: Vec<u8>,
    /// When the connection is asked next, once there is no room for more.
    look: Option<Sleep>,
}

impl Ahead {
    /// Reads on, as far as there is room. Ready when the caller has left. Who is to read what came is woken.
    pub(super) fn poll_left<IO: AsyncRead + Unpin + Any>(
        ahead: &mut Option<Box<Self>>,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut piece = [0; 512];
        loop {
            let held = ahead.as_ref().map_or(0, |ahead| ahead.bytes.len());
            if let Some(full) = ahead.as_mut().filter(|_| held >= MOST_BYTES) {
                return full.poll_hung_up(io, cx);
            }
            let mut buffer = ReadBuf::new(&mut piece);
            if ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer)).is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
            ahead.get_or_insert_default().bytes.extend_from_slice(buffer.filled());
            cx.waker().wake_by_ref();
        }
    }

    fn poll_hung_up<IO: Any>(&mut self, io: &IO, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(Pin::new(self.look.get_or_insert_with(|| sleep(LOOK_EVERY))).poll(cx));
            self.look = None;
            if has_hung_up(io) {
                return Poll::Ready(());
            }
        }
    }

    /// Hands on what there is room for, and is gone with the last of it.
    pub(super) fn hand_on(ahead: &mut Option<Box<Self>>, buffer: &mut ReadBuf<'_>) {
        let Some(held) = ahead else { return };
        let taken = held.bytes.len().min(buffer.remaining());
        buffer.put_slice(&held.bytes[..taken]);
        drop(held.bytes.drain(..taken));
        if held.bytes.is_empty() {
            *ahead = None;
        }
    }
}
