//! So many a second, evenly spaced.

use std::time::Duration;

use super::seats::Seats;

#[derive(Debug)]
pub(super) struct Pacing {
    interval: Duration,
    /// Nobody is granted before.
    next_slot: Duration,
}

impl Pacing {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, next_slot: Duration::ZERO }
    }

    pub(super) fn has_room(&self, now: Duration) -> bool {
        self.next_slot <= now
    }

    pub(super) fn next_slot(&self) -> Duration {
        self.next_slot
    }

    /// How long someone would have to wait behind so many.
    pub(super) fn wait(&self, behind: u32, now: Duration) -> Duration {
        (self.next_slot + self.interval * behind).saturating_sub(now)
    }

    /// Serves the newly arrived at once, if nobody is before it and no slot must be waited for.
    pub(super) fn admit(&mut self, seats: &mut Seats, now: Duration) {
        if self.has_room(now) && seats.grant_next(now).is_some() {
            self.next_slot = now + self.interval;
        }
    }

    /// Serves whoever waited for a slot from that slot on, and not from when it was noticed.
    pub(super) fn advance(&mut self, seats: &mut Seats, now: Duration) {
        while self.has_room(now) && seats.grant_next(self.next_slot).is_some() {
            self.next_slot += self.interval;
        }
    }
}
