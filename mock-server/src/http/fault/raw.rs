//! An altered answer that is no HTTP, or ends in no way that hyper would end it: written by hand on the connection.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::header::{CONNECTION, DATE, HeaderMap, HeaderValue};
use hyper::http::{request, response};
use hyper::{Method, Version};
use relaybench_clock::{is_virtual, now, sleep_until, wall_now};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::abort::abort;
use super::alter::{Alteration, Begins, Ending, Framing, Head};
use super::delivery::undelivered;
use super::piece::Piece;
use crate::http::attempt::{Attempt, LONGEST_HANG, Part};
use crate::http::production::Production;
use crate::ledger::FaultOutcome;

/// What stands where a chunk's size should be.
const NO_SIZE: &[u8] = b"zz\r\n";

/// How often it is looked for whether all was delivered, which the system tells only when it is asked.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// An answer to be written by hand. It holds the attempt until it has been played.
#[derive(Debug)]
pub(in crate::http) struct Raw {
    attempt: Box<Attempt>,
    /// When the pieces are due; none where all of them are.
    production: Option<Production>,
    alteration: Alteration,
    head: Vec<u8>,
}

impl Raw {
    pub(super) fn new(
        attempt: Box<Attempt>,
        production: Option<Production>,
        mut alteration: Alteration,
        response: response::Parts,
        request: &request::Parts,
    ) -> Self {
        if request.version == Version::HTTP_10 && alteration.framing == Framing::Chunked {
            alteration.framing = Framing::UpToTheEnd;
        }
        let head = head(&alteration, response, request);
        Self { attempt, production, alteration, head }
    }

    /// Plays it on the connection, which is over then, or until the caller goes away. `inner` finds what is to be reset.
    pub(in crate::http) async fn play<IO, Inner>(mut self: Box<Self>, mut io: IO, inner: impl Fn(&mut IO) -> &mut Inner)
    where
        IO: AsyncRead + AsyncWrite + Unpin,
        Inner: Any,
    {
        let (mut reader, mut writer) = tokio::io::split(&mut io);
        let played = {
            let mut play = pin!(self.write(&mut writer));
            poll_fn(|cx| match poll_left(&mut reader, cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
                Poll::Pending => play.as_mut().poll(cx),
            })
            .await
        };
        if let Err(error) = played {
            if error.kind() == io::ErrorKind::TimedOut {
                self.attempt.is_given_up(None);
            }
            return;
        }
        let is_reset = self.alteration.ending == Ending::Reset;
        if is_reset && let Err(error) = self.deliver(&mut io, &inner).await {
            self.attempt.fault_ended(FaultOutcome::NotReached);
            if error.kind() == io::ErrorKind::TimedOut {
                self.attempt.is_given_up(None);
            }
            return;
        }
        self.attempt.fault_ended(FaultOutcome::Played);
        match self.alteration.ending {
            Ending::Complete | Ending::Close | Ending::Hold => {}
            Ending::BreakOff => self.attempt.is_broken_off(),
            Ending::Reset => {
                self.attempt.is_broken_off();
                abort(inner(&mut io));
                return;
            }
        }
        // Whoever is gone already needs no farewell.
        let _ = io.shutdown().await;
    }

