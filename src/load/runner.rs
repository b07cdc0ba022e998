//! The one loop: plays any schedule, and turns every scheduled request into a sample.

mod calls;
mod upcoming;

use std::time::Duration;

use relaybench_clock::now;

use super::allowance::Allowance;
use super::caller::{Answer, Caller};
use super::cpu::{CpuMeter, CpuUse};
use super::ledger::SentAttempt;
use super::sample::{INTERRUPTED, Outcome, Sample, Unsent};
use super::schedule::Schedule;
use super::stop::Stop;
use calls::{Calls, Event};
use upcoming::Upcoming;

/// What only the loop knows of a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tally {
    pub(super) scheduled: u64,
    pub(super) end: End,
    pub(super) duration: Duration,
    /// Within that duration; none where it was not measured.
    pub(super) cpu: Option<CpuUse>,
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
/// the attempts that left the client; those that follow one another and were not sent are one sample.
pub(super) async fn play<E>(
    stage: u32,
    schedule: &Schedule,
    caller: &Caller,
    allowance: &mut Allowance,
    stop: &Stop,
    cpu: Option<CpuMeter>,
    mut record: impl FnMut(Sample, &[SentAttempt]) -> Result<(), E>,
) -> Result<Tally, E> {
    let mut scheduled = 0;
    let mut calls = Calls::new(stage, schedule, now(), stop);
    let mut upcoming = Upcoming::new(schedule, caller);
    let (mut end, mut why_no_more) = (End::Played, None);
    loop {
        let since_start = calls.start().elapsed();
        if why_no_more.is_none() && stop.is_requested() && !upcoming.is_empty() {
            (end, why_no_more) = (End::Interrupted, Some(Unsent::Interrupted));
        }
        let due = if why_no_more.is_none() { upcoming.next_due(since_start, calls.len()) } else { None };
        let event = match due {
            Some(due) => match allowance.reserve() {
                Ok(()) => {
                    scheduled += 1;
                    calls.send(due).await
                }
                Err(reason) => {
                    upcoming.leave_out(due.arrival.index);
                    why_no_more = Some(reason);
                    continue;
                }
            },
            None => {
                if why_no_more.is_none() && !schedule.is_open_at(since_start) {
                    why_no_more = Some(Unsent::StageOver);
                }
                let wake = if why_no_more.is_none() { upcoming.wake_at(calls.len()) } else { None };
                calls.next_event(wake, why_no_more.is_none()).await
            }
        };
        match event {
            Event::Due => {}
            Event::Ended(arrival, mut answer) => {
                allowance.settle(answer.cost_usd);
                let ended = answer.ended.saturating_duration_since(calls.start());
                upcoming.room(ended, calls.len());
                let turns = upcoming.ended(arrival.index, ended, &mut answer);
                let attempts = std::mem::take(&mut answer.attempts_sent);
                record(calls.sample(arrival, answer, attempts.len()), &attempts)?;
                if let Some((turns, reason)) = turns {
                    scheduled += record_unsent(&calls, turns, reason, &mut record)?;
                }
            }
            Event::NothingLeft => break,
            Event::GivenUp => {
                for given_up in calls.give_up() {
                    schedule.next_turn(given_up.index).into_iter().for_each(|turn| upcoming.leave_out(turn.index));
                    record(given_up, &[])?;
                }
                (end, why_no_more) = (End::GivenUp, Some(Unsent::Interrupted));
                break;
            }
        }
    }
    let (duration, cpu) = (calls.start().elapsed(), cpu.and_then(|meter| meter.so_far()));
    scheduled += record_unsent(&calls, upcoming.rest(), why_no_more.unwrap_or(Unsent::StageOver), &mut record)?;
    Ok(Tally { scheduled, end, duration, cpu })
}

/// Records requests that are not sent, and gives their number.
fn record_unsent<E>(
    calls: &Calls<'_>,
    indices: impl Iterator<Item = u64>,
    reason: Unsent,
    record: &mut impl FnMut(Sample, &[SentAttempt]) -> Result<(), E>,
) -> Result<u64, E> {
    let (mut count, mut run) = (0, None::<Sample>);
    for index in indices {
        count += 1;
        match &mut run {
            // Of a conversation each sample tells its turn.
            Some(run) if run.session.is_none() && index == run.index + run.count => run.count += 1,
            _ => run.replace(calls.unsent(index, reason)).map_or(Ok(()), |before| record(before, &[]))?,
        }
    }
    run.map_or(Ok(()), |last| record(last, &[]))?;
    Ok(count)
}
