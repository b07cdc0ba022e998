//! The kinds of load: who decides when the next request is sent.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::rate::Rate;
use super::request::{Prompt, RequestSpec};
use super::sessions::SessionLoad;
use super::trace::{TraceArrival, TraceLoad};

/// The load offered.
///
/// A *closed* loop sends when an answer has come; so do waves, and sessions of a given concurrency. An *open* loop sends at intended
/// times, whatever the relay does, and latency counts from these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Load {
    /// `concurrency` slots, each sending its next request when its last has ended.
    Closed {
        /// Requests in flight.
        concurrency: NonZeroUsize,
    },
    /// `concurrency` requests at once, then none until all have ended: a gather in a loop.
    Waves {
        /// Requests in a wave.
        concurrency: NonZeroUsize,
    },
    /// One request every 1/rate.
    Constant {
        /// How many in a second.
        #[serde(rename = "rate_rps")]
        rate: Rate,
        /// The most in flight; arrivals beyond it wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_in_flight: Option<NonZeroUsize>,
    },
    /// Requests that come independently of each other: exponential gaps.
    Poisson {
        /// How many in a second, on average.
        #[serde(rename = "rate_rps")]
        rate: Rate,
        /// The most in flight; arrivals beyond it wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_in_flight: Option<NonZeroUsize>,
    },
    /// Gaps of a gamma distribution.
    Gamma {
        /// How many in a second, on average.
        #[serde(rename = "rate_rps")]
        rate: Rate,
        /// 1 is Poisson, below it is burstier, above it more even. The gaps' coefficient of variation is 1/√shape.
        shape: f64,
        /// The most in flight; arrivals beyond it wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_in_flight: Option<NonZeroUsize>,
    },
    /// A rate that changes in a straight line over the stage's duration.
    Ramp {
        /// The rate at the beginning.
        #[serde(rename = "from_rps")]
        from: Rate,
        /// The rate at the end.
        #[serde(rename = "to_rps")]
        to: Rate,
        /// How requests are spaced at the rate of the moment.
        spacing: Spacing,
        /// The most in flight; arrivals beyond it wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_in_flight: Option<NonZeroUsize>,
    },
    /// The arrivals of a recorded trace.
    Trace(TraceLoad),
    /// Conversations of several turns.
    Sessions(SessionLoad),
}

/// How the arrivals of an open loop are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Evenly.
    #[default]
    Constant,
    /// Independently of each other.
    Poisson,
    /// Gaps of a gamma distribution of this shape.
    Gamma(f64),
}

/// How many requests in flight a load has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InFlightBound {
    /// At most so many.
    Most(usize),
    /// As many as the relay lets come together: an open loop without a cap.
    Unknown,
}

impl Load {
    /// The slots of a closed loop or of waves, or the conversations at once; none in an open loop.
    pub fn concurrency(&self) -> Option<usize> {
        match self {
            Self::Closed { concurrency } | Self::Waves { concurrency } => Some(concurrency.get()),
            Self::Sessions(sessions) => sessions.concurrency(),
            _ => None,
        }
    }

    /// The steady rate of an open loop.
    pub fn rate(&self) -> Option<Rate> {
        match self {
            Self::Constant { rate, .. } | Self::Poisson { rate, .. } | Self::Gamma { rate, .. } => Some(*rate),
            _ => None,
        }
    }

    /// How many requests may be in flight.
    pub fn in_flight(&self) -> InFlightBound {
        self.concurrency().or_else(|| self.max_in_flight()).map_or(InFlightBound::Unknown, InFlightBound::Most)
    }

    /// The cap on an open loop.
    pub fn max_in_flight(&self) -> Option<usize> {
        let cap = match self {
            Self::Closed { .. } | Self::Waves { .. } => None,
            Self::Constant { max_in_flight, .. }
            | Self::Poisson { max_in_flight, .. }
            | Self::Gamma { max_in_flight, .. }
            | Self::Ramp { max_in_flight, .. } => *max_in_flight,
            Self::Trace(trace) => trace.max_in_flight,
            Self::Sessions(sessions) => sessions.max_in_flight,
        };
        cap.map(NonZeroUsize::get)
    }

    /// Whether every request has a time that neither a cap nor an answer moves.
    pub fn is_uncapped_open_loop(&self) -> bool {
        self.in_flight() == InFlightBound::Unknown && !matches!(self, Self::Sessions(_))
    }

