//! Places for the retries in flight, of which there are as many as a share of the requests in flight, and who waits for one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Budgets;

/// How many retries are in flight, and who waits. How many may be, the budgets say at each moment.
#[derive(Debug, Default)]
pub(super) struct Places {
    queue: Mutex<Queue>,
    /// As long as the queue. Looked at by every request, without the lock.
    waiting: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    /// Retries that were decided on and have not ended, of those that nobody invited.
    booked: u64,
    taken: u64,
    /// Places given back since the beginning.
    freed: u64,
    waiting: VecDeque<oneshot::Sender<Place>>,
}

/// A place. Dropping it makes room for the first that waits.
#[derive(Debug)]
pub(super) struct Place(Arc<Budgets>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(load) = &self.0.load {
            {
                let mut queue = load.places.queue();
                queue.taken -= 1;
                queue.freed += 1;
            }
            load.places.admit(&self.0);
        }
    }
}

impl Places {
    /// Counts a retry that was decided on, unless there are as many already as may be in flight.
    pub(super) fn book(&self, most: u64) -> bool {
        let mut queue = self.queue();
        let is_free = queue.booked < most;
        queue.booked += u64::from(is_free);
        is_free
    }

    pub(super) fn unbook(&self) {
        self.queue().booked -= 1;
    }

    /// A place, as soon as there is one, after all who came before.
    pub(super) async fn enter(&self, budgets: &Arc<Budgets>) -> Place {
        let (sender, receiver) = oneshot::channel();
        self.push(sender);
        self.admit(budgets);
        // A sender is dropped only after its receiver; were it not so, a retry too many would be better than one that never ends.
        receiver.await.unwrap_or_else(|_| self.take(budgets))
    }

    fn push(&self, sender: oneshot::Sender<Place>) {
        let mut queue = self.queue();
        // Those who went away would stay as long as nobody is let in, which those who hang can make long.
        queue.waiting.retain(|sender| !sender.is_closed());
        queue.waiting.push_back(sender);
        self.waiting.store(queue.waiting.len() as u64, SeqCst);
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    /// Lets in those who wait, as far as there is room.
    pub(super) fn admit(&self, budgets: &Arc<Budgets>) {
        while let Some(first) = self.next(budgets) {
            // Who has just gone away gives it back by dropping it.
            let _ = first.send(Place(Arc::clone(budgets)));
        }
    }

    /// The first that waits, with a place counted for it.
    fn next(&self, budgets: &Budgets) -> Option<oneshot::Sender<Place>> {
        let terms = &budgets.load.as_ref()?.terms;
        let mut queue = self.queue();
        while queue.taken < budgets.most(terms) {
            let first = queue.waiting.pop_front()?;
            self.waiting.fetch_sub(1, SeqCst);
            if !first.is_closed() {
                queue.taken += 1;
                return Some(first);
            }
        }
        None
    }

    fn take(&self, budgets: &Arc<Budgets>) -> Place {
        self.queue().taken += 1;
        Place(Arc::clone(budgets))
    }

    pub(super) fn freed(&self) -> u64 {
        self.queue().freed
    }

    /// How many are in flight, and how many wait.
    pub(super) fn counts(&self) -> (u64, u64) {
        let queue = self.queue();
        (queue.taken, queue.waiting.iter().filter(|sender| !sender.is_closed()).count() as u64)
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.queue().waiting.len()
    }

    #[cfg(test)]
    pub(super) fn booked(&self) -> u64 {
        self.queue().booked
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whoever panicked had changed one number, or none.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
