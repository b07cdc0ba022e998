//! The client's attempts against the mock's ledger: who knows what the other does not.

use relaybench_mock::Entry;

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
        balance
    }

    fn attempt(&self, id: &str, attempt: u32) -> Option<(u64, u32)> {
        Some((id.strip_prefix(&self.prefix)?.parse().ok()?, attempt))
    }
}
