//! What the load does: who waits for whom, and from when each is served.
//!
//! Every model is a machine that is told who comes, who goes and what time it is, and that grants. Whoever is not granted at once
//! has a [`Seat`]; the others may have one as well, where the model must remember them.

mod batch;
pub(super) mod curve;
mod queue;
mod rate;
mod seats;

use std::time::Duration;

use self::batch::Running;
use self::queue::Busy;
use self::rate::Pacing;
use self::seats::Seats;
use super::Refusal;
use super::limits::Resource;
use crate::profile::{Capacity, Phase, WaitingRoom};

/// What an attempt will take, once it is its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// This long.
    Time(Duration),
    /// A step for each token, after its prompt.
    Tokens { prompt: u32, completion: u32 },
    /// Its place, until its caller goes away.
    Hang,
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It waits for nobody, and nothing more is known of it.
    Unlimited,
    /// It has a seat. It may be granted already.
    Seated(Seat),
}

/// The number of a seat, which is another's once it is given back.
pub(super) type Seat = usize;

/// What is known of an attempt with a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seated {
    /// From when it is served; none while it waits.
    pub(super) granted: Option<Duration>,
    /// How many tokens it has, where they come one by one.
    pub(super) tokens: u32,
    /// When the first of them came.
    pub(super) first: Option<Duration>,
    /// When the last of them came.
    pub(super) last: Duration,
}

/// Everyone who waits or holds a place.
#[derive(Debug)]
pub(super) struct Floor {
    model: Model,
    room: WaitingRoom,
    seats: Seats,
}

#[derive(Debug)]
enum Model {
    Unlimited,
    Queue(Busy),
    Rate(Pacing),
    Batch(Running),
}

impl Floor {
    pub(super) fn new(capacity: &Capacity, phases: &[Phase]) -> Self {
        const ENDLESS: WaitingRoom = WaitingRoom { places: None, overflow: 503 };
        let (model, room) = match *capacity {
            Capacity::Unlimited => (Model::Unlimited, ENDLESS),
            Capacity::Queue { servers, room } => (Model::Queue(Busy::new(servers)), room),
            Capacity::Rate { interval, room } => (Model::Rate(Pacing::new(interval)), room),
            Capacity::Batch { batch, room } => (Model::Batch(Running::new(batch, phases)), room),
        };
        Self { model, room, seats: Seats::default() }
    }

    pub(super) fn is_unlimited(&self) -> bool {
        matches!(self.model, Model::Unlimited)
    }

    /// Takes in whoever arrives, unless there is no room to wait in.
    pub(super) fn arrive(&mut self, work: Work, now: Duration) -> Result<Place, Refusal> {
        self.advance(now);
        let must_wait = match &self.model {
            Model::Unlimited => return Ok(Place::Unlimited),
            Model::Queue(busy) => !busy.has_room(),
            Model::Rate(pacing) => !pacing.has_room(now) || self.seats.waiting() > 0,
            Model::Batch(running) => !running.has_room(self.seats.waiting()),
        };
        if must_wait && self.room.places.is_some_and(|places| self.waiting() >= places) {
            return Err(self.full(now));
        }
        let seat = self.seats.take(work);
        match &mut self.model {
            Model::Unlimited => {}
            Model::Queue(busy) => busy.admit(&mut self.seats, now),
            Model::Rate(pacing) => pacing.admit(&mut self.seats, now),
            Model::Batch(running) => running.wake_up(&mut self.seats, now),
        }
        Ok(Place::Seated(seat))
    }

    /// Gives a seat back: its holder was answered, or went away.
    pub(super) fn leave(&mut self, seat: Seat, now: Duration) {
        self.advance(now);
        let left = self.seats.give_back(seat);
        match &mut self.model {
            Model::Unlimited | Model::Rate(_) => {}
            Model::Queue(busy) => busy.leave(&left, &mut self.seats, now),
            Model::Batch(running) => running.leave(&left, &mut self.seats, now),
        }
    }

    /// The next instant at which something happens by itself that somebody waits for.
    pub(super) fn next_event(&self) -> Option<Duration> {
        match &self.model {
            Model::Unlimited => None,
            Model::Queue(busy) => busy.next_end().filter(|_| self.seats.waiting() > 0),
            Model::Rate(pacing) => (self.seats.waiting() > 0).then(|| pacing.next_slot()),
            Model::Batch(running) => running.step_end(),
        }
    }

    /// Lets happen what was due by now.
    pub(super) fn advance(&mut self, now: Duration) {
        match &mut self.model {
            Model::Unlimited => {}
            Model::Queue(busy) => busy.advance(&mut self.seats, now),
            Model::Rate(pacing) => pacing.advance(&mut self.seats, now),
            Model::Batch(running) => running.advance(&mut self.seats, now),
        }
    }

    /// What is known of a seat's holder, and that its holder wants to be told when it is granted and has so many tokens.
    pub(super) fn look(&mut self, seat: Seat, tokens_wanted: u32) -> Seated {
        self.seats.look(seat, tokens_wanted)
    }

    /// Whose wish came true since the last call.
    pub(super) fn moved(&mut self) -> impl Iterator<Item = Seat> {
        self.seats.moved()
    }

    /// How many wait. In a batch those who join with its next step do not count: they would not have to wait for anyone.
    pub(super) fn waiting(&self) -> u32 {
        match &self.model {
            Model::Batch(running) => self.seats.waiting().saturating_sub(running.free()),
            _ => self.seats.waiting(),
        }
    }

    fn full(&self, now: Duration) -> Refusal {
        match (&self.model, self.room.overflow) {
            // Nobody knows when a request that is being served will end; but a rate is a promise.
            (Model::Rate(pacing), 429) => {
                Refusal::RateLimited { resource: Resource::Requests, retry_after: pacing.wait(self.seats.waiting(), now) }
            }
            (_, 429) => Refusal::TooManyInFlight,
            _ => Refusal::Overloaded,
        }
    }
}
