//! The client's attempts against the mock's ledger: who knows what the other does not.

use std::collections::HashSet;

use relaybench_mock::{Entry, FaultName};

use super::sample::LedgerBalance;

/// Which request of the stage, and which try, from 0.
type Attempt = (u64, u32);

/// Matches what the client sent in one stage with what the mock received, attempt by attempt and while both go on: only what one side
/// alone knows yet is kept.
#[derive(Debug)]
pub(super) struct Reconciliation {
    /// What the stage's request ids begin with, up to the index.
    prefix: String,
    sent: HashSet<Attempt>,
    received: HashSet<Attempt>,
    matched: u64,
    /// Of no request of the stage, or received twice.
    strangers: u64,
    /// Connections over which nothing was ever asked.
    refused: u64,
}

impl Reconciliation {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, sent: HashSet::new(), received: HashSet::new(), matched: 0, strangers: 0, refused: 0 }
    }

    /// Adds the attempts of a request that left the client.
    pub(super) fn sent(&mut self, index: u64, attempts: &[u32]) {
        for attempt in attempts.iter().map(|attempt| (index, *attempt)) {
            if self.received.remove(&attempt) {
                self.matched += 1;
            } else {
                self.sent.insert(attempt);
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
            match attempt {
                Some(attempt) if self.sent.remove(&attempt) => self.matched += 1,
                Some(attempt) if self.received.insert(attempt) => {}
                Some(_) | None => self.strangers += 1,
            }
        }
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
fn is_refused_connection(entry: &Entry) -> bool {
    entry.request_id.is_none() && entry.fault.is_some_and(|fault| fault.name == FaultName::Refuse)
}

#[cfg(test)]
mod tests {
    use relaybench_mock::{FaultOutcome, PlannedFault};

    use super::*;

    #[test]
    fn a_refused_connection_stands_for_one_attempt_that_was_never_read() {
        let fault = Some(PlannedFault { name: FaultName::Refuse, outcome: FaultOutcome::Played });
        let refused = Entry { fault, ..Entry::default() };
        let mut books = Reconciliation::new("rb-1-0-".to_owned());
        books.sent(0, &[0]);
        books.sent(1, &[0, 1]);
        books.received(&[received(0, 0), refused]);
        assert_eq!(books.balance(), LedgerBalance { matched: 2, missing: 1, unknown: 0 });
    }

    fn received(index: u64, attempt: u32) -> Entry {
        Entry { request_id: Some(format!("rb-1-0-{index}").into()), attempt, ..Entry::default() }
    }

    #[test]
    fn each_attempt_is_matched_once_in_whatever_order_it_is_told() {
        let mut books = Reconciliation::new("rb-1-0-".to_owned());
        books.sent(0, &[0, 1]);
        books.received(&[received(0, 1), received(1, 0), received(2, 0), received(0, 0)]);
        books.sent(1, &[0]);
        books.sent(3, &[0]);
        assert_eq!(books.balance(), LedgerBalance { matched: 3, missing: 1, unknown: 1 });
        assert_eq!((books.sent.len(), books.received.len()), (1, 1), "what is matched is forgotten");
    }

    #[test]
    fn what_is_received_twice_or_without_an_id_is_unknown() {
        let mut books = Reconciliation::new("rb-1-0-".to_owned());
        books.sent(0, &[0]);
        books.received(&[received(0, 0), received(0, 0), Entry::default()]);
        assert_eq!(books.balance(), LedgerBalance { matched: 1, missing: 0, unknown: 2 });
    }
}
