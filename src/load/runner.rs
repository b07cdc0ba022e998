//! The one loop: plays any schedule, and turns every scheduled request into a sample.

use std::iter::Peekable;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use relaybench_clock::{Instant, now};

use super::allowance::Allowance;
use super::caller::{Answer, Caller};
use super::sample::{Outcome, Sample, Unsent};
use super::schedule::{Arrival, Release, Schedule};
use super::stop::Stop;

/// How a request fails that was still in flight when the run was told not to wait any longer.
const INTERRUPTED: &str = "interrupted";

/// What only the loop knows of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) scheduled: u64,
    pub(super) end: End,
    pub(super) duration: Duration,
}

/// How a stage came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its schedule was played.
    Played,
    /// It was asked to, and waited for what was in flight.
    Interrupted,
    /// It was asked to, and did not wait.
    GivenUp,
}

/// Plays `schedule` until each of its requests is a sample. `record` gets every sample as soon as it is known, with the numbers of
/// the attempts that left the client.
pub(super) async fn play<E>(
    stage: u32,
    schedule: &Schedule,
    caller: &Caller,
    allowance: &mut Allowance,
    stop: &Stop,
    mut record: impl FnMut(Sample, &[u32]) -> Result<(), E>,
) -> Result<Tally, E> {
    let start = now();
    let mut arrivals = schedule.arrivals().peekable();
    let mut scheduled = 0;
    let mut calls = FuturesUnordered::new();
    let mut no_longer_waiting = pin!(stop.no_longer_waiting());
    let (mut is_open, mut end) = (true, End::Played);
    loop {
        is_open = is_open && schedule.is_open_at(start.elapsed());
        if is_open && stop.is_requested() && arrivals.peek().is_some() {
            (is_open, end) = (false, End::Interrupted);
        }
        while is_open && let Some(arrival) = next_due(&mut arrivals, schedule, calls.len()) {
            scheduled += 1;
            match allowance.reserve() {
                Ok(()) => {
                    calls.push(Call::new(caller, arrival.index));
                }
                Err(reason) => {
                    record(Sample::unsent(stage, arrival.index, reason), &[])?;
                    // Without a number of requests to account for, there is no schedule left after a cap.
                    is_open = schedule.scheduled().is_some();
                }
            }
        }
        match select(calls.next(), no_longer_waiting.as_mut()).await {
            Either::Left((Some((index, answer)), _)) => {
                allowance.settle(answer.cost_usd);
                record(sample(stage, index, schedule, start, &answer), &answer.attempts_sent)?;
            }
            Either::Left((None, _)) => break,
            Either::Right(_) => {
                for call in calls.iter() {
                    record(interrupted(stage, schedule, start, call), &[])?;
                }
                calls.clear();
                end = End::GivenUp;
                break;
            }
        }
    }
    let duration = start.elapsed();
    if schedule.scheduled().is_some() {
        for arrival in arrivals {
            scheduled += 1;
            record(Sample::unsent(stage, arrival.index, Unsent::Interrupted), &[])?;
        }
    }
    Ok(Tally { scheduled, end, duration })
}

/// The next arrival if it may be sent with so many in flight.
fn next_due(arrivals: &mut Peekable<impl Iterator<Item = Arrival>>, schedule: &Schedule, in_flight: usize) -> Option<Arrival> {
    arrivals.next_if(|arrival| match arrival.release {
        Release::SlotFree => in_flight < schedule.in_flight_limit(),
        Release::AllEnded => in_flight == 0,
    })
}

/// A request in flight. It knows enough of itself to become a sample when nobody waits for its end.
struct Call {
    index: u64,
    sent: Instant,
    answer: BoxFuture<'static, Answer>,
}

impl Call {
    fn new(caller: &Caller, index: u64) -> Self {
        Self { index, sent: now(), answer: Box::pin(caller.call(index)) }
    }
}

impl Future for Call {
    type Output = (u64, Answer);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let index = self.index;
        self.answer.as_mut().poll(cx).map(|answer| (index, answer))
    }
}

fn sample(stage: u32, index: u64, schedule: &Schedule, start: Instant, answer: &Answer) -> Sample {
    let since_start = |instant: Instant| instant.saturating_duration_since(start);
    let sent = since_start(answer.sent);
    Sample {
        stage,
        index,
        outcome: answer.outcome.clone(),
        window: Some(schedule.window(index, sent)),
        sent: Some(sent),
        ended: Some(since_start(answer.ended)),
        service: answer.service,
        first_content: answer.first_content.map(since_start),
        gaps_ns: answer.gaps_ns.clone(),
        attempts: u32::try_from(answer.attempts_sent.len()).unwrap_or(u32::MAX),
        prompt_tokens: answer.usage.map(|usage| usage.prompt_tokens),
        completion_tokens: answer.usage.map(|usage| usage.completion_tokens),
    }
}

fn interrupted(stage: u32, schedule: &Schedule, start: Instant, call: &Call) -> Sample {
    let sent = call.sent.saturating_duration_since(start);
    Sample {
        outcome: Outcome::Failed { error: INTERRUPTED.to_owned() },
        window: Some(schedule.window(call.index, sent)),
        sent: Some(sent),
        ended: Some(start.elapsed()),
        attempts: 1,
        ..Sample::unsent(stage, call.index, Unsent::Interrupted)
    }
}
