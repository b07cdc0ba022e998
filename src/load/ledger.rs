//! The client's attempts against the mock's ledger: who knows what the other does not.

use relaybench_mock::{Entry, FaultName};

use super::sample::LedgerBalance;

/// What the client sent in one stage, to be matched with what the mock received.
#[derive(Debug)]
pub(super) struct Sent {
    /// What the stage's request ids begin with, up to the index.
    prefix: String,
    /// Which request of the stage, and which try, from 0.
    attempts: Vec<(u64, u32)>,
}

impl Sent {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, attempts: Vec::new() }
    }

    pub(super) fn add(&mut self, index: u64, attempts: &[u32]) {
        self.attempts.extend(attempts.iter().map(|attempt| (index, *attempt)));
    }

    /// Matches both sides by request id and attempt number, each attempt once.
    pub(super) fn balance(mut self, entries: &[Entry]) -> LedgerBalance {
        let (refused, entries): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_refused_connection(entry));
        let received = entries.iter().map(|entry| self.attempt(entry.request_id.as_deref()?, entry.attempt));
        let (mut known, strangers): (Vec<_>, Vec<_>) = received.partition(Option::is_some);
        known.sort_unstable();
        self.attempts.sort_unstable();
        let (mut balance, mut known) = (
            LedgerBalance { unknown: strangers.len() as u64, ..LedgerBalance::default() },
            known.into_iter().flatten().peekable(),
        );
        for attempt in self.attempts {
            while known.next_if(|received| *received < attempt).is_some() {
                balance.unknown += 1;
            }
            match known.next_if_eq(&attempt) {
                Some(_) => balance.matched += 1,
                None => balance.missing += 1,
            }
        }
        balance.unknown += known.count() as u64;
        // What was sent over a connection that was then reset has no name there.
        let unread = balance.missing.min(refused.len() as u64);
        balance.missing -= unread;
        balance.matched += unread;
        balance
    }

    fn attempt(&self, id: &str, attempt: u32) -> Option<(u64, u32)> {
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
        let read = Entry { request_id: Some("p0".into()), ..Entry::default() };
        let mut sent = Sent::new("p".to_owned());
        sent.add(0, &[0]);
        sent.add(1, &[0, 1]);
        let balance = sent.balance(&[read, refused]);
        assert_eq!((balance.matched, balance.missing, balance.unknown), (2, 1, 0));
    }
}
