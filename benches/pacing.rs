//! What the harness adds: how late it sends, what it takes a latency for that the mock's ledger knows, and how its memory grows.
//!
//! The mock is a process of its own. Both share the machine, so that the figures are of a busy one where it has two cores.
//!
//! Memory is that of whole runs in virtual time, with all that they write. It needs Linux (`/proc`). `-- --long` adds ten million samples,
//! which takes minutes and 3 GB of disk.
//!
//! Each figure stands beside its bar, met or missed. A miss is no failure: what shares the machine decides it too.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's result is what it prints")]

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use relaybench::client::{ApiKey, Policy, TransportKind};
use relaybench::load::{InFlight, Record, Run, Scenario, Sink, Stop};
use relaybench::stats::Histogram;
use relaybench::target::{Live, Target};

/// Answers take two milliseconds, so that ten are in flight.
const PROFILE: &str = "[latency]\ntotal = { dist = \"fixed\", value = \"2ms\" }\n";

struct Size {
    duration: &'static str,
    virtual_requests: &'static [u64],
}

const FULL: Size = Size { duration: "10s", virtual_requests: &[100_000, 2_000_000] };
const LONG: Size = Size { duration: "10s", virtual_requests: &[100_000, 2_000_000, 10_000_000] };
/// In criterion's test mode it is only shown to run.
const TEST: Size = Size { duration: "200ms", virtual_requests: &[500, 1_000] };

/// What the 99th percentiles of send lateness and of the harness's error are to stay within.
const BAR: Duration = Duration::from_micros(500);
/// What a run may take, however many its samples are.
const MOST_MIB: f64 = 500.0;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if has("--list") {
        println!("pacing: benchmark");
        return ExitCode::SUCCESS;
    }
    let size = match (has("--test"), has("--long")) {
        (true, _) => TEST,
        (false, true) => LONG,
        (false, false) => FULL,
    };
    match measure(&size) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(size: &Size) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    for transport in [TransportKind::Network, TransportKind::Hyper] {
        pacing(size, transport)?;
    }
    if fs::exists("/proc/self/status").unwrap_or(false) {
        for &requests in size.virtual_requests {
            let peak = peak_of_a_virtual_run(requests, &directory.path().join(requests.to_string()))?;
            let mib = peak / 1024.0;
            let verdict = met(mib <= MOST_MIB);
            println!(
                "memory: {requests} samples of an open loop in virtual time take {mib:.1} MiB at most, bar {MOST_MIB} MiB: {verdict}"
            );
        }
    }
    Ok(())
}

/// 5,000 requests a second over sockets.
fn pacing(size: &Size, transport: TransportKind) -> Result<(), Failure> {
    let mock = Mock::start()?;
    let text = format!(
        "name = \"pacing\"\n[[stage]]\nload = {{ kind = \"constant\", rate = \"5000/s\" }}\nduration = \"{}\"\n",
        size.duration
    );
    let run = Run {
        scenario: Scenario::parse(&text, "pacing")?,
        policy: Policy::none(),
        target: Target::Live(Live {
            base_url: mock.base_url.clone(),
            key: ApiKey::from("sk-bench"),
            model: None,
            max_requests: u64::MAX,
            max_cost_usd: f64::MAX,
        }),
        transport,
        catalog: None,
    };
    run.check()?;
    let (kept, played) = run.play(&Stop::default(), &InFlight::default(), Kept::default());
    played?;
    let figures = |histogram: &Histogram| {
        let us = |quantile| histogram.quantile(quantile).map_or_else(|| "–".to_owned(), |value| value.as_micros().to_string());
        let verdict = histogram.quantile(0.99).map_or("too few to say", |p99| met(p99 <= BAR));
        let bar = BAR.as_micros();
        format!("p50 {} µs, p99 {} µs, p99.9 {} µs; p99 within {bar} µs: {verdict}", us(0.5), us(0.99), us(0.999))
    };
    println!("pacing: 5000 requests a second over {}, {} sent", format!("{transport:?}").to_lowercase(), kept.sent);
    println!("  send lateness: {}", figures(&kept.lateness));
    println!("  harness error: {} ({} matched with the ledger)", figures(&kept.error), kept.error.len());
    Ok(())
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

#[derive(Default)]
struct Kept {
    sent: u64,
    lateness: Histogram,
    error: Histogram,
}

impl Sink for Kept {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Run(_) => {}
            Record::Sample(sample) => {
                self.sent += u64::from(sample.sent.is_some());
                sample.send_lateness().into_iter().for_each(|late| self.lateness.record(late));
            }
            Record::Stage(end) => self.error = end.harness_error.clone().unwrap_or_default(),
        }
        Ok(())
    }
}

/// A mock relay in a process of its own, ended when dropped.
struct Mock {
    child: Child,
    base_url: String,
    /// The profile's file, which must not be removed before it is read.
    _profile: tempfile::NamedTempFile,
}

impl Mock {
    fn start() -> Result<Self, Failure> {
        let mut profile = tempfile::Builder::new().suffix(".toml").tempfile()?;
        profile.write_all(PROFILE.as_bytes())?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_relaybench"));
        command.args(["mock", "--listen", "127.0.0.1:0", "--profile"]).arg(profile.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("it has a pipe")?).read_line(&mut line)?;
        let addr = line.trim().strip_prefix("listening on ").ok_or_else(|| format!("the mock said {line:?}"))?;
        Ok(Self { child, base_url: format!("{addr}/v1"), _profile: profile })
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // It ends with this process at the latest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In KiB.
fn peak_of_a_virtual_run(requests: u64, out: &Path) -> Result<f64, Failure> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relaybench"));
    command.args(["run", "--virtual", "--quiet", "--profile", "steady", "--policy", "none", "--rate", "500", "--requests"]);
    command.arg(requests.to_string()).arg("--out").arg(out).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(kib.unwrap_or(0.0));
        #[expect(clippy::disallowed_methods, reason = "nothing else happens in this process")]
        thread::sleep(Duration::from_millis(20));
    }
    Ok(peak)
}
