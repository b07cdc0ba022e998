//! Which sleep is due next: a machine without a clock, driven by the real and by the virtual side alike.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;
use std::task::Waker;

use tokio::time::Instant;

/// Names one registered sleep. Sleeps due at the same instant wake in the order they were registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    deadline: Instant,
    sequence: u64,
    slot: usize,
}

/// Sleeps by deadline.
///
/// Most sleeps are timeouts that are dropped long before they are due. They leave their slot at once and their place in the heap
/// later: when they come to its top, or when they are more than half of it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Key>>,
    slots: Vec<Slot>,
    free: Vec<usize>,
    next_sequence: u64,
}

#[derive(Debug)]
struct Slot {
    /// Of the sleep that has the slot, or had it last.
    sequence: u64,
    /// None while the slot is free.
    waker: Option<Waker>,
}

/// A waker that nobody needs any more, if there is one.
#[derive(Debug)]
#[must_use = "it is to be dropped outside of any lock"]
pub(crate) struct Replaced(#[expect(dead_code, reason = "it only has to be dropped")] Option<Waker>);

/// A heap this small is not worth cleaning.
const SMALL: usize = 64;

impl Queue {
    pub(crate) fn insert(&mut self, deadline: Instant, waker: Waker) -> Key {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let taken = Slot { sequence, waker: Some(waker) };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = taken;
                slot
            }
            None => {
                self.slots.push(taken);
                self.slots.len() - 1
            }
        };
        let key = Key { deadline, sequence, slot };
        self.heap.push(Reverse(key));
        key
    }

    /// Replaces the waker of a sleep that was polled again by another task. None when it already fired.
    ///
    /// The waker that is no longer needed is the caller's to drop, outside of any lock: with it may go a task, and other sleeps.
    pub(crate) fn refresh(&mut self, key: Key, waker: &Waker) -> Option<Replaced> {
        let slot = self.slots.get_mut(key.slot).filter(|slot| slot.sequence == key.sequence)?;
        let known = slot.waker.as_mut()?;
        Some(Replaced((!known.will_wake(waker)).then(|| mem::replace(known, waker.clone()))))
    }

    /// Forgets a sleep. Its waker is the caller's to drop, as that of [`refresh`](Self::refresh).
    pub(crate) fn remove(&mut self, key: Key) -> Replaced {
        let waker = self.take(key);
        let waiting = self.slots.len() - self.free.len();
        if self.heap.len() > SMALL + 2 * waiting {
            self.heap.retain(|Reverse(key)| is_waiting(&self.slots, *key));
        }
        Replaced(waker)
    }

    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        while let Some(Reverse(key)) = self.heap.peek() {
            if is_waiting(&self.slots, *key) {
                return Some(key.deadline);
            }
            self.heap.pop();
        }
        None
    }

    /// The next sleep whose deadline is not after `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Waker> {
        if self.next_deadline()? > now {
            return None;
        }
        let Reverse(key) = self.heap.pop()?;
        self.take(key)
    }

    /// Frees the slot of a sleep that waits.
    fn take(&mut self, key: Key) -> Option<Waker> {
        let slot = self.slots.get_mut(key.slot).filter(|slot| slot.sequence == key.sequence)?;
        let waker = slot.waker.take()?;
        self.free.push(key.slot);
        Some(waker)
    }
}

fn is_waiting(slots: &[Slot], key: Key) -> bool {
    slots.get(key.slot).is_some_and(|slot| slot.sequence == key.sequence && slot.waker.is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the obvious model: a sorted map. Deadlines come from few values, so that many are equal.
        #[test]
        fn whatever_is_inserted_and_removed_the_earliest_is_next(steps in prop::collection::vec((0_u64..8, any::<bool>()), 1..400)) {
            let start = Instant::now();
            let (mut queue, mut model, mut keys) = (Queue::default(), BTreeMap::new(), Vec::new());
            for (delay, removes) in steps {
                if removes && !keys.is_empty() {
                    let key: Key = keys.swap_remove(delay as usize % keys.len());
                    drop(queue.remove(key));
                    model.remove(&(key.deadline, key.sequence));
                } else {
                    let key = queue.insert(start + Duration::from_nanos(delay), Waker::noop().clone());
                    model.insert((key.deadline, key.sequence), key);
                    keys.push(key);
                }
                prop_assert_eq!(queue.next_deadline(), model.keys().next().map(|(deadline, _)| *deadline));
                prop_assert!(queue.heap.len() <= SMALL + 2 * model.len() + 1);
            }
            let latest = start + Duration::from_nanos(8);
            let popped = std::iter::from_fn(|| queue.pop_due(latest)).count();
            prop_assert_eq!(popped, model.len());
        }
    }

    #[test]
    fn a_slot_that_has_a_new_sleep_is_safe_from_the_old_key() {
        let mut queue = Queue::default();
        let now = Instant::now();
        let old = queue.insert(now, Waker::noop().clone());
        drop(queue.remove(old));
        let new = queue.insert(now, Waker::noop().clone());
        assert_eq!(old.slot, new.slot);
        drop(queue.remove(old));
        assert!(queue.refresh(old, Waker::noop()).is_none());
        assert!(queue.refresh(new, Waker::noop()).is_some());
        assert_eq!(queue.next_deadline(), Some(now));
    }
}
