//! What differs from machine to machine and day to day, kept apart from the report.

use std::fs;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use relaybench_clock::{Instant, now, wall_now};
use serde_json::{Value, json};

/// The circumstances of a run, from its beginning.
#[derive(Debug)]
pub(super) struct Provenance {
    wall: Instant,
    start: Option<String>,
    cpu_s: Option<f64>,
}

impl Provenance {
    pub(super) fn begin() -> Self {
        Self { wall: now(), start: Timestamp::try_from(wall_now()).ok().map(|time| time.to_string()), cpu_s: cpu_s() }
    }

    /// What run.json holds.
    pub(super) fn end(&self) -> Value {
        json!({
            "schema": "relaybench.run/1",
            "start": self.start,
            "wall_s": self.wall.elapsed().as_secs_f64(),
            "cpu_s": cpu_s().zip(self.cpu_s).map(|(end, begin)| end - begin),
            "host": host(),
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "cores": std::thread::available_parallelism().map(usize::from).ok(),
            "git": git(),
            "version": env!("CARGO_PKG_VERSION"),
        })
    }
}

fn host() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}

/// The revision of the repository this runs in, which is the user's own.
fn git() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).stderr(Stdio::null()).output().ok()?;
    let revision = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    output.status.success().then_some(revision)
}

/// The processor time of this process; none where the system does not tell it as Linux does.
fn cpu_s() -> Option<f64> {
    /// Linux counts these in hundredths of a second for every program, whatever its own tick is.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold blanks; user and system time are the 12th and 13th field behind it.
    let mut behind_name = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || behind_name.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_A_SECOND)
}
