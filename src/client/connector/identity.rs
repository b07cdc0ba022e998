//! Which connection it is, whether it was used before, and whether it may be used again.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper_util::client::legacy::connect::CaptureConnection;

use crate::client::attempt;

/// A connection, by its number. Clones are of the same one.
#[derive(Clone, Debug)]
pub(crate) struct Identity(Arc<Usage>);

#[derive(Debug)]
struct Usage {
    id: u64,
    is_http2: bool,
    used: AtomicBool,
    standing: Mutex<Standing>,
}

/// Whether hyper-util's pool may give it further requests. Its handle holds this identity in turn, and must not be kept for ever.
#[derive(Debug)]
enum Standing {
    Good,
    /// The pool can be told.
    Reachable(CaptureConnection),
    Retired,
    Gone,
}

impl Identity {
    pub(crate) fn new(id: u64, is_http2: bool) -> Self {
        Self(Arc::new(Usage { id, is_http2, used: AtomicBool::new(false), standing: Mutex::new(Standing::Good) }))
    }

    /// Its number, in the order of opening.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Notes one more use.
    pub(crate) fn take(&self) -> attempt::Connection {
        let Usage { id, is_http2, ref used, .. } = *self.0;
        attempt::Connection { id, reused: used.swap(true, Ordering::Relaxed), is_http2 }
    }

    /// Nothing was sent on it yet.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.0.used.load(Ordering::Relaxed)
    }

    /// It is given no further request, from now on or as soon as the pool can be told.
    pub(crate) fn retire(&self) {
        if let Standing::Reachable(handle) = mem::replace(&mut *self.standing(), Standing::Retired) {
            poison(&handle);
        }
    }

    /// It is closed.
    pub(crate) fn is_gone(&self) {
        let was = mem::replace(&mut *self.standing(), Standing::Gone);
        // The last of its handle may be the last of this identity, so that the lock must be free by then.
        drop(was);
    }

    /// How the pool is told, from a request that it carries.
    pub(crate) fn is_reached_by(&self, handle: CaptureConnection) {
        let mut standing = self.standing();
        match *standing {
            Standing::Good => *standing = Standing::Reachable(handle),
            Standing::Retired => poison(&handle),
            Standing::Reachable(_) | Standing::Gone => {}
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Nothing panics while it is held.
        self.0.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn poison(handle: &CaptureConnection) {
    if let Some(connected) = handle.connection_metadata().as_ref() {
        connected.poison();
    }
}
