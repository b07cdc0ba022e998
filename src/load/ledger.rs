//! The client's attempts against the mock's ledger: who knows what the other does not, and how long each says that an attempt took.

use std::collections::HashMap;
use std::time::Duration;

use relaybench_mock::{Ending, Entry};

use super::sample::LedgerBalance;
use crate::stats::Histogram;

/// Which request of the stage, and which try, from 0.
type Attempt = (u64, u32);

/// How long an attempt took; none where it was not answered to the end.
type Took = Option<Duration>;

/// An attempt that left the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentAttempt {
    /// Counted from 0, as the wire counts retries.
    pub(super) number: u32,
    /// From its beginning to its last byte, without its wait for a place in the pool.
    pub(super) took: Took,
}

/// Matches what the client sent in one stage with what the mock received, attempt by attempt and while both go on: only what one side
/// alone knows yet is kept.
#[derive(Debug)]
pub(super) struct Reconciliation {
    /// What the stage's request ids begin with, up to the index.
    prefix: String,
    sent: HashMap<Attempt, Took>,
    received: HashMap<Attempt, Took>,
    matched: u64,
    harness_error: Histogram,
    /// Of no request of the stage, or received twice.
    strangers: u64,
    /// Connections over which nothing was ever asked.
    refused: u64,
}

impl Reconciliation {
    pub(super) fn new(prefix: String) -> Self {
        let harness_error = Histogram::default();
        Self { prefix, sent: HashMap::new(), received: HashMap::new(), matched: 0, harness_error, strangers: 0, refused: 0 }
    }

    /// Adds the attempts of a request that left the client.
    pub(super) fn sent(&mut self, index: u64, attempts: &[SentAttempt]) {
        for SentAttempt { number, took } in attempts {
            let attempt = (index, *number);
            match self.received.remove(&attempt) {
                Some(happened) => self.matched(*took, happened),
                None => drop(self.sent.insert(attempt, *took)),
            }
        }
    }

    /// Adds what the mock received.
    pub(super) fn received(&mut self, entries: &[Entry]) {
        for entry in entries {
            if is_refused_connection(entry) {
                self.refused += 1;
                continue;
            }
            let attempt = entry.request_id.as_deref().and_then(|id| self.attempt(id, entry.attempt));
            let Some(attempt) = attempt else {
                self.strangers += 1;
                continue;
            };
            let happened = happened(entry);
            if let Some(took) = self.sent.remove(&attempt) {
                self.matched(took, happened);
            } else if self.received.insert(attempt, happened).is_some() {
                self.strangers += 1;
            }
        }
    }

    /// How many attempts of the client the ledger has not told of.
    pub(super) fn outstanding(&self) -> usize {
        self.sent.len()
    }

    fn matched(&mut self, took: Took, happened: Took) {
        self.matched += 1;
        took.zip(happened).into_iter().for_each(|(took, happened)| self.harness_error.record(took.abs_diff(happened)));
    }

    /// How far what the client saw of an attempt lies from what the mock did, of those that were answered to the end. Over sockets the
    /// client can have the last byte before the mock's clock has noted that it was written, so that it is a distance.
    pub(super) fn harness_error(&self) -> Histogram {
        self.harness_error.clone()
    }

    /// Who knows what, when both sides have told all.
    pub(super) fn balance(&self) -> LedgerBalance {
        // What was sent over a connection that was then reset has no name in the ledger.
        let missing = self.sent.len() as u64;
        let unread = missing.min(self.refused);
        LedgerBalance {
            matched: self.matched + unread,
            missing: missing - unread,
            unknown: self.received.len() as u64 + self.strangers,
        }
    }

    fn attempt(&self, id: &str, attempt: u32) -> Option<Attempt> {
        Some((id.strip_prefix(&self.prefix)?.parse().ok()?, attempt))
    }
}

/// A connection over which nothing was ever asked.
pub(crate) fn is_refused_connection(entry: &Entry) -> bool {
    entry.request_id.is_none() && entry.fault.is_some_and(|fault| fault.name.befalls_connections())
}

/// From when the mock had the request's head to when it had written the last byte of the answer.
fn happened(entry: &Entry) -> Took {
    let end_ns = entry.end_written_ns.filter(|_| entry.ending == Ending::Served)?;
    Some(Duration::from_nanos(end_ns.saturating_sub(entry.arrived_ns)))
}

#[cfg(test)]
mod tests {
    use relaybench_mock::{FaultName, FaultOutcome, PlannedFault};

    use super::*;

    #[test]
    fn a_refused_connection_stands_for_one_attempt_that_was_never_read() {
        for (name, outcome) in [(FaultName::Refuse, FaultOutcome::Played), (FaultName::SlowAccept, FaultOutcome::NotReached)] {
            let refused = Entry { fault: Some(PlannedFault { name, outcome }), ..Entry::default() };
            let mut books = Reconciliation::new("rb-1-0-".to_owned());
            books.sent(0, &[sent(0)]);
            books.sent(1, &[sent(0), sent(1)]);
            books.received(&[received(0, 0), refused]);
            assert_eq!(books.balance(), LedgerBalance { matched: 2, missing: 1, unknown: 0 });
        }
    }

    fn sent(number: u32) -> SentAttempt {
        SentAttempt { number, took: None }
    }

    fn received(index: u64, attempt: u32) -> Entry {
        Entry { request_id: Some(format!("rb-1-0-{index}").into()), attempt, ..Entry::default() }
    }

    #[test]
    fn each_attempt_is_matched_once_in_whatever_order_it_is_told() {
        let mut books = Reconciliation::new("rb-1-0-".to_owned());
        books.sent(0, &[sent(0), sent(1)]);
        books.received(&[received(0, 1), received(1, 0), received(2, 0), received(0, 0)]);
        books.sent(1, &[sent(0)]);
        books.sent(3, &[sent(0)]);
        assert_eq!(books.balance(), LedgerBalance { matched: 3, missing: 1, unknown: 1 });
        assert_eq!((books.sent.len(), books.received.len()), (1, 1), "what is matched is forgotten");
    }

    #[test]
    fn what_is_received_twice_or_without_an_id_is_unknown() {
        let mut books = Reconciliation::new("rb-1-0-".to_owned());
        books.sent(0, &[sent(0)]);
        books.received(&[received(0, 0), received(0, 0), Entry::default()]);
        assert_eq!(books.balance(), LedgerBalance { matched: 1, missing: 0, unknown: 2 });
    }

    #[test]
    fn the_error_is_the_distance_of_both_latencies_where_both_saw_the_end() {
        let mut books = Reconciliation::new("rb-1-0-".to_owned());
        let served = |index, arrived_ns, end_ns| Entry {
            arrived_ns,
            end_written_ns: Some(end_ns),
            ending: Ending::Served,
            ..received(index, 0)
        };
        let took = |ns| [SentAttempt { number: 0, took: Some(Duration::from_nanos(ns)) }];
        books.sent(0, &took(5_000_000));
        books.received(&[served(0, 1_000_000, 3_000_000), served(1, 0, 4_000_000), served(2, 0, 9), received(3, 0)]);
        books.sent(1, &took(3_000_000));
        books.sent(2, &[sent(0)]);
        books.sent(3, &took(7));
        assert_eq!(
            (books.balance().matched, books.harness_error().len()),
            (4, 2),
            "neither a failure nor a caller who left has one"
        );
        assert_eq!(books.harness_error().mean(), Some(Duration::from_millis(2)));
    }
}
