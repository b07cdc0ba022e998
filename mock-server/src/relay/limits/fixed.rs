//! Fixed windows, one after the other from the profile's start: within each there is so much, and with the next all of it is new.

use std::time::Duration;

use super::Charge;

#[derive(Debug)]
pub(super) struct Fixed {
    limit: u64,
    period: Duration,
    /// When the window in force began.
    since: Duration,
    used: u64,
}

impl Fixed {
    pub(super) fn new(limit: u64, period: Duration) -> Self {
        Self { limit, period, since: Duration::ZERO, used: 0 }
    }

    pub(super) fn advance(&mut self, now: Duration) {
        if now - self.since >= self.period {
            self.since = now - Duration::from_nanos((now.as_nanos() % self.period.as_nanos()) as u64);
            self.used = 0;
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn wait(&self, amount: u64, now: Duration) -> Duration {
        if self.used + amount <= self.limit { Duration::ZERO } else { self.since + self.period - now }
    }

    pub(super) fn reset(&self, now: Duration) -> Duration {
        if self.used == 0 { Duration::ZERO } else { self.since + self.period - now }
    }

    pub(super) fn take(&mut self, amount: u64) {
        self.used += amount;
    }

    pub(super) fn settle(&mut self, charge: Charge, back: u64) {
        // What was used in a window before is no longer counted.
        if charge.at >= self.since {
            self.used -= back;
        }
    }
}
