//! The decision core: what each attempt gets, and when. A machine without I/O.
//!
//! No sockets, no clock and no lock live here. Instants are told, as the time since the profile's start; randomness is told, as
//! the attempt's own [`Draws`](crate::draw::Draws). What an attempt gets is decided in two steps:
//!
//! 1. [`decide`] is a pure function of profile, request, draws and instant: turned away, or served with a certain demand.
//! 2. [`Relay::arrive`] knows who else is there. It turns the demand into a plan, and grants the instant from which it is served,
//!    at once or, where requests wait for each other, later. Whoever arrived must [`leave`](Relay::leave).
//!
//! Before both, [`limits`] admit an attempt or refuse it, where the profile has any.
//!
//! Whoever drives a relay lets it [`advance`](Relay::advance) at its [`next_event`](Relay::next_event), and tells those that
//! [`moved`](Relay::moved).

mod behaviour;
mod capacity;
mod faults;
pub mod limits;
mod pace;
mod refusal;
mod window;

pub use behaviour::{Decided, Decision, Delay, Demand, Finish, Request, Stay, completion_length, decide, fault};
pub(crate) use faults::refuses_all;
pub use faults::{Tally, Welcome, missed, welcome};
pub use pace::{Pace, Told};
pub use refusal::{INJECTED_WAIT, Invalid, Refusal};

use std::time::Duration;

use self::capacity::{Floor, Place, Seat, Work, curve};
use crate::profile::Profile;

/// Everything about the relay that changes as attempts come and go.
#[derive(Debug)]
pub struct Relay {
    in_flight: u32,
    floor: Floor,
    /// Time never goes back here, whichever of several callers comes first.
    latest: Duration,
}

/// What an attempt that was not turned away gets.
#[derive(Debug)]
pub struct Arrival {
    /// Who it is, when it leaves.
    pub ticket: Ticket,
    /// How many are in flight now, this one included.
    pub in_flight: u32,
    /// What it gets.
    pub plan: Plan,
    /// When it gets it; none while it waits.
    pub grant: Option<Grant>,
}

/// One attempt in flight: given out on arrival, given back on leaving.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "whoever arrived must leave"]
pub struct Ticket {
    seat: Option<Seat>,
}

impl Ticket {
    /// Where it is found among those that [moved](Relay::moved); none for one that never waits.
    pub fn seat(&self) -> Option<usize> {
        self.seat
    }
}

/// When an attempt is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The instant from which the plan's delays count.
    pub from: Duration,
}

/// What an attempt gets.
#[derive(Clone, Debug)]
pub enum Plan {
    /// A completion.
    Completion {
        /// 0 only where its text is empty, or its first character alone is beyond the caller's limit.
        tokens: u32,
        /// Why it ends there.
        finish: Finish,
        /// When its tokens are due.
        timing: Timing,
    },
    /// A failure under load, after the latency that a completion would have had.
    Overloaded {
        /// How long after the grant.
        after: Duration,
    },
    /// None, ever.
    Hang,
}

/// When tokens are due.
#[derive(Clone, Debug)]
pub enum Timing {
    /// At delays from the grant.
    Paced(Pace),
    /// As the batch comes to it: see [`Relay::look`].
    Stepped,
}

/// What is known of an attempt that waits, or whose tokens come step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// From when it is served; none while it waits.
    pub grant: Option<Grant>,
    /// How many tokens came so far, where they come step by step.
    pub tokens: u32,
    /// When the first of them came.
    pub first: Option<Duration>,
    /// When the last of them came.
    pub last: Duration,
}

impl Relay {
    /// An empty relay at the start of a profile.
    pub fn new(profile: &Profile) -> Self {
        Self { in_flight: 0, floor: Floor::new(&profile.capacity, &profile.phases), latest: Duration::ZERO }
    }

