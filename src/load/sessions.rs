//! Conversations: turns that follow each other, with the time their user takes to think.

use std::num::NonZeroUsize;
use std::time::Duration;

use relaybench_mock::dist::Distribution;
use serde::{Deserialize, Serialize};

use super::draw::{Key, Purpose};
use super::kind::Spacing;
use super::rate::Rate;

/// The most turns that a conversation may have: its requests' indices are counted in steps of this.
pub const MOST_TURNS: u32 = 1000;

/// Conversations of several turns. Each turn sends the conversation so far, and comes when the answer before it was read and thought
/// about. Requests are numbered by conversation, then by turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionLoad {
    /// What begins a conversation.
    #[serde(flatten)]
    pub begin: SessionBegin,
    /// The most turns of a conversation.
    pub most_turns: u32,
    /// How many turns each has. Records hold only the most.
    #[serde(skip)]
    pub turns: Drawn,
    /// Half of the times from an answer to the next turn are shorter.
    pub median_think_time_ms: f64,
    /// The time from an answer to the next turn, in nanoseconds. Records hold only the median.
    #[serde(skip)]
    pub think_time: Drawn,
    /// The most requests in flight; turns beyond it wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<NonZeroUsize>,
}

/// What begins a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SessionBegin {
    /// The end of another: so many go on at once.
    Concurrency {
        /// Conversations at once, those that are thinking included.
        concurrency: NonZeroUsize,
    },
    /// A schedule of their own.
    Rate {
        /// Conversations begun in a second, on average.
        #[serde(rename = "rate_rps")]
        rate: Rate,
        /// How their beginnings are spaced.
        spacing: Spacing,
    },
}

/// A distribution that records do not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn(pub Distribution);

impl Default for Drawn {
    fn default() -> Self {
        Self(Distribution::Fixed(0.0))
    }
}

impl SessionLoad {
    /// `think_time` in nanoseconds; `turns` are cut at `most_turns`.
    pub fn new(
        begin: SessionBegin,
        turns: Distribution,
        most_turns: u32,
        think_time: Distribution,
        max_in_flight: Option<NonZeroUsize>,
    ) -> Self {
        let median_think_time_ms = think_time.draw_duration(0.5).as_nanos() as f64 / 1e6;
        Self { begin, most_turns, turns: Drawn(turns), median_think_time_ms, think_time: Drawn(think_time), max_in_flight }
    }

    pub(super) fn concurrency(&self) -> Option<usize> {
        match self.begin {
            SessionBegin::Concurrency { concurrency } => Some(concurrency.get()),
            SessionBegin::Rate { .. } => None,
        }
    }

    pub(super) fn level(&self) -> String {
        match self.begin {
            SessionBegin::Concurrency { concurrency } => concurrency.to_string(),
            SessionBegin::Rate { rate, .. } => rate.to_string(),
        }
    }

    /// The conversation that a request belongs to, and its turn, both from 0.
    pub(super) fn place(&self, index: u64) -> (u64, u32) {
        let turns = u64::from(self.most_turns);
        (index / turns, (index % turns) as u32)
    }

    /// The index of a conversation's first request.
    pub(super) fn first(&self, session: u64) -> u64 {
        session.saturating_mul(self.most_turns.into())
    }

    /// How many turns a conversation has.
    pub(super) fn turns(&self, key: Key, session: u64) -> u32 {
        self.turns.0.draw_count(key.uniform(Purpose::Turns, session)).clamp(1, self.most_turns)
    }

    /// How long its user thinks before the request `index`.
    pub(super) fn think_time(&self, key: Key, index: u64) -> Duration {
        self.think_time.0.draw_duration(key.uniform(Purpose::ThinkTime, index))
    }
}
