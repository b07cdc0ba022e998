//! What the next attempts get, whatever the profile says.

use std::collections::VecDeque;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::profile::Outcome;

/// Outcomes in the order in which attempts get them.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Whether there are any: all that an attempt looks at as long as there are none.
    any: AtomicBool,
    /// Each with how many attempts get it, at least one.
    queue: Mutex<VecDeque<(u64, Outcome)>>,
}

impl Orders {
    pub(super) fn add(&self, count: u64, outcome: Outcome) {
        if count > 0 {
            let mut queue = self.queue();
            queue.push_back((count, outcome));
            self.any.store(true, Release);
        }
    }

    pub(super) fn next(&self) -> Option<Outcome> {
        if !self.any.load(Acquire) {
            return None;
        }
        let mut queue = self.queue();
        let (count, outcome) = queue.front_mut()?;
        let next = *outcome;
        *count -= 1;
        if *count == 0 {
            queue.pop_front();
            self.any.store(!queue.is_empty(), Release);
        }
        Some(next)
    }

    pub(super) fn left(&self) -> u64 {
        self.queue().iter().fold(0, |sum, (count, _)| sum.saturating_add(*count))
    }

    pub(super) fn shown(&self) -> Vec<(u64, Outcome)> {
        self.queue().iter().copied().collect()
    }

    pub(super) fn clear(&self) {
        let mut queue = self.queue();
        queue.clear();
        self.any.store(false, Release);
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<(u64, Outcome)>> {
        // Nothing panics while it is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
