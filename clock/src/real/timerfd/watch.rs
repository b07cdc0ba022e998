//! The runtime's task that waits for a timerfd and wakes what is due.
//!
//! To set a timer that is due soon takes some ten microseconds of a core, most of it the machine's, and to be woken by it longer. So no
//! alarm is set for what is due within that time, and the others are set early by what waking takes: until the deadline the task
//! looks at the clock, between the runtime's other tasks. That costs time which the core would have spent idle, and nothing while
//! no sleep is due.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::Timer;
use super::lead::Lead;

/// What is due within this time, or within what waking takes, is waited for awake: to set the timer would take as long.
const TOO_SHORT_TO_SLEEP: Duration = Duration::from_micros(10);

/// How many sleeps are woken before the runtime's other tasks have their turn.
///
/// Requests that were answered together come back together. If all that is due were woken at once, the new requests would wait for
/// all the answers, arrive as one, and be due as one: lateness would feed itself. With this, and the runtime's small batches, a
/// hundred requests in flight with one fixed delay were answered 0.03 ms late in the middle, and 0.3 ms without.
const WAKES_AT_ONCE: usize = 4;

/// The runtime's task.
pub(super) struct Watch {
    timer: Timer,
    fd: AsyncFd<OwnedFd>,
    alarm: Option<Alarm>,
    lead: Lead,
}

/// What the timerfd is set for.
#[derive(Clone, Copy)]
struct Alarm {
    deadline: Instant,
    /// When it fires: early by the lead.
    at: Instant,
}

impl Watch {
    pub(super) fn new(timer: Timer) -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        #[expect(deprecated, reason = "its successor is unsafe, for types whose descriptor may change; this one's cannot")]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
        Ok(Self { timer, fd, alarm: None, lead: Lead::default() })
    }

    /// Takes note when the timerfd has fired. Ready when the runtime ends.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(Alarm { at, .. }) = self.alarm {
            let Ok(mut guard) = ready!(self.fd.poll_read_ready(cx)) else { return Poll::Ready(()) };
            // It need not be read: setting it again forgets that it fired.
            guard.clear_ready();
            let now = Instant::now();
            if now >= at {
                self.lead.learn(now - at);
                self.alarm = None;
            }
        }
        Poll::Pending
    }

    /// Wakes what is due, and tells when to look again: now if that is so soon that it does not pay to set an alarm.
    fn look(&self, now: Instant, task: &Waker) -> Option<Instant> {
        let has_woken = self.timer.wake_due(now, WAKES_AT_ONCE);
        let too_soon_to_sleep = now + self.lead.get() + TOO_SHORT_TO_SLEEP;
        self.timer.plan_look(task, |next| match next {
            // What was woken runs first: by then more may be due.
            _ if has_woken => Some(now),
            Some(deadline) if deadline <= too_soon_to_sleep => Some(now),
            later => later,
        })
    }

    fn set_alarm(&mut self, deadline: Instant, now: Instant) {
        let at = deadline - self.lead.get();
        let wait = Timespec::try_from(at - now).expect("no instant is further than 63 bits of seconds");
        let once = Itimerspec { it_interval: Timespec::default(), it_value: wait };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once).expect("a timerfd takes any duration");
        self.alarm = Some(Alarm { deadline, at });
    }
}

impl Future for Watch {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            if this.poll_alarm(cx).is_ready() {
                return Poll::Ready(());
            }
            let now = Instant::now();
            match this.look(now, cx.waker()) {
                Some(instant) if instant == now => cx.waker().wake_by_ref(),
                Some(deadline) if this.alarm.is_none_or(|alarm| alarm.deadline != deadline) => {
                    this.set_alarm(deadline, now);
                    // Around again, to be told when it fires.
                    continue;
                }
                Some(_) | None => {}
            }
            return Poll::Pending;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.timer.close();
    }
}
