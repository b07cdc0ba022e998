//! Which connection of HTTP/2 a request goes to, and who finds out whether there is HTTP/2.
//!
//! Both transports keep one connection of HTTP/2 to a host; several are several of their clients, one a lane. Connections of
//! HTTP/1.1 all live in the first lane, since a place of the pool that an idle connection of another lane holds is of no use there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::fault::Known;
use super::scope::Scope;
use crate::client::error::ErrorKind;
use crate::client::policy::{Pool, Protocol};

/// The lanes of one client. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Lanes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    protocol: Protocol,
    is_tls: bool,
    /// Whether the server takes HTTP/2, once that is known.
    learnt: OnceLock<bool>,
    /// Had by the one that finds out; closed when it is known.
    probe: Arc<Semaphore>,
    lanes: Box<[Lane]>,
}

#[derive(Debug)]
struct Lane {
    in_flight: AtomicUsize,
    gate: Arc<Semaphore>,
}

/// A request's place in its lane, as long as it takes.
#[derive(Debug)]
pub(crate) struct Lease {
    lanes: Lanes,
    lane: usize,
    _probe: Option<OwnedSemaphorePermit>,
}

/// The turn of one that opens a connection which those behind may share.
pub(crate) type GateTurn = OwnedSemaphorePermit;

impl Lanes {
    pub(crate) fn new(pool: &Pool, is_tls: bool) -> Self {
        let protocol = match pool.protocol {
            // Nothing is negotiated without TLS.
            Protocol::Negotiate if !is_tls => Protocol::Http1,
            protocol => protocol,
        };
        let lanes = if protocol == Protocol::Http1 { 1 } else { pool.http2.connections };
        let lane = |_| Lane { in_flight: AtomicUsize::new(0), gate: Arc::new(Semaphore::new(1)) };
        Self(Arc::new(Shared {
            protocol,
            is_tls,
            learnt: OnceLock::new(),
            probe: Arc::new(Semaphore::new(1)),
            lanes: (0..lanes).map(lane).collect(),
        }))
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lanes.len()
    }

    /// The lane of the next request, and its place there; HTTP/1.1 needs none.
    pub(crate) async fn pick(&self, scope: &Scope) -> (usize, Option<Lease>) {
        let probe = match self.0.protocol {
            Protocol::Http1 | Protocol::Http2 => None,
            Protocol::Negotiate => self.turn_to_probe(scope).await,
        };
        match (self.0.protocol, self.0.learnt.get()) {
            (Protocol::Http1, _) | (Protocol::Negotiate, Some(false)) => (0, None),
            (Protocol::Http2, _) | (Protocol::Negotiate, Some(true)) => self.least_loaded(),
            (Protocol::Negotiate, None) => (0, Some(self.lease(0, probe))),
        }
    }

    /// The one that is to find out; `None` once it is known, and for those whose patience is at its end. Should its request end
    /// without, the next one tries.
    async fn turn_to_probe(&self, scope: &Scope) -> Option<OwnedSemaphorePermit> {
        match self.0.learnt.get() {
            Some(_) => None,
            None => turn(&self.0.probe, scope).await,
        }
    }

    fn least_loaded(&self) -> (usize, Option<Lease>) {
        let loads = self.0.lanes.iter().map(|lane| lane.in_flight.load(Ordering::Relaxed));
        // The first of equals, so that little load opens few connections.
        let lane = loads.enumerate().min_by_key(|(_, load)| *load).map_or(0, |(lane, _)| lane);
        (lane, Some(self.lease(lane, None)))
    }

    fn lease(&self, lane: usize, probe: Option<OwnedSemaphorePermit>) -> Lease {
        self.0.lanes[lane].in_flight.fetch_add(1, Ordering::Relaxed);
        Lease { lanes: self.clone(), lane, _probe: probe }
    }

    /// The turn to open a connection in this lane. Where HTTP/2 is negotiated one is opened at a time, since it may serve all who
    /// wait; elsewhere there is nothing to wait for, and neither is for who waited as long as an own connect may take: the one that
    /// is being opened may never be.
    pub(crate) async fn pass_gate(&self, lane: usize, scope: &Scope) -> Option<GateTurn> {
        match self.0.protocol {
            Protocol::Negotiate => turn(&self.0.lanes[lane].gate, scope).await,
            Protocol::Http1 | Protocol::Http2 => None,
        }
    }

