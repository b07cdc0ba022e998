//! The one notion of time of relaybench.
//!
//! Every instant is a [`tokio::time::Instant`], every sleep a [`Sleep`] of this crate. The same code then runs on two clocks:
//!
//! - **real**: sleeps end tens of microseconds after their deadline, where tokio's own timers tick in milliseconds. One thread
//!   with a queue wakes them, and it sleeps itself while nothing is due.
//! - **virtual**: inside [`run_virtual`] time stands still while anything can run, and then jumps to the next deadline. An hour
//!   takes seconds, and every instant is exact to the nanosecond, on any machine.
//!
//! ```
//! use std::time::Duration;
//! let slept = relaybench_clock::run_virtual(async {
//!     let start = relaybench_clock::now();
//!     relaybench_clock::sleep(Duration::from_secs(3600)).await;
//!     start.elapsed()
//! });
//! assert_eq!(slept, Duration::from_secs(3600));
//! ```

mod hyper_timer;
mod queue;
mod real;
mod runtime;
mod sleep;
mod virtual_time;

pub use hyper_timer::HyperTimer;
pub use runtime::Runtime;
pub use sleep::{Elapsed, Sleep, sleep, sleep_until, timeout_at};
pub use tokio::time::Instant;
pub use virtual_time::{is_virtual, run_virtual};

use std::time::{Duration, SystemTime};

/// What [`wall_now`] answers when virtual time begins: 2026-01-01T00:00:00Z, in seconds since 1970.
const VIRTUAL_EPOCH_S: u64 = 1_767_225_600;

/// The present instant, on the clock this thread runs on.
pub fn now() -> Instant {
    virtual_time::now().unwrap_or_else(Instant::now)
}

/// The time of day, for dates that leave the process (HTTP dates, `created`). Never for durations.
///
/// In virtual time the day begins at 2026-01-01T00:00:00Z, so that what is written is the same in every run.
pub fn wall_now() -> SystemTime {
    match virtual_time::elapsed() {
        Some(elapsed) => SystemTime::UNIX_EPOCH + Duration::from_secs(VIRTUAL_EPOCH_S) + elapsed,
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the time of day")]
        None => SystemTime::now(),
    }
}
