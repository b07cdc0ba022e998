//! A cap that is waited for in the order of arrival.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// How many of something may be alive at once. Clones share the cap.
#[derive(Clone, Debug)]
pub(crate) struct Cap(Option<Arc<Semaphore>>);

/// One of them. Dropping it makes room for the first that waits.
#[derive(Debug)]
pub(crate) struct Permit {
    _held: Option<OwnedSemaphorePermit>,
}

impl Cap {
    /// `None` caps nothing.
    pub(crate) fn new(most: Option<usize>) -> Self {
        Self(most.map(|most| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)))))
    }

    /// A permit, if one is free and none waits for it.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        match &self.0 {
            None => Some(Permit { _held: None }),
            Some(semaphore) => Arc::clone(semaphore).try_acquire_owned().ok().map(|permit| Permit { _held: Some(permit) }),
        }
    }

    /// A permit, as soon as one is free.
    pub(crate) async fn acquire(&self) -> Permit {
        let Some(semaphore) = &self.0 else { return Permit { _held: None } };
        // Nobody closes this semaphore, so the error does not occur; it would lift the cap and not stop the client.
        let permit: Result<_, AcquireError> = Arc::clone(semaphore).acquire_owned().await;
        Permit { _held: permit.ok() }
    }
}
