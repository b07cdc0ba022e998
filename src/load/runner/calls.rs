//! The requests in flight, and what the loop waits for.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use relaybench_clock::{Instant, Sleep, now, sleep_until};
use tokio::task::yield_now;

use super::upcoming::Due;
use super::{Answer, INTERRUPTED, Outcome, Sample, Schedule, Stop, Unsent};
use crate::load::schedule::Arrival;

/// The requests of a stage that are in flight.
pub(super) struct Calls<'a> {
    stage: u32,
    schedule: &'a Schedule,
    start: Instant,
    in_flight: FuturesUnordered<Call>,
    alarm: Option<Sleep>,
    /// Sends since the loop waited for anything.
    sent_in_a_row: u32,
    no_longer_sending: BoxFuture<'a, ()>,
    no_longer_waiting: BoxFuture<'a, ()>,
}

/// What the loop is woken by.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and nearly all are of the largest kind")]
pub(super) enum Event {
    /// Something may be sent now, or nothing more.
    Due,
    /// A request has ended.
    Ended(Arrival, Answer),
    /// Nothing is in flight, and nothing was waited for.
    NothingLeft,
    /// What is in flight is not to be waited for.
    GivenUp,
}

impl<'a> Calls<'a> {
    pub(super) fn new(stage: u32, schedule: &'a Schedule, start: Instant, stop: &'a Stop) -> Self {
        Self {
            stage,
            schedule,
            start,
            in_flight: FuturesUnordered::new(),
            alarm: None,
            sent_in_a_row: 0,
            no_longer_sending: Box::pin(stop.no_longer_sending()),
            no_longer_waiting: Box::pin(stop.no_longer_waiting()),
        }
    }

    pub(super) fn start(&self) -> Instant {
        self.start
    }

    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// Sends a request, and gives the end of another if there is one: a loop that is behind its schedule takes in as many answers as it
    /// sends requests, and what is still to be sent waits in the schedule and not in memory.
    pub(super) async fn send(&mut self, due: Due) -> Event {
        /// The connections have their turns on this thread too.
        const BURST: u32 = 16;
        self.sent_in_a_row += 1;
        if self.sent_in_a_row.is_multiple_of(BURST) {
            yield_now().await;
        }
        let Due { arrival, held, call } = due;
        self.in_flight.push(Call { arrival, held, sent: now(), answer: call });
        // It is sent when it is polled.
        poll_fn(|cx| {
            Poll::Ready(match self.in_flight.poll_next_unpin(cx) {
                Poll::Ready(Some((arrival, answer))) => Event::Ended(arrival, answer),
                Poll::Ready(None) | Poll::Pending => Event::Due,
            })
        })
        .await
    }

    /// Waits for whatever comes first; `wake` counts from the start.
    pub(super) async fn next_event(&mut self, wake: Option<Duration>, is_sending: bool) -> Event {
        self.sent_in_a_row = 0;
        self.set_alarm(wake.and_then(|wake| self.start.checked_add(wake)));
        poll_fn(|cx| self.poll_event(cx, is_sending)).await
    }

    fn set_alarm(&mut self, at: Option<Instant>) {
        match (&mut self.alarm, at) {
            (Some(alarm), Some(at)) if alarm.deadline() != at => alarm.reset(at),
            (Some(_), Some(_)) => {}
            (_, at) => self.alarm = at.map(sleep_until),
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>, is_sending: bool) -> Poll<Event> {
        // First, since an answer that waits loses nothing: its end was noted when it came.
        if let Some(alarm) = &mut self.alarm
            && Pin::new(alarm).poll(cx).is_ready()
        {
            self.alarm = None;
            return Poll::Ready(Event::Due);
        }
        match self.in_flight.poll_next_unpin(cx) {
            Poll::Ready(Some((arrival, answer))) => return Poll::Ready(Event::Ended(arrival, answer)),
            Poll::Ready(None) if self.alarm.is_none() => return Poll::Ready(Event::NothingLeft),
            Poll::Ready(None) | Poll::Pending => {}
        }
        if is_sending && self.no_longer_sending.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Event::Due);
        }
        self.no_longer_waiting.as_mut().poll(cx).map(|()| Event::GivenUp)
    }

    /// Gives up what is in flight.
    pub(super) fn give_up(&mut self) -> Vec<Sample> {
        let interrupted = self.in_flight.iter().map(|call| self.interrupted(call)).collect();
        self.in_flight.clear();
        interrupted
    }

    /// What became of a request.
    pub(super) fn sample(&self, arrival: Arrival, answer: Answer, attempts: usize) -> Sample {
        let since_start = |instant: Instant| instant.saturating_duration_since(self.start);
        let sent = since_start(answer.sent);
        Sample {
            outcome: answer.outcome,
            window: Some(self.schedule.window(arrival, sent)),
            intended: arrival.intended(),
            held: answer.held,
            sent: Some(sent),
            ended: Some(since_start(answer.ended)),
            service: answer.service,
            first_content: answer.first_content.map(since_start),
            gaps_ns: answer.gaps_ns,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            prompt_tokens: answer.usage.map(|usage| usage.prompt_tokens),
            completion_tokens: answer.usage.map(|usage| usage.completion_tokens),
            traced_completion_tokens: answer.traced_tokens,
            model: answer.model,
            ..self.unsent(arrival.index, Unsent::Interrupted)
        }
    }

    fn interrupted(&self, call: &Call) -> Sample {
        let sent = call.sent.saturating_duration_since(self.start);
        Sample {
            outcome: Outcome::Failed { error: INTERRUPTED.to_owned() },
            window: Some(self.schedule.window(call.arrival, sent)),
            intended: call.arrival.intended(),
            held: call.held,
            sent: Some(sent),
            ended: Some(self.start.elapsed()),
            attempts: 1,
            ..self.unsent(call.arrival.index, Unsent::Interrupted)
        }
    }

    /// A scheduled request that was not sent.
    pub(super) fn unsent(&self, index: u64, reason: Unsent) -> Sample {
        Sample { session: self.schedule.place(index), ..Sample::unsent(self.stage, index, reason) }
    }
}

/// A request in flight. It knows enough of itself to become a sample when nobody waits for its end.
struct Call {
    arrival: Arrival,
    held: Duration,
    sent: Instant,
    answer: BoxFuture<'static, Answer>,
}

impl Future for Call {
    type Output = (Arrival, Answer);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (arrival, held) = (self.arrival, self.held);
        self.answer.as_mut().poll(cx).map(|answer| (arrival, Answer { held, ..answer }))
    }
}
