//! A profile in force: the relay that plays it, and the task that lets happen what happens by itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use relaybench_clock::Instant;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::Common;
use crate::profile::Profile;
use crate::relay::limits::Limiter;
use crate::relay::{Arrival, Demand, Grant, Progress, Refusal, Relay, Tally, Ticket};

/// A profile from its start until the last attempt that arrived under it has left, whatever profile came after it.
///
/// Instants are those of the profile: the time since its own start.
#[derive(Debug)]
pub(crate) struct Term {
    pub(crate) profile: Arc<Profile>,
    pub(crate) common: Arc<Common>,
    pub(crate) tally: Tally,
    start: Instant,
    /// How long after the server's start that is.
    since_server_start: Duration,
    floor: Mutex<Floor>,
    /// None where nothing is limited.
    limiter: Option<Mutex<Limiter>>,
    /// Something is to happen sooner than the driver thinks.
    sooner: Notify,
}

#[derive(Debug)]
struct Floor {
    relay: Relay,
    /// Who is to be woken, by seat.
    wakers: Vec<Option<Waker>>,
    /// What the driver sleeps until; none while there is no driver.
    driven_until: Option<Duration>,
}

impl Term {
    pub(super) fn start(profile: Profile, common: Arc<Common>) -> Arc<Self> {
        let floor = Floor { relay: Relay::new(&profile), wakers: Vec::new(), driven_until: None };
        let start = relaybench_clock::now();
        Arc::new(Self {
            tally: Tally::new(&profile),
            limiter: Limiter::new(&profile).map(Mutex::new),
            profile: Arc::new(profile),
            start,
            since_server_start: start - common.start,
            common,
            floor: Mutex::new(floor),
            sooner: Notify::new(),
        })
    }

    /// The time since the profile's start.
    pub(crate) fn elapsed(&self) -> Duration {
        relaybench_clock::now() - self.start
    }

    /// The instant at a time since the profile's start.
    pub(crate) fn instant(&self, elapsed: Duration) -> Instant {
        self.start + elapsed
    }

    /// The same time, since the start of the server.
    pub(crate) fn since_server_start(&self, elapsed: Duration) -> Duration {
        self.since_server_start + elapsed
    }

    pub(crate) fn arrive(self: &Arc<Self>, demand: Demand, arrived: Duration) -> Result<Arrival, Refusal> {
        let mut floor = self.lock();
        // Where nobody waits for anybody, it does not matter how late it is meanwhile.
        let now = if floor.relay.is_unlimited() { arrived } else { self.elapsed() };
        let arrival = floor.relay.arrive(demand, arrived, now);
        self.settle(floor);
        arrival
    }

    pub(crate) fn leave(self: &Arc<Self>, ticket: Ticket) {
        // Without a seat nobody moves up, and the time does not matter.
        let now = if ticket.seat().is_some() { self.elapsed() } else { Duration::ZERO };
        let mut floor = self.lock();
        if let Some(waker) = ticket.seat().and_then(|seat| floor.wakers.get_mut(seat)) {
            *waker = None;
        }
        floor.relay.leave(ticket, now);
        self.settle(floor);
    }

    /// Ready when it is the holder's turn.
    pub(crate) fn poll_grant(self: &Arc<Self>, ticket: &Ticket, cx: &mut Context<'_>) -> Poll<Grant> {
        match self.look(ticket, 0, cx) {
            Some(Progress { grant: Some(grant), .. }) => Poll::Ready(grant),
            _ => Poll::Pending,
        }
    }

    /// Ready when so many tokens came, by steps.
    pub(crate) fn poll_tokens(self: &Arc<Self>, ticket: &Ticket, tokens: u32, cx: &mut Context<'_>) -> Poll<Progress> {
        match self.look(ticket, tokens, cx) {
            Some(progress) if progress.tokens >= tokens => Poll::Ready(progress),
            _ => Poll::Pending,
        }
    }

