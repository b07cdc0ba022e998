//! Sleeping and timing out, on whichever clock the thread runs.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::queue::Key;
use crate::{real, virtual_time};

/// Waits until `deadline`; ready at once when it has passed.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { deadline, registration: None }
}

/// Waits for `duration`, counted from this call.
pub fn sleep(duration: Duration) -> Sleep {
    // A century stands for "never" where the sum cannot be represented.
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let now = crate::now();
    sleep_until(now.checked_add(duration).unwrap_or_else(|| now + CENTURY))
}

/// A sleep, made by [`sleep`] or [`sleep_until`]. It never ends before its deadline, and dropping it forgets it.
#[derive(Debug)]
#[must_use = "a sleep does nothing unless awaited"]
pub struct Sleep {
    deadline: Instant,
    registration: Option<Registration>,
}

#[derive(Debug)]
enum Registration {
    Real(real::Registration),
    Virtual(Key),
}

impl Registration {
    fn new(deadline: Instant, waker: &Waker) -> Self {
        match virtual_time::insert(deadline, waker) {
            Some(key) => Self::Virtual(key),
            None => Self::Real(real::Registration::new(deadline, waker.clone())),
        }
    }

    fn refresh(&self, waker: &Waker) -> bool {
        match self {
            Self::Real(registration) => registration.refresh(waker),
            Self::Virtual(key) => virtual_time::refresh(*key, waker),
        }
    }

    fn remove(self) {
        match self {
            Self::Real(registration) => registration.remove(),
            Self::Virtual(key) => virtual_time::remove(key),
        }
    }
}

impl Sleep {
    /// The instant this sleep waits for.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Waits for another instant instead, keeping the place in its task.
    pub fn reset(&mut self, deadline: Instant) {
        self.forget();
        self.deadline = deadline;
    }

    fn forget(&mut self) {
        if let Some(registration) = self.registration.take() {
            registration.remove();
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if crate::now() >= self.deadline {
            self.forget();
            return Poll::Ready(());
        }
        if !self.registration.as_ref().is_some_and(|registration| registration.refresh(cx.waker())) {
            // Not registered yet, or with a runtime that no longer runs.
            self.registration = Some(Registration::new(self.deadline, cx.waker()));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}

impl hyper::rt::Sleep for Sleep {}

/// Runs `future` until `deadline`. A future that is ready when the deadline comes wins.
///
/// # Errors
///
/// [`Elapsed`] when the deadline came first; the future is then dropped.
pub async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut sleep = sleep_until(deadline);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed)),
    })
    .await
}

/// The deadline of [`timeout_at`] came before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline has passed")
    }
}

impl std::error::Error for Elapsed {}
