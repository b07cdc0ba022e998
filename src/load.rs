//! The load: what is asked (scenario), when (schedule), by one loop (runner), and what came of it (sample).

mod allowance;
mod caller;
mod cpu;
mod draw;
mod in_flight;
mod kind;
mod ledger;
mod rate;
mod request;
mod run;
mod runner;
mod sample;
mod scenario;
mod schedule;
mod sessions;
mod slo;
mod stop;
mod trace;

pub use allowance::Allowance;
pub(crate) use caller::request_id;
pub use cpu::CpuUse;
pub use in_flight::InFlight;
pub use kind::{InFlightBound, Load, Spacing};
pub(crate) use ledger::is_refused_connection;
pub use rate::Rate;
pub use request::{Length, Models, Prompt, PromptFile, PromptFileError, RequestSpec};
pub use run::{Run, RunError, Sink};
pub(crate) use sample::INTERRUPTED;
pub use sample::{LedgerBalance, LedgerLost, Outcome, Record, RunHeader, RunInfo, Sample, StageEnd, StageHeader, Unsent, Window};
pub use scenario::{Extent, Published, Repeat, Scenario, Stage, SuccessRule};
pub use schedule::{Arrival, Release, Schedule};
pub use sessions::{Drawn, MOST_TURNS, SessionBegin, SessionLoad};
pub use slo::{Objective, SloError, SloFigure, SloMetric, SloStatistic};
pub use stop::Stop;
pub use trace::{TimeUnit, TraceArrival, TraceError, TraceFormat, TraceLoad, TraceOptions};