    /// Whether a connection that was just opened speaks HTTP/2. `is_negotiated`: the server took it (ALPN).
    pub(crate) fn learn(&self, is_negotiated: bool) -> Result<bool, Known> {
        match self.0.protocol {
            Protocol::Http1 => Ok(false),
            Protocol::Http2 if self.0.is_tls && !is_negotiated => {
                Err(Known::new(ErrorKind::Tls, "the server does not take HTTP/2 (ALPN)"))
            }
            Protocol::Http2 => Ok(true),
            Protocol::Negotiate => {
                let _ = self.0.learnt.set(is_negotiated);
                self.0.probe.close();
                if !is_negotiated {
                    // Nobody can share it: let all open their own.
                    self.0.lanes.iter().for_each(|lane| lane.gate.close());
                }
                Ok(is_negotiated)
            }
        }
    }
}

/// The next turn, had at once or waited for as long as the attempt has patience; `None` if there are no turns any more.
async fn turn(gate: &Arc<Semaphore>, scope: &Scope) -> Option<OwnedSemaphorePermit> {
    match Arc::clone(gate).try_acquire_owned() {
        Ok(turn) => Some(turn),
        Err(TryAcquireError::Closed) => None,
        Err(TryAcquireError::NoPermits) => scope.behind_another(Arc::clone(gate).acquire_owned()).await?.ok(),
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.lanes.0.lanes[self.lane].in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use relaybench_clock::{now, run_virtual};

    use super::*;
    use crate::client::policy::Http2;

    fn lanes(protocol: Protocol) -> Lanes {
        Lanes::new(&Pool { protocol, http2: Http2 { connections: 3, ..Http2::default() }, ..Pool::default() }, true)
    }

    #[test]
    fn the_lane_with_the_fewest_in_flight_is_next() {
        let lanes = lanes(Protocol::Http2);
        let scope = Scope::default();
        let pick = || lanes.pick(&scope).now_or_never().expect("nothing to wait for");
        let mut held: Vec<_> = (0..4).map(|_| pick()).collect();
        assert_eq!(held.iter().map(|(lane, _)| *lane).collect::<Vec<_>>(), [0, 1, 2, 0]);
        held.remove(1);
        assert_eq!(pick().0, 1);
    }

    #[test]
    fn one_finds_out_and_the_others_wait_for_it() {
        for (is_http2, expected) in [(true, [0, 1]), (false, [0, 0])] {
            let (lanes, scope) = (lanes(Protocol::Negotiate), Scope::default());
            let (first, _held) = lanes.pick(&scope).now_or_never().expect("it is the first");
            let mut second = Box::pin(lanes.pick(&scope));
            assert!(second.as_mut().now_or_never().is_none());
            assert_eq!(lanes.learn(is_http2).expect("either will do"), is_http2);
            let (second, _) = second.now_or_never().expect("it is known");
            assert_eq!([first, second], expected);
        }
    }

    #[test]
    fn who_fails_to_find_out_leaves_it_to_the_next() {
        let (lanes, scope) = (lanes(Protocol::Negotiate), Scope::default());
        let first = lanes.pick(&scope).now_or_never().expect("it is the first");
        let mut second = Box::pin(lanes.pick(&scope));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(second.now_or_never().expect("it is its turn").0, 0);
    }

    #[test]
    fn who_waits_for_another_has_as_much_patience_in_all_as_for_an_own_connect() {
        const PATIENCE: Duration = Duration::from_nanos(1_234_567_891);
        run_virtual(async {
            let lanes = lanes(Protocol::Negotiate);
            let first = Scope::default();
            let _held = (lanes.pick(&first).await, lanes.pass_gate(0, &first).await);
            let second = Scope::new(Arc::default(), Some(PATIENCE));
            let start = now();
            assert_eq!(lanes.pick(&second).await.0, 0);
            assert!(lanes.pass_gate(0, &second).await.is_none());
            assert_eq!((start.elapsed(), second.queued(now())), (PATIENCE, PATIENCE));
        });
    }
}
