//! What arrived of a streamed answer.

use super::chunk::ChatChunk;
use crate::client::response::{FinishReason, Usage};

/// What had arrived of a streamed answer when it ended without proof of its end: what was billed, may be worth showing, and is
/// where a continuation would begin.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Partial {
    /// The text of the first choice, so far.
    pub content: String,
    /// How many chunks came, those without text counted.
    pub chunks: u64,
    /// What was counted, if that was told.
    pub usage: Option<Usage>,
    /// Why the answer ended, if that was told; of the last choice that ended, when there are several.
    pub finish_reason: Option<FinishReason>,
}

impl Partial {
    pub(super) fn add(&mut self, chunk: &ChatChunk) {
        self.content.push_str(chunk.content());
        self.chunks += 1;
        self.usage = chunk.usage().copied().or(self.usage);
        if let Some(reason) = chunk.finish_reason() {
            self.finish_reason = Some(reason.clone());
        }
    }
}
