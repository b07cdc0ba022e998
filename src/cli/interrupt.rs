//! Ctrl-C.

use anyhow::Context;
use relaybench::load::Stop;

/// From now on Ctrl-C (and SIGTERM) asks the run to end: once to send nothing more, twice not to wait for what is in flight.
pub(super) fn ends(stop: &Stop) -> anyhow::Result<()> {
    let stop = stop.clone();
    ctrlc::set_handler(move || {
        announce(&stop);
        stop.request();
    })
    .context("cannot listen for Ctrl-C")
}

#[expect(clippy::print_stderr, reason = "the person at the keyboard must know what was understood")]
fn announce(stop: &Stop) {
    if !stop.is_requested() {
        eprintln!("\nending: no more is sent; waiting for what is in flight. Ctrl-C again ends at once.");
    }
}
