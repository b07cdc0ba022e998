//! hyper's timeouts and keep-alives on the same clock.

use std::pin::Pin;
use std::time::Duration;

use hyper::rt::Timer;

/// Gives hyper, as client and as server, this crate's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperTimer;

impl Timer for HyperTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(crate::sleep(duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(crate::sleep_until(deadline.into()))
    }

    fn now(&self) -> std::time::Instant {
        crate::now().into_std()
    }
}
