//! Which sleep is due next: a machine without a clock, driven by the real and by the virtual side alike.

use std::collections::BTreeMap;
use std::task::Waker;

use tokio::time::Instant;

/// Names one registered sleep. Sleeps due at the same instant wake in the order they were registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    deadline: Instant,
    sequence: u64,
}

/// Sleeps by deadline. A tree and not a heap: most timeouts are dropped long before they are due, and must leave at once.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<Key, Waker>,
    next_sequence: u64,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self { waiting: BTreeMap::new(), next_sequence: 0 }
    }

    pub(crate) fn insert(&mut self, deadline: Instant, waker: Waker) -> Key {
        let key = Key { deadline, sequence: self.next_sequence };
        self.next_sequence += 1;
        self.waiting.insert(key, waker);
        key
    }

    /// Replaces the waker of a sleep that was polled again by another task. False when it already fired.
    pub(crate) fn refresh(&mut self, key: Key, waker: &Waker) -> bool {
        match self.waiting.get_mut(&key) {
            Some(known) => {
                known.clone_from(waker);
                true
            }
            None => false,
        }
    }

    pub(crate) fn remove(&mut self, key: Key) {
        self.waiting.remove(&key);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|(key, _)| key.deadline)
    }

    /// The next sleep whose deadline is not after `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Waker> {
        let first = self.waiting.first_entry()?;
        (first.key().deadline <= now).then(|| first.remove())
    }
}