    /// Waits until the caller's side has all that was written, which a reset would throw away. Fails when the caller leaves, or takes
    /// nothing for as long as it may.
    async fn deliver<IO, Inner>(&self, io: &mut IO, inner: impl Fn(&mut IO) -> &mut Inner) -> io::Result<()>
    where
        IO: AsyncRead + Unpin,
        Inner: Any,
    {
        let patience = self.attempt.term().common.limits.write_timeout.unwrap_or(LONGEST_HANG);
        let (mut least, mut since) = (u32::MAX, now());
        loop {
            let left = match undelivered(inner(io)) {
                None | Some(0) => return Ok(()),
                Some(left) => left,
            };
            if left < least {
                (least, since) = (left, now());
            } else if now() - since >= patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut pause = pin!(relaybench_clock::sleep(LOOK_EVERY));
            poll_fn(|cx| match poll_left(io, cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionAborted))),
                Poll::Pending => pause.as_mut().poll(cx).map(Ok),
            })
            .await?;
        }
    }

    async fn write(&mut self, out: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let strikes_at_once = self.alteration.begins == Begins::AtOnce && self.alteration.head != Head::Never;
        if strikes_at_once && self.alteration.ending != Ending::Reset {
            self.attempt.fault_ended(FaultOutcome::Played);
        }
        self.write_head(out).await?;
        let Self { attempt, production, alteration, .. } = self;
        let Alteration { framing, pieces, ending, begins, .. } = alteration;
        let mut pieces = pieces.peekable();
        while let Some(piece) = pieces.next() {
            if let Some(production) = production {
                poll_fn(|cx| production.poll_token(piece.token, attempt, cx)).await;
            }
            if begins.with(&piece) {
                attempt.fault_ended(FaultOutcome::Played);
            }
            if piece.is_chunk {
                attempt.sent(piece.token);
            }
            let is_last = pieces.peek().is_none() && *ending == Ending::Close;
            if is_last {
                attempt.settle();
            }
            attempt.written(if is_last { Part::Last } else { Part::Early });
            out.write_all(&framed(*framing, &piece)).await?;
            out.flush().await?;
        }
        if *framing == Framing::Chunked && *ending == Ending::Close {
            out.write_all(b"0\r\n\r\n").await?;
        }
        out.flush().await
    }

    async fn write_head(&self, out: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let time = match self.alteration.head {
            Head::Never => return Ok(()),
            Head::AtOnce => return out.write_all(&self.head).await,
            Head::Slowly(time) => time,
        };
        let lines: Vec<&[u8]> = self.head.split_inclusive(|byte| *byte == b'\n').collect();
        let (start, gaps) = (now(), lines.len().saturating_sub(1).max(1) as u32);
        for (line, number) in lines.into_iter().zip(0..) {
            sleep_until(start + time / gaps * number).await;
            out.write_all(line).await?;
            out.flush().await?;
        }
        Ok(())
    }
}

/// Ready when the caller has closed the connection. What else it sends is of no interest any more.
fn poll_left(reader: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<()> {
    let mut bytes = [0; 256];
    loop {
        let mut buffer = ReadBuf::new(&mut bytes);
        if ready!(pin!(&mut *reader).poll_read(cx, &mut buffer)).is_err() || buffer.filled().is_empty() {
            return Poll::Ready(());
        }
    }
}

fn framed(framing: Framing, piece: &Piece) -> Vec<u8> {
    let size = match framing {
        Framing::Length(_) | Framing::UpToTheEnd => return piece.bytes.clone(),
        _ if piece.bytes.is_empty() => return Vec::new(),
        Framing::ChunkedUpToFault if piece.is_struck => NO_SIZE.to_vec(),
        Framing::Chunked | Framing::ChunkedUpToFault => format!("{:X}\r\n", piece.bytes.len()).into_bytes(),
    };
    [&size, &*piece.bytes, b"\r\n"].concat()
}

/// The head as hyper writes it.
fn head(alteration: &Alteration, response: response::Parts, request: &request::Parts) -> Vec<u8> {
    let mut headers: HeaderMap = response.headers;
    // Whoever says so itself, and those whose answer is complete, are told that this is the last answer.
    let asked_to_close = request.headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    if asked_to_close || matches!(alteration.head, Head::Slowly(_)) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    match alteration.framing {
        // A HEAD is told the length of what is not sent.
        Framing::Length(_) if request.method == Method::HEAD => None,
        Framing::Length(length) => headers.insert("content-length", length.into()),
        // HTTP/1.0 knows no other (RFC 9112, section 6.1).
        Framing::UpToTheEnd => None,
        Framing::Chunked | Framing::ChunkedUpToFault => headers.insert("transfer-encoding", HeaderValue::from_static("chunked")),
    };
    if let Some(date) = date() {
        headers.insert(DATE, date);
    }
    let reason = response.status.canonical_reason().unwrap_or_default();
    let version = if request.version == Version::HTTP_10 { "1.0" } else { "1.1" };
    let mut out = format!("HTTP/{version} {} {reason}\r\n", response.status.as_str()).into_bytes();
    for (name, value) in &headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// The header `date`, where days are not the same in two runs.
fn date() -> Option<HeaderValue> {
    if is_virtual() {
        return None;
    }
    let now = jiff::Timestamp::try_from(wall_now()).ok()?;
    HeaderValue::try_from(now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}
