//! A connection that is accepted slowly: what its caller sends waits, and the caller may be gone before its time.

use std::any::Any;
use std::mem;

use relaybench_clock::{Instant, now};

use super::hang_up::hung_up;
use crate::ledger::{Ending, FaultOutcome, PlannedFault};
use crate::profile::FaultName;
use crate::server::Admitted;

/// Waits as long as the connection is not to be served yet. Whether it is served then; if not, it is an entry in the ledger.
pub(in crate::http) async fn accepted<IO: Any + Send>(admitted: &mut Admitted, io: &mut IO) -> bool {
    let served_after = mem::take(&mut admitted.served_after);
    if served_after.is_zero() {
        return true;
    }
    let told = admitted.served.told();
    let mut slow = SlowAccept { admitted, arrived: now(), ending: Ending::CallerLeft, is_over: false };
    tokio::select! {
        biased;
        // Nobody was let in yet.
        () = told.wait() => slow.ending = Ending::Stopped,
        () = hung_up(io) => {}
        () = relaybench_clock::sleep(served_after) => slow.is_over = true,
    }
    slow.is_over
}

/// What comes of it is noted when this is dropped, also where the relay is stopped meanwhile.
struct SlowAccept<'a> {
    admitted: &'a Admitted,
    arrived: Instant,
    ending: Ending,
    is_over: bool,
}

impl Drop for SlowAccept<'_> {
    fn drop(&mut self) {
        let Admitted { server, open, .. } = self.admitted;
        let fault = |outcome| PlannedFault { name: FaultName::SlowAccept, outcome };
        if self.is_over {
            server.common.ledger.count_fault(fault(FaultOutcome::Played));
            return;
        }
        let ending = if server.common.is_stopping() { Ending::Stopped } else { self.ending };
        server.common.record_connection(open, self.arrived, fault(FaultOutcome::NotReached), ending);
    }
}
