//! So many servers, one line: the M/M/c of queueing theory, when arrivals and latencies are drawn accordingly.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Work;
use super::seats::{Holder, Seats};

/// The servers that are busy.
#[derive(Debug)]
pub(super) struct Busy {
    servers: u32,
    busy: u32,
    /// When they will be free again, and whom they serve. Those who hang are missing.
    ends: BTreeSet<(Duration, u64)>,
}

impl Busy {
    pub(super) fn new(servers: u32) -> Self {
        Self { servers, busy: 0, ends: BTreeSet::new() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.busy < self.servers
    }

    pub(super) fn next_end(&self) -> Option<Duration> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Serves whoever waits, as far as there are servers.
    pub(super) fn admit(&mut self, seats: &mut Seats, from: Duration) {
        while self.has_room() {
            let Some((_, granted)) = seats.grant_next(from) else { return };
            self.busy += 1;
            if let Some(end) = end(&granted) {
                self.ends.insert((end, granted.number));
            }
        }
    }

    /// The next is served from the instant at which a server became free, not from when that was noticed.
    pub(super) fn advance(&mut self, seats: &mut Seats, now: Duration) {
        while let Some((end, number)) = self.ends.first().copied().filter(|(end, _)| *end <= now) {
            self.ends.remove(&(end, number));
            self.busy -= 1;
            self.admit(seats, end);
        }
    }

    pub(super) fn leave(&mut self, left: &Holder, seats: &mut Seats, now: Duration) {
        let was_served = match end(left) {
            Some(end) => self.ends.remove(&(end, left.number)),
            None => left.state.granted.is_some(),
        };
        if was_served {
            self.busy -= 1;
            self.admit(seats, now);
        }
    }
}

/// When the server of a granted one is free again; none for one that waits or hangs.
fn end(holder: &Holder) -> Option<Duration> {
    match (holder.state.granted, holder.work) {
        (Some(from), Work::Time(time)) => Some(from + time),
        _ => None,
    }
}