    /// Sets the cap on an open loop.
    ///
    /// # Errors
    ///
    /// The name of the kind, where it is closed.
    pub fn cap_in_flight(&mut self, most: NonZeroUsize) -> Result<(), &'static str> {
        let cap = match self {
            Self::Closed { .. } | Self::Waves { .. } => return Err(self.kind()),
            Self::Constant { max_in_flight, .. }
            | Self::Poisson { max_in_flight, .. }
            | Self::Gamma { max_in_flight, .. }
            | Self::Ramp { max_in_flight, .. } => max_in_flight,
            Self::Trace(trace) => &mut trace.max_in_flight,
            Self::Sessions(sessions) => &mut sessions.max_in_flight,
        };
        *cap = Some(most);
        Ok(())
    }

    /// The same kind of load at another level: closed, where this is not by concurrency.
    pub fn at(&self, concurrency: NonZeroUsize) -> Self {
        match self {
            Self::Waves { .. } => Self::Waves { concurrency },
            _ => Self::Closed { concurrency },
        }
    }

    /// The same spacing of arrivals at another rate: constant, where this has no rate of its own.
    pub fn at_rate(&self, rate: Rate) -> Self {
        let max_in_flight = self.max_in_flight().and_then(NonZeroUsize::new);
        match *self {
            Self::Poisson { .. } => Self::Poisson { rate, max_in_flight },
            Self::Gamma { shape, .. } => Self::Gamma { rate, shape, max_in_flight },
            _ => Self::Constant { rate, max_in_flight },
        }
    }

    /// Arrivals of this spacing at a steady rate.
    pub fn open(rate: Rate, spacing: Spacing, max_in_flight: Option<NonZeroUsize>) -> Self {
        match spacing {
            Spacing::Constant => Self::Constant { rate, max_in_flight },
            Spacing::Poisson => Self::Poisson { rate, max_in_flight },
            Spacing::Gamma(shape) => Self::Gamma { rate, shape, max_in_flight },
        }
    }

    /// The name of the kind, as a scenario writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Waves { .. } => "waves",
            Self::Constant { .. } => "constant",
            Self::Poisson { .. } => "poisson",
            Self::Gamma { .. } => "gamma",
            Self::Ramp { .. } => "ramp",
            Self::Trace(_) => "trace",
            Self::Sessions(_) => "sessions",
        }
    }

    /// What a stage of this load is called when nobody named it, like `closed-50`, `poisson-100` (a second) or `trace-code`.
    pub fn stage_name(&self) -> String {
        let level = match self {
            Self::Closed { concurrency } | Self::Waves { concurrency } => concurrency.to_string(),
            Self::Constant { rate, .. } | Self::Poisson { rate, .. } | Self::Gamma { rate, .. } => rate.to_string(),
            Self::Ramp { from, to, .. } => format!("{from}-{to}"),
            Self::Trace(trace) => trace.name(),
            Self::Sessions(sessions) => sessions.level(),
        };
        format!("{}-{level}", self.kind())
    }

    /// The most that an attempt of this load can cost, in US dollars.
    pub(super) fn worst_case_usd(&self, request: &RequestSpec) -> f64 {
        let (prompt, answer) = (request.prompt.most_tokens(), request.most_answer_tokens());
        match self {
            Self::Trace(trace) if trace.lengths => {
                let longest = |of: fn(&TraceArrival) -> u32| trace.arrivals.iter().map(of).max().unwrap_or(0).into();
                let prompt: u64 = longest(|arrival| arrival.prompt_tokens);
                let bytes = prompt.saturating_mul(Prompt::BYTES_A_TOKEN.into());
                request.dearest_usd(bytes, longest(|arrival| arrival.completion_tokens))
            }
            // The last turn sends all that was said, the answers included.
            Self::Sessions(sessions) => {
                let turns = u64::from(sessions.most_turns);
                request.dearest_usd(turns.saturating_mul(prompt.saturating_add(answer)), answer)
            }
            _ => request.dearest_usd(prompt, answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Scenario;

    #[test]
    fn every_kind_survives_a_line_of_records() {
        let loads = [
            (r#"{ kind = "closed", concurrency = 50 }"#, r#"{"kind":"closed","concurrency":50}"#),
            (r#"{ kind = "constant", rate = "100/s" }"#, r#"{"kind":"constant","rate_rps":100.0}"#),
            (
                r#"{ kind = "gamma", rate = "30/min", cv = 2, max_in_flight = 9 }"#,
                r#"{"kind":"gamma","rate_rps":0.5,"shape":0.25,"max_in_flight":9}"#,
            ),
            (
                r#"{ kind = "ramp", from = "1/s", to = "9/s", spacing = "gamma", shape = 4 }"#,
                r#"{"kind":"ramp","from_rps":1.0,"to_rps":9.0,"spacing":{"gamma":4.0}}"#,
            ),
            (
                r#"{ kind = "sessions", rate = "5/s", turns = 3, think_time = "2s" }"#,
                r#"{"kind":"sessions","rate_rps":5.0,"spacing":"poisson","most_turns":3,"median_think_time_ms":2000.0}"#,
            ),
            (
                r#"{ kind = "sessions", concurrency = 5, turns = 3 }"#,
                r#"{"kind":"sessions","concurrency":5,"most_turns":3,"median_think_time_ms":0.0}"#,
            ),
        ];
        for (written, line) in loads {
            let extent = "duration = \"9s\"";
            let text = format!("name = \"x\"\n[[stage]]\nload = {written}\n{extent}\n");
            let load = Scenario::parse(&text, "x.toml").unwrap().stages.remove(0).load;
            assert_eq!(serde_json::to_string(&load).unwrap(), line);
            let read: Load = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), line);
        }
    }
}