    /// Takes in an attempt with its demand. It arrived when its head was there, and delays count from then; but a place it can only
    /// have from now on, when all of it is there.
    ///
    /// # Errors
    ///
    /// The refusal that it gets at once, when there is no room left to wait in. It was then never in flight.
    pub fn arrive(&mut self, demand: Demand, arrived: Duration, now: Duration) -> Result<Arrival, Refusal> {
        let in_flight = self.in_flight + 1;
        let (plan, work) = plan(demand, in_flight);
        let now = self.not_before(now);
        let place = self.floor.arrive(work, now)?;
        self.in_flight = in_flight;
        let (seat, grant) = match place {
            Place::Unlimited => (None, Some(Grant { from: arrived })),
            Place::Seated(seat) => (Some(seat), self.floor.look(seat, 0).granted.map(|from| Grant { from })),
        };
        Ok(Arrival { ticket: Ticket { seat }, in_flight, plan, grant })
    }

    /// Whether all are served from when they arrive, whoever else is there, so that the time of an arrival does not matter.
    pub fn is_unlimited(&self) -> bool {
        self.floor.is_unlimited()
    }

    /// Lets an attempt go: it was answered, or its caller went away. Whatever it held is free now, if it was not before.
    pub fn leave(&mut self, ticket: Ticket, now: Duration) {
        self.in_flight -= 1;
        if let Some(seat) = ticket.seat {
            let now = self.not_before(now);
            self.floor.leave(seat, now);
        }
    }

    /// The next instant at which something happens by itself that an attempt waits for.
    pub fn next_event(&self) -> Option<Duration> {
        self.floor.next_event()
    }

    /// Lets happen what was due by now, each at its own instant.
    pub fn advance(&mut self, now: Duration) {
        let now = self.not_before(now);
        self.floor.advance(now);
    }

    /// How far an attempt has come. Unless it is served and has so many tokens, it will be among those that [moved](Self::moved)
    /// when it is and does.
    pub fn look(&mut self, ticket: &Ticket, tokens_wanted: u32) -> Option<Progress> {
        let seated = self.floor.look(ticket.seat?, tokens_wanted);
        let grant = seated.granted.map(|from| Grant { from });
        Some(Progress { grant, tokens: seated.tokens, first: seated.first, last: seated.last })
    }

    /// The [seats](Ticket::seat) of those who got what they last looked for and did not have, since the last call.
    pub fn moved(&mut self) -> impl Iterator<Item = usize> {
        self.floor.moved()
    }

    /// How many attempts are in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How many of them wait for the others; in a batch not those who join with its next step.
    pub fn waiting(&self) -> u32 {
        self.floor.waiting()
    }

    fn not_before(&mut self, now: Duration) -> Duration {
        self.latest = self.latest.max(now);
        self.latest
    }
}

/// What a demand comes to with so many in flight.
fn plan(demand: Demand, in_flight: u32) -> (Plan, Work) {
    let Demand::Completion { tokens, finish, delay, stay } = demand else { return (Plan::Hang, Work::Hang) };
    let work = |time| match stay {
        Stay::Latency => Work::Time(time),
        Stay::Longer => Work::Hang,
    };
    let paced = |pace: Pace| {
        let work = work(pace.total());
        (Plan::Completion { tokens, finish, timing: Timing::Paced(pace) }, work)
    };
    match delay {
        Delay::Known(pace) => paced(pace),
        Delay::OfLoad { curve, latency, failure, factor, told } => {
            let after = curve::latency(&curve, in_flight, latency, factor);
            if failure < curve::failure_share(&curve, in_flight) {
                let after = told.map_or(after, Told::first);
                return (Plan::Overloaded { after }, Work::Time(after));
            }
            paced(told.map_or_else(|| Pace::even(after, tokens), |told| Pace::told(told, after, tokens)))
        }
        Delay::OfBatch { prompt_tokens } => {
            // An empty completion takes as long as one of a token, as everywhere. Whoever stays longer is no load: the batch has
            // given it all its tokens.
            let work = Work::Tokens { prompt: prompt_tokens, completion: tokens.max(1) };
            (Plan::Completion { tokens, finish, timing: Timing::Stepped }, work)
        }
    }
}
