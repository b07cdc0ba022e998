//! Ending a run early, in two steps.

use tokio_util::sync::CancellationToken;

/// Asks a run to end. Clones ask the same run.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    sending: CancellationToken,
    waiting: CancellationToken,
}

impl Stop {
    /// First request: send nothing more, but wait for what is in flight. Second: do not wait either. Later ones change nothing.
    pub fn request(&self) {
        if self.sending.is_cancelled() {
            self.waiting.cancel();
        }
        self.sending.cancel();
    }

    /// Whether nothing more is to be sent.
    pub fn is_requested(&self) -> bool {
        self.sending.is_cancelled()
    }

    /// Ready when nothing more is to be sent.
    pub(super) async fn no_longer_sending(&self) {
        self.sending.cancelled().await;
    }

    /// Ready when what is in flight is not to be waited for.
    pub(super) async fn no_longer_waiting(&self) {
        self.waiting.cancelled().await;
    }
}
