//! Who waits, in the order of arrival, and who holds a place.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use slab::Slab;

use super::{Seat, Seated, Work};

/// Everyone with a seat.
#[derive(Debug, Default)]
pub(super) struct Seats {
    holders: Slab<Holder>,
    /// Those who wait, by their number.
    line: BTreeMap<u64, Seat>,
    arrived: u64,
    moved: Vec<Seat>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    /// In the order of arrival.
    pub(super) number: u64,
    pub(super) work: Work,
    pub(super) state: Seated,
    /// The holder asked to be told when it has so many tokens; `NOBODY` when it did not ask.
    wanted: u32,
}

const NOBODY: u32 = u32::MAX;

impl Seats {
    /// Gives the newly arrived a seat at the end of the line.
    pub(super) fn take(&mut self, work: Work) -> Seat {
        let number = self.arrived;
        self.arrived += 1;
        let state = Seated { granted: None, tokens: 0, first: None, last: Duration::ZERO };
        let seat = self.holders.insert(Holder { number, work, state, wanted: NOBODY });
        self.line.insert(number, seat);
        seat
    }

    pub(super) fn give_back(&mut self, seat: Seat) -> Holder {
        let holder = self.holders.remove(seat);
        self.line.remove(&holder.number);
        self.moved.retain(|moved| *moved != seat);
        holder
    }

    pub(super) fn waiting(&self) -> u32 {
        // Connections run out long before 32 bits do.
        self.line.len() as u32
    }

    /// Grants the first of the line, whose seat and work these are.
    pub(super) fn grant_next(&mut self, from: Duration) -> Option<(Seat, Holder)> {
        let (_, seat) = self.line.pop_first()?;
        let holder = &mut self.holders[seat];
        holder.state.granted = Some(from);
        let granted = *holder;
        self.tell(seat);
        Some((seat, granted))
    }

    /// Gives a running one a token; true when it was the last.
    pub(super) fn give_token(&mut self, seat: Seat, at: Duration) -> bool {
        let holder = &mut self.holders[seat];
        let Work::Tokens { completion, .. } = holder.work else { return false };
        let state = &mut holder.state;
        state.tokens += 1;
        state.first.get_or_insert(at);
        state.last = at;
        let is_last = state.tokens == completion;
        self.tell(seat);
        is_last
    }

    pub(super) fn look(&mut self, seat: Seat, tokens_wanted: u32) -> Seated {
        let holder = &mut self.holders[seat];
        let is_content = holder.state.granted.is_some() && holder.state.tokens >= tokens_wanted;
        holder.wanted = if is_content { NOBODY } else { tokens_wanted };
        holder.state
    }

    pub(super) fn moved(&mut self) -> impl Iterator<Item = Seat> {
        mem::take(&mut self.moved).into_iter()
    }

    fn tell(&mut self, seat: Seat) {
        let holder = &mut self.holders[seat];
        if holder.wanted <= holder.state.tokens {
            holder.wanted = NOBODY;
            self.moved.push(seat);
        }
    }
}
