//! Where there is no timerfd, no runtime has a timer of its own.

use std::io;
use std::task::Waker;

use tokio::time::Instant;

use crate::queue::Key;

#[derive(Clone, Debug)]
pub(crate) enum Timer {}

impl Timer {
    pub(crate) fn start(_: &tokio::runtime::Runtime) -> io::Result<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn current() -> Option<Self> {
        None
    }

    pub(crate) fn run<R>(&self, _: impl FnOnce() -> R) -> R {
        match *self {}
    }

    pub(crate) fn insert(&self, _: Instant, _: Waker) -> Result<Key, Waker> {
        match *self {}
    }

    pub(crate) fn refresh(&self, _: Key, _: &Waker) -> bool {
        match *self {}
    }

    pub(crate) fn remove(&self, _: Key) {
        match *self {}
    }
}
