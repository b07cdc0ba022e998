//! Whether a caller has gone, asked of its connection without reading what else it sent.

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::http::fault::tcp;
use crate::memory;

/// How often it is asked where nobody reads, and nobody is told.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ready when the caller has gone.
pub(in crate::http) async fn hung_up<IO: Any + Send>(io: &mut IO) {
    while !has_hung_up(io) {
        relaybench_clock::sleep(LOOK_EVERY).await;
    }
}

/// Whether the caller has ended or reset its side, on a socket, encrypted or not, or in memory. No other kind of connection tells.
pub(super) fn has_hung_up<IO: Any>(io: &IO) -> bool {
    let any: &dyn Any = io;
    match tcp(io) {
        Some(stream) => is_read_closed(stream),
        None => any.downcast_ref::<memory::Stream>().is_some_and(memory::Stream::is_ended_by_other),
    }
}

/// The runtime was told, though nobody asked it so far.
fn is_read_closed(stream: &TcpStream) -> bool {
    let readiness = pin!(stream.ready(Interest::READABLE));
    match readiness.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) => ready.is_read_closed(),
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    }
}
