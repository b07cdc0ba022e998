//! An altered answer that is still HTTP: the body that hyper sends.

use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use relaybench_clock::{Sleep, now, sleep, sleep_until};

use super::alter::{Alteration, Begins, Ending, Framing};
use super::edit::Edited;
use super::piece::Piece;
use crate::http::Cut;
use crate::http::attempt::{Attempt, LONGEST_HANG, Part};
use crate::http::production::Production;
use crate::ledger::FaultOutcome;

/// The body of an altered answer. It holds the attempt until it has been written, or as long as its caller stays.
#[derive(Debug)]
pub(in crate::http) struct Altered {
    attempt: Box<Attempt>,
    /// When the pieces are due; none where all of them are.
    production: Option<Production>,
    /// The next piece, and those behind it.
    piece: Option<Piece>,
    pieces: Edited,
    begins: Begins,
    length: Option<u64>,
    drip: Option<Drip>,
    /// How long the end is held back.
    hold: Option<Sleep>,
    holds: bool,
}

/// A body at so many bytes a second.
#[derive(Debug)]
struct Drip {
    rate: NonZeroU32,
    /// How many bytes of the next piece are sent.
    sent: usize,
    /// When more may be sent.
    may: Sleep,
}

impl Altered {
    pub(super) fn new(attempt: Box<Attempt>, production: Option<Production>, mut alteration: Alteration) -> Self {
        let length = match alteration.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::ChunkedUpToFault | Framing::UpToTheEnd => None,
        };
        let drip = alteration.pace.map(|rate| Drip { rate, sent: 0, may: sleep_until(now()) });
        let holds = alteration.ending == Ending::Hold;
        Self {
            attempt,
            production,
            piece: alteration.pieces.next(),
            pieces: alteration.pieces,
            begins: alteration.begins,
            length,
            drip,
            hold: None,
            holds,
        }
    }

    pub(in crate::http) fn attempt_mut(&mut self) -> &mut Attempt {
        &mut self.attempt
    }

    pub(in crate::http) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    pub(in crate::http) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        while let Some(piece) = &self.piece {
            if let Some(production) = &mut self.production {
                ready!(production.poll_token(piece.token, &mut self.attempt, cx));
            }
            let bytes = match &mut self.drip {
                None => Bytes::copy_from_slice(&piece.bytes),
                Some(drip) => ready!(drip.poll_next(&piece.bytes, cx)),
            };
            if piece.is_chunk {
                self.attempt.sent(piece.token);
            }
            if self.begins.with(piece) {
                self.attempt.fault_ended(FaultOutcome::Played);
            }
            if self.drip.as_mut().is_none_or(|drip| drip.has_sent(piece.bytes.len())) {
                self.piece = self.pieces.next();
            }
            if !bytes.is_empty() {
                if self.is_over() {
                    self.attempt.settle();
                }
                self.attempt.written(if self.is_over() { Part::Last } else { Part::Early });
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
        self.poll_end(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !self.holds {
            return Poll::Ready(None);
        }
        self.attempt.fault_ended(FaultOutcome::Played);
        self.attempt.is_held_as_planned();
        let hold = self.hold.get_or_insert_with(|| sleep(LONGEST_HANG));
        Pin::new(hold).poll(cx).map(|()| Some(Err(Cut)))
    }

    pub(in crate::http) fn is_over(&self) -> bool {
        self.piece.is_none() && !self.holds
    }

    pub(in crate::http) fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drip {
    /// Bytes are sent by the hundredth of a second, where there is more than one.
    const STEPS: usize = 100;

    fn poll_next(&mut self, piece: &[u8], cx: &mut Context<'_>) -> Poll<Bytes> {
        ready!(Pin::new(&mut self.may).poll(cx));
        let rest = &piece[self.sent..];
        let few = rest.len().min((self.rate.get() as usize / Self::STEPS).max(1));
        self.sent += few;
        let takes = Duration::from_nanos(few as u64 * 1_000_000_000 / u64::from(self.rate.get()));
        // Counted from when they might have been sent, so that lateness does not add up.
        let next = (self.may.deadline() + takes).max(now());
        self.may.reset(next);
        Poll::Ready(Bytes::copy_from_slice(&rest[..few]))
    }

    /// Whether all of a piece of this length is sent; then the next is begun.
    fn has_sent(&mut self, length: usize) -> bool {
        let is_all = self.sent >= length;
        if is_all {
            self.sent = 0;
        }
        is_all
    }
}
