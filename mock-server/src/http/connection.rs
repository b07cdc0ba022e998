//! One connection: which protocol its caller speaks, and serving it to its end.

mod ahead;
mod by_hand;
mod frames;
mod guard;
mod hang_up;
mod head_end;
mod slow_accept;
mod watch;

pub(super) use self::slow_accept::accepted;
pub(super) use self::watch::{GiveUp, RequestBody};

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use relaybench_clock::{HyperTimer, is_virtual};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::by_hand::{ByHand, Unanswered};
use self::guard::Guarded;
use self::watch::{OpenRequest, Phase, Watch, WatchedAnswer};
use super::answer;
use super::body::AnswerBody;
use super::fault::{Played, can_abort};
use crate::server::{Admitted, Peer, Served, Shared};

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// So many requests share a connection of HTTP/2 at once, as with most servers; more wait at the caller's.
const MOST_STREAMS: u32 = 256;

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
    /// Whichever the caller begins with.
    Sniffed,
}

/// What all requests of a connection share.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) server: Arc<Shared>,
    pub(super) connection: u32,
    pub(super) peer: Peer,
    /// How long it may be idle before it is closed without a word; none: for ever.
    closes_idle_after: Option<Duration>,
    pub(super) watch: Watch,
    /// Whether the connection can be reset.
    pub(super) can_reset: bool,
}

/// Serves a connection until either side closes it.
pub(crate) async fn serve<IO>(mut admitted: Admitted, mut io: IO, protocol: Protocol)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // In a box of its own, since it is rare.
    if !admitted.served_after.is_zero() && !Box::pin(accepted(&mut admitted, &mut io)).await {
        return;
    }
    // What goes wrong here is the caller's doing, or the plan's; the ledger has what it did to each attempt.
    let _ = serve_admitted(&admitted, io, protocol).await;
}

async fn serve_admitted<IO>(admitted: &Admitted, io: IO, protocol: Protocol) -> io::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Admitted { server, open, served, peer, closes_idle_after, .. } = admitted;
    let caller = Arc::new(Caller {
        server: Arc::clone(server),
        connection: open.number(),
        peer: *peer,
        closes_idle_after: *closes_idle_after,
        watch: Watch::default(),
        can_reset: can_abort::<IO>(),
    });
    let mut io = Guarded::new(io, Arc::clone(&caller));
    // What is left of the preface.
    let frames_after = match protocol {
        Protocol::Http1 => None,
        Protocol::Http2 => Some(PREFACE.len()),
        Protocol::Sniffed => begins_as_http2(&mut io, served).await?.then_some(0),
    };
    if let Some(frames_after) = frames_after {
        caller.watch.speaks_http2();
        io.speaks_http2(frames_after);
        // In a box of its own, since it is larger, and rarer.
        return Box::pin(serve_http2(caller, io, served)).await.map_err(io::Error::other);
    }
    serve_http1(caller, io, served).await.map_err(io::Error::other)
}

async fn serve_http1<IO>(caller: Arc<Caller>, io: Guarded<IO>, served: &Served) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head_bytes = caller.server.common.limits.head_bytes;
    let asking = Arc::clone(&caller);
    let mut connection = http1::Builder::new()
        .timer(HyperTimer)
        // It would set a timer for each request, and close connections that clients mean to reuse: the guard sees to slow heads.
        .header_read_timeout(None)
        .max_header_size(head_bytes)
        // The day is not the same in two runs.
        .auto_date_header(!is_virtual())
        .serve_connection(TokioIo::new(io), service_fn(move |request| answer_watched(&caller, request)));
    let mut told = served.told();
    let mut is_ending = false;
    let ended = std::future::poll_fn(|cx| {
        if told.poll(cx).is_ready() {
            is_ending = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        match Pin::new(&mut connection).poll(cx) {
            // The rest of a head is not waited for: nothing was asked.
            Poll::Pending if is_ending && asking.watch.phase() == Phase::Head => Poll::Ready(Ok(())),
            polled => polled,
        }
    })
    .await;
    if let Some(ByHand { raw, open }) = ended.as_ref().err().and_then(Unanswered::taken_from) {
        let io = connection.into_parts().io.into_inner();
        // In a box of its own, since it is larger, and rarer.
        Box::pin(raw.play(io, Guarded::inner)).await;
        drop(open);
    }
    ended
}

async fn serve_http2<IO>(caller: Arc<Caller>, io: Guarded<IO>, served: &Served) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head_bytes = u32::try_from(caller.server.common.limits.head_bytes).unwrap_or(u32::MAX);
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(HyperTimer)
            .max_concurrent_streams(MOST_STREAMS)
            .max_header_list_size(head_bytes)
            .auto_date_header(!is_virtual())
            .serve_connection(TokioIo::new(io), service_fn(move |request| answer_watched(&caller, request)))
    );
    let mut told = served.told();
    std::future::poll_fn(|cx| {
        if told.poll(cx).is_ready() {
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await
}

/// In a box of its own, since hyper keeps room for it as long as the connection lives, and it is larger than all the rest.
fn answer_watched(
    caller: &Arc<Caller>,
    request: Request<Incoming>,
) -> Pin<Box<impl Future<Output = Result<Response<WatchedAnswer<AnswerBody>>, Unanswered>> + use<>>> {
    let open = OpenRequest::of(caller, &request);
    let (head, body) = request.into_parts();
    let body = RequestBody::new(body, caller);
    Box::pin(async move {
        match answer(open.caller(), &head, body).await? {
            Played::OverHyper(response) => Ok(response.map(|body| open.with(body))),
            Played::ByHand(raw) => {
                // It would be lost with hyper's buffer.
                open.caller().watch.all_written().await;
                Err(Unanswered::by_hand(raw, open))
            }
        }
    })
}

/// Reads as far as the caller begins as callers of HTTP/2 do. What was read is read again.
async fn begins_as_http2<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut Guarded<IO>, served: &Served) -> io::Result<bool> {
    let mut bytes = [0; PREFACE.len()];
    let mut told = served.told();
    let mut filled = 0;
    let read = std::future::poll_fn(|cx| {
        while filled < PREFACE.len() && bytes[..filled] == PREFACE[..filled] {
            let mut rest = ReadBuf::new(&mut bytes[filled..]);
            match pin!(&mut *io).poll_read(cx, &mut rest) {
                Poll::Ready(Ok(())) if rest.filled().is_empty() => break,
                Poll::Ready(Ok(())) => filled += rest.filled().len(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // Nobody asked for anything yet.
                Poll::Pending if told.poll(cx).is_ready() => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    });
    read.await?;
    io.read_again(&bytes[..filled]);
    Ok(filled == PREFACE.len() && bytes == *PREFACE)
}
