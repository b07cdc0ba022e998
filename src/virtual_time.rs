//! The same run on the virtual clock: hyper on both ends of connections in memory, and time that moves only when nothing else can.

use relaybench_clock::run_virtual;
use relaybench_mock::{MockServer, Profile};

use crate::endpoint::Endpoint;
use crate::load::{InFlight, Run, RunError, Sink, Stop};

/// Plays a run against a mock of this profile in virtual time, and gives the sink back.
pub(crate) fn play<S>(run: Run, profile: Profile, stop: Stop, in_flight: InFlight, mut sink: S) -> (S, Result<(), RunError>)
where
    S: Sink + Send + 'static,
{
    run_virtual(async move {
        let endpoint = Endpoint::in_memory(MockServer::new(profile), run.catalog.clone());
        let played = run.play_against(&endpoint, &stop, &in_flight, &mut sink).await;
        (sink, played)
    })
}
