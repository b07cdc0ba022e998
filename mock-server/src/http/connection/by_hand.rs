//! Answers that hyper does not give: it is told to give the connection up, and they are played on it by hand.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::watch::OpenRequest;
use crate::http::Cut;
use crate::http::fault::Raw;

/// Why hyper is given no response.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The connection ends without one.
    Cut,
    /// It is played by hand, by whoever has the connection.
    ByHand(Mutex<Option<ByHand>>),
}

/// An answer to be played, with its request, which stays open meanwhile.
#[derive(Debug)]
pub(super) struct ByHand {
    pub(super) raw: Box<Raw>,
    pub(super) open: OpenRequest,
}

impl Unanswered {
    pub(super) fn by_hand(raw: Box<Raw>, open: OpenRequest) -> Self {
        Self::ByHand(Mutex::new(Some(ByHand { raw, open })))
    }

    /// Takes the answer out of what hyper failed with.
    pub(super) fn taken_from(error: &hyper::Error) -> Option<ByHand> {
        match std::error::Error::source(error)?.downcast_ref()? {
            Self::Cut => None,
            Self::ByHand(by_hand) => by_hand.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }
}

impl From<Cut> for Unanswered {
    fn from(_: Cut) -> Self {
        Self::Cut
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Cut.fmt(f)
    }
}

impl std::error::Error for Unanswered {}