    fn look(self: &Arc<Self>, ticket: &Ticket, tokens: u32, cx: &mut Context<'_>) -> Option<Progress> {
        let mut floor = self.lock();
        let progress = floor.look(ticket, tokens, cx);
        // Whoever waits sees to it that somebody drives, should the driver's runtime have ended.
        self.settle(floor);
        progress
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.lock().relay.in_flight()
    }

    pub(super) fn waiting(&self) -> u32 {
        self.lock().relay.waiting()
    }

    /// Whether anything is limited.
    pub(crate) fn has_limits(&self) -> bool {
        self.limiter.is_some()
    }

    /// Asks the limits, or tells them something; none where nothing is limited. Each call is a turn at a lock that all share.
    pub(crate) fn limited<T>(&self, ask: impl FnOnce(&mut Limiter, Duration) -> T) -> Option<T> {
        // A panic elsewhere happens before or after the limiter changes, never in between.
        let mut limiter = self.limiter.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(ask(&mut limiter, self.elapsed()))
    }

    /// Wakes whoever moved, and sees to it that what comes next is not missed.
    fn settle(self: &Arc<Self>, mut floor: MutexGuard<'_, Floor>) {
        let moved = floor.take_moved();
        let next = floor.relay.next_event();
        let is_undriven = next.is_some() && floor.driven_until.is_none();
        let is_sooner = next.zip(floor.driven_until).is_some_and(|(next, until)| next < until);
        if is_undriven || is_sooner {
            floor.driven_until = next;
        }
        drop(floor);
        moved.into_iter().for_each(Waker::wake);
        if is_sooner {
            self.sooner.notify_one();
        }
        if is_undriven {
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(Driver { term: Arc::clone(self), is_done: false }.drive())),
                // The last attempts are dropped after their runtime ended: nobody is left to be driven.
                Err(_) => self.lock().driven_until = None,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Floor> {
        // A panic elsewhere happens before or after the relay changes, never in between.
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Floor {
    fn look(&mut self, ticket: &Ticket, tokens: u32, cx: &mut Context<'_>) -> Option<Progress> {
        let progress = self.relay.look(ticket, tokens)?;
        if progress.grant.is_none() || progress.tokens < tokens {
            let seat = ticket.seat()?;
            if self.wakers.len() <= seat {
                self.wakers.resize(seat + 1, None);
            }
            match &mut self.wakers[seat] {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        Some(progress)
    }

    fn take_moved(&mut self) -> Vec<Waker> {
        let Self { relay, wakers, .. } = self;
        relay.moved().filter_map(|seat| wakers.get_mut(seat).and_then(Option::take)).collect()
    }
}

/// Sleeps from event to event, as long as there is a next one.
struct Driver {
    term: Arc<Term>,
    /// It ended because nothing is to happen, and whoever comes next has started another one.
    is_done: bool,
}

impl Driver {
    async fn drive(mut self) {
        while let Some(next) = self.advance() {
            let (term, next) = (&self.term, self.term.instant(next));
            if next <= relaybench_clock::now() {
                // It cannot keep up; those it has woken must have their turn all the same.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                biased;
                () = term.sooner.notified() => {}
                () = relaybench_clock::sleep_until(next) => {}
            }
        }
        self.is_done = true;
    }

    /// Lets happen what is due, and tells the next event.
    fn advance(&self) -> Option<Duration> {
        let mut floor = self.term.lock();
        floor.relay.advance(self.term.elapsed());
        let moved = floor.take_moved();
        floor.driven_until = floor.relay.next_event();
        let next = floor.driven_until;
        drop(floor);
        moved.into_iter().for_each(Waker::wake);
        next
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // Its runtime ends. Those who wait on another one look again, and start another driver there.
        let mut floor = self.term.lock();
        floor.driven_until = None;
        let waiting: Vec<Waker> = floor.wakers.iter_mut().filter_map(Option::take).collect();
        drop(floor);
        waiting.into_iter().for_each(Waker::wake);
    }
}
