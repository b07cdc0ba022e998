//! One attempt in the ledger.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::draw;
use crate::profile::FaultName;
use crate::relay::limits::LimitName;

/// One attempt, also one that reached no route: what was planned for it, and what happened. Instants are nanoseconds since the relay's
/// start. It never holds a key or a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the order of arrival, from 0.
    pub sequence: u64,
    /// Its connection, from 0 in the order of opening: attempts with the same number shared one.
    pub connection: u32,
    /// The caller's name for the request, from `x-client-request-id`. Of one that is longer than 256 bytes the first 200 are kept, and
    /// behind them `...#` and a hash of the whole in 16 hexadecimal digits, so that different names stay different.
    pub request_id: Option<Box<str>>,
    /// Which try of the request it is, from 0: `x-stainless-retry-count`, or else how many came before it.
    pub attempt: u32,
    /// None where the request did not get as far as a model that exists.
    pub model: Option<Arc<str>>,
    /// Whether the caller asked for a stream.
    pub stream: bool,
    /// How many were in flight when it arrived, itself included; 0 for those turned away, which never are.
    pub in_flight: u32,
    /// The status that was planned, or that a caller was told who was too slow; none for a hang, and for callers who left before they had
    /// asked.
    pub status: Option<u16>,
    /// Completion tokens that were planned; 0 where there is no completion.
    pub tokens: u32,
    /// How long it waited for the others before it was its turn, or before its caller went away.
    pub waited_ns: u64,
    /// How long its answer takes from then on, to its end. In a batch it is known only when it has ended: 0 until then.
    pub latency_ns: u64,
    /// When the request's headers had been read.
    pub arrived_ns: u64,
    /// When the first token of a stream, or the whole answer, was due.
    pub due_first_ns: Option<u64>,
    /// When the end of the answer was due.
    pub due_end_ns: Option<u64>,
    /// When the first byte of the answer's body was written.
    pub first_written_ns: Option<u64>,
    /// When the last one was.
    pub end_written_ns: Option<u64>,
    /// How it ended.
    pub ending: Ending,
    /// The fault that was to befall it, and what came of that.
    #[serde(default)]
    pub fault: Option<PlannedFault>,
    /// The limit of its caller's own that refused it.
    #[serde(default)]
    pub refused_by: Option<Box<RefusedBy>>,
}

/// A limit that refused an attempt, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedBy {
    /// Which one.
    pub limit: LimitName,
    /// The key that has it, by its place in the profile's `auth.keys`, from 1. None where all keys share it, or any key is good.
    pub key: Option<u32>,
    /// The model that has it; none where all share it.
    pub model: Option<Arc<str>>,
}

/// What is kept of a caller's name for a request: anybody may send one, and a head has room for much.
pub(crate) fn kept_id(id: &str) -> Box<str> {
    const LONGEST: usize = 256;
    const BEGINNING: usize = 200;
    if id.len() <= LONGEST {
        return id.into();
    }
    let end = (0..=BEGINNING).rev().find(|end| id.is_char_boundary(*end)).unwrap_or_default();
    format!("{}...#{:016x}", &id[..end], draw::hash(id.as_bytes())).into()
}

/// A fault in the ledger: asked for by the profile, the request or whoever scripts the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Which one.
    pub name: FaultName,
    /// Whether it was played, or why not.
    pub outcome: FaultOutcome,
}

/// Whether a fault was played, or why not. One that could not be played left the answer as it would have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultOutcome {
    /// It was played.
    Played,
    /// Its time did not come: the caller left, the relay was stopped, or the attempt failed otherwise.
    NotReached,
    /// The answer was no stream.
    NeedsStream,
    /// The answer was a stream.
    NeedsWhole,
    /// The answer ended before its place, or has nothing that it changes.
    NothingThere,
    /// It is about bytes of HTTP/1.1, and the connection speaks another version.
    NeedsHttp1,
    /// The connection is of a kind that cannot be reset.
    NeedsReset,
}

impl FaultOutcome {
    /// As the ledger writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Played => "played",
            Self::NotReached => "not_reached",
            Self::NeedsStream => "needs_stream",
            Self::NeedsWhole => "needs_whole",
            Self::NothingThere => "nothing_there",
            Self::NeedsHttp1 => "needs_http1",
            Self::NeedsReset => "needs_reset",
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// Its answer, whatever its status, was written to the end.
    Served,
    /// The caller went away before that.
    #[default]
    CallerLeft,
    /// The relay gave the caller up: it was too slow with its request, or took nothing of the answer for too long.
    GivenUp,
    /// It was held without an answer, or without the end of one, as planned, until the caller went away or the limit of an hour was
    /// reached.
    Hung,
    /// The relay broke it off, as planned.
    Broken,
    /// The relay was stopped before that.
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_written_as_in_the_ledgers_lines() {
        use FaultOutcome::{NeedsHttp1, NeedsReset, NeedsStream, NeedsWhole, NotReached, NothingThere, Played};
        for outcome in [Played, NotReached, NeedsStream, NeedsWhole, NothingThere, NeedsHttp1, NeedsReset] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }

    #[test]
    fn a_million_entries_with_ids_fit_in_210_megabytes() {
        // An id of 36 bytes takes 48 from the allocator.
        assert!(size_of::<Entry>() + 48 <= 210, "{}", size_of::<Entry>());
    }
}
