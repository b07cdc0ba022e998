//! A cap that is waited for in the order of arrival, and what there is to know of a pool.

mod meter;
mod waits;

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

pub use self::meter::PoolStats;
pub(crate) use self::meter::{Meter, Waiting};
pub use self::waits::Waits;

/// How many of something may be alive at once. Clones share the cap.
#[derive(Clone, Debug)]
pub(crate) struct Cap {
    places: Option<Arc<Semaphore>>,
    meter: Option<Arc<Meter>>,
}

/// One of them. Dropping it makes room for the first that waits.
#[derive(Debug)]
pub(crate) struct Permit {
    counted: Option<Arc<Meter>>,
    _held: Option<OwnedSemaphorePermit>,
}

impl Cap {
    /// Caps nothing and counts nothing.
    pub(crate) fn none() -> Self {
        Self { places: None, meter: None }
    }

    /// What lives under the cap is counted. `None` caps nothing.
    pub(crate) fn new(most: Option<usize>, meter: Arc<Meter>) -> Self {
        let places = most.map(|most| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))));
        Self { places, meter: Some(meter) }
    }

    /// A permit, if one is free and none waits for it.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        let held = match &self.places {
            None => None,
            Some(places) => Some(Arc::clone(places).try_acquire_owned().ok()?),
        };
        Some(self.permit(held))
    }

    /// A permit, as soon as one is free.
    pub(crate) async fn acquire(&self) -> Permit {
        let Some(places) = &self.places else { return self.permit(None) };
        // Nobody closes this semaphore, so the error does not occur; it would lift the cap and not stop the client.
        let permit: Result<_, AcquireError> = Arc::clone(places).acquire_owned().await;
        self.permit(permit.ok())
    }

    fn permit(&self, held: Option<OwnedSemaphorePermit>) -> Permit {
        if let Some(meter) = &self.meter {
            meter.born();
        }
        Permit { counted: self.meter.clone(), _held: held }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // Before the place is free, or two would be counted where there is room for one.
        if let Some(meter) = &self.counted {
            meter.died();
        }
    }
}
