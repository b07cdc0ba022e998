//! The load: what is asked (scenario), when (schedule), by one loop (runner), and what came of it (sample).

mod allowance;
mod caller;
mod in_flight;
mod ledger;
mod run;
mod runner;
mod sample;
mod scenario;
mod schedule;
mod stop;

pub use allowance::Allowance;
pub use in_flight::InFlight;
pub use run::{Run, RunError, Sink};
pub use sample::{LedgerBalance, Outcome, Record, RunHeader, RunInfo, Sample, StageEnd, StageHeader, Unsent, Window};
pub use scenario::{Extent, Load, Published, RequestSpec, Scenario, Stage, SuccessRule};
pub use schedule::{Arrival, Release, Schedule};
pub use stop::Stop;
