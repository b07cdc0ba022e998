//! How late sleeps end, and what they cost, without any sockets: the runtime's own timer, the process's thread, tokio's sleep, and
//! a thread that waits for one timerfd after the other, which is the least that this machine can do.

#![allow(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

use std::future::Future;
use std::io;
use std::time::Duration;

use relaybench_clock::{Instant, Runtime, now};
use tokio::runtime::Builder;

/// So many sleep at a time, each again and again, between a third and five thirds of the mean.
#[derive(Clone, Copy)]
struct Load {
    sleepers: u64,
    mean: Duration,
    lasts: Duration,
}

/// What one candidate did.
struct Figures {
    late: Vec<Duration>,
    elapsed: Duration,
    cpu: Option<Duration>,
}

type Candidate = (&'static str, fn(Load) -> io::Result<Vec<Duration>>);

const CANDIDATES: [Candidate; 4] =
    [("Runtime", on_our_runtime), ("thread", on_the_thread), ("tokio", on_tokio), ("bare timerfd", bare_timerfd)];

/// Each candidate in turn, so often.
const ROUNDS: usize = 2;

fn main() -> io::Result<()> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if has("--list") {
        CANDIDATES.iter().for_each(|(name, _)| println!("sleep/{name}: benchmark"));
        return Ok(());
    }
    let (lasts, rounds) = if has("--test") { (Duration::from_millis(20), 1) } else { (Duration::from_millis(700), ROUNDS) };
    println!(
        "{:>8}  {:14} {:>10} {:>9} {:>9} {:>9} {:>14}",
        "sleepers", "timer", "sleeps/s", "late p50", "p99", "p99.9", "CPU per sleep"
    );
    for (sleepers, mean) in [(1_000, 15), (100, 10), (1, 1)] {
        let load = Load { sleepers, mean: Duration::from_millis(mean), lasts };
        let mut all: Vec<Vec<Figures>> = CANDIDATES.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for ((_, candidate), figures) in CANDIDATES.iter().zip(&mut all) {
                figures.push(measure(load, *candidate)?);
            }
        }
        for ((name, _), figures) in CANDIDATES.iter().zip(all) {
            println!("{}", line(name, load, figures));
        }
    }
    Ok(())
}

fn measure(load: Load, candidate: fn(Load) -> io::Result<Vec<Duration>>) -> io::Result<Figures> {
    let (start, before) = (now(), cpu());
    let late = candidate(load)?;
    let cpu = cpu().zip(before).map(|(after, before)| after - before);
    Ok(Figures { late, elapsed: start.elapsed(), cpu })
}

fn line(name: &str, load: Load, rounds: Vec<Figures>) -> String {
    let elapsed: Duration = rounds.iter().map(|figures| figures.elapsed).sum();
    let cpu: Option<Duration> = rounds.iter().map(|figures| figures.cpu).sum();
    let mut late: Vec<Duration> = rounds.into_iter().flat_map(|figures| figures.late).collect();
    late.sort_unstable();
    let at = |quantile: f64| late.get((late.len() as f64 * quantile) as usize).map_or(f64::NAN, |late| late.as_secs_f64() * 1e6);
    let cpu = cpu.map_or(String::new(), |cpu| format!("{:.1} µs", cpu.as_secs_f64() * 1e6 / late.len() as f64));
    format!(
        "{:>8}  {name:14} {:>10.0} {:>6.0} µs {:>6.0} µs {:>6.0} µs {cpu:>14}",
        load.sleepers,
        late.len() as f64 / elapsed.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(0.999),
    )
}

fn on_our_runtime(load: Load) -> io::Result<Vec<Duration>> {
    Ok(Runtime::new()?.block_on(sleepers(load, relaybench_clock::sleep_until)))
}

fn on_the_thread(load: Load) -> io::Result<Vec<Duration>> {
    Ok(Builder::new_current_thread().enable_io().build()?.block_on(sleepers(load, relaybench_clock::sleep_until)))
}

fn on_tokio(load: Load) -> io::Result<Vec<Duration>> {
    #[expect(clippy::disallowed_methods, reason = "this is what the project's clock is compared with")]
    let sleep_until = tokio::time::sleep_until;
    Ok(Builder::new_current_thread().enable_all().build()?.block_on(sleepers(load, sleep_until)))
}

async fn sleepers<S: Future<Output = ()> + Send + 'static>(load: Load, sleep_until: fn(Instant) -> S) -> Vec<Duration> {
    let end = now() + load.lasts;
    let tasks = (0..load.sleepers).map(|number| {
        tokio::spawn(async move {
            let mut late = Vec::new();
            for delay in delays(load, number) {
                let due = now() + delay;
                sleep_until(due).await;
                late.push(due.elapsed());
                if now() > end {
                    break;
                }
            }
            late
        })
    });
    let mut late = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        late.extend(task.await.expect("it does not panic"));
    }
    late
}

/// Between a third and five thirds of the mean, in an order of each sleeper's own.
fn delays(load: Load, sleeper: u64) -> impl Iterator<Item = Duration> {
    (0_u64..).map(move |turn| {
        let draw = ((sleeper * 7_919 + turn * 104_729) as f64 * 0.618_033_988_749_894_9).fract();
        load.mean.mul_f64(1.0 / 3.0 + draw * 4.0 / 3.0)
    })
}

/// One after the other, as often as all sleepers together.
#[cfg(target_os = "linux")]
fn bare_timerfd(load: Load) -> io::Result<Vec<Duration>> {
    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};

    let timerfd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let (end, mut late) = (now() + load.lasts, Vec::new());
    for delay in delays(load, 0) {
        let wait = delay / u32::try_from(load.sleepers).unwrap_or(u32::MAX);
        let due = now() + wait;
        let once = Itimerspec { it_interval: Timespec::default(), it_value: Timespec::try_from(wait).map_err(io::Error::other)? };
        timerfd_settime(&timerfd, TimerfdTimerFlags::empty(), &once)?;
        rustix::io::read(&timerfd, &mut [0; 8])?;
        late.push(due.elapsed());
        if now() > end {
            break;
        }
    }
    Ok(late)
}

#[cfg(not(target_os = "linux"))]
fn bare_timerfd(_: Load) -> io::Result<Vec<Duration>> {
    Ok(Vec::new())
}

/// What all threads of this process have had of the processors, where that is known.
fn cpu() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
    }
    #[cfg(not(target_os = "linux"))]
    None
}
