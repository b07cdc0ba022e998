//! The decision core: what each attempt gets, and when. A machine without I/O.
//!
//! No sockets, no clock and no lock live here. Instants are told, as the time since the profile's start; randomness is told, as
//! the attempt's own [`Draws`](crate::draw::Draws). What an attempt gets is decided in two steps:
//!
//! 1. [`decide`] is a pure function of profile, request, draws and instant: turned away, or served with a certain demand.
//! 2. [`Relay::arrive`] knows who else is there. It turns the demand into a plan, and grants the instant from which it is served.
//!    Whoever arrived must [`leave`](Relay::leave).

mod behaviour;
mod burst;
mod capacity;
mod pace;
mod refusal;

pub use behaviour::{Decision, Delay, Demand, Finish, Request, decide};
pub use pace::Pace;
pub use refusal::{Invalid, Refusal};

use std::time::Duration;

/// Everything about the relay that changes as attempts come and go.
#[derive(Debug, Default)]
pub struct Relay {
    in_flight: u32,
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
    /// When it gets it.
    pub grant: Grant,
}

/// One attempt in flight: given out on arrival, given back on leaving.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "whoever arrived must leave"]
pub struct Ticket(());

/// When an attempt is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The instant from which the plan's delays count.
    pub from: Duration,
}

/// What an attempt gets, in delays that count from its [`Grant`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the answer is.
    pub outcome: Outcome,
    /// When each part of it is due.
    pub pace: Pace,
}

/// What the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A completion of this many tokens.
    Completion {
        /// At least 1.
        tokens: u32,
        /// Why it ends there.
        finish: Finish,
    },
    /// A failure under load, after the latency that a completion would have had.
    Overloaded,
    /// None, ever.
    Hang,
}

impl Relay {
    /// Takes in an attempt with its demand.
    pub fn arrive(&mut self, demand: Demand, now: Duration) -> Arrival {
        self.in_flight += 1;
        Arrival {
            ticket: Ticket(()),
            in_flight: self.in_flight,
            plan: self.plan(demand),
            // Nothing so far makes an attempt wait for the others.
            grant: Grant { from: now },
        }
    }

    /// Lets an attempt go: it was answered, or its caller went away.
    pub fn leave(&mut self, ticket: Ticket) {
        let Ticket(()) = ticket;
        self.in_flight -= 1;
    }

    /// How many attempts are in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    fn plan(&self, demand: Demand) -> Plan {
        let Demand::Completion { tokens, finish, delay } = demand else {
            return Plan { outcome: Outcome::Hang, pace: Pace::even(Duration::ZERO, 1) };
        };
        let completion = Outcome::Completion { tokens, finish };
        match delay {
            Delay::Known(pace) => Plan { outcome: completion, pace },
            Delay::OfLoad { curve, latency, failure } => {
                let fails = failure < capacity::failure_share(&curve, self.in_flight);
                let outcome = if fails { Outcome::Overloaded } else { completion };
                Plan { outcome, pace: Pace::even(capacity::latency(&curve, self.in_flight, latency), tokens) }
            }
        }
    }
}
