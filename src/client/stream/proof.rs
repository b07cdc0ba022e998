//! What proves that a stream was complete: many that break off look as if they had ended.

use std::collections::BTreeMap;

use super::chunk::ChunkBody;

/// What is taken as proof that a stream was complete: any one of these. A stream that ends without is
/// [`Truncated`](crate::client::ErrorKind::Truncated).
///
/// By default all three are. A relay that writes `[DONE]` after whatever its upstream did to it proves nothing by it; ask its
/// streams for a finish reason alone.
///
/// ```
/// use relaybench::client::Proof;
///
/// let mut strict = Proof::default();
/// strict.done = false;
/// strict.usage = false;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proof {
    /// As many choices as were asked for (`n`), and every other that began, have their finish reason. Whatever breaks afterwards, a connection or a timeout, costs nothing of
    /// the answer, and the stream ends well.
    pub finish_reason: bool,
    /// `data: [DONE]`.
    pub done: bool,
    /// A chunk without choices that has the usage, which a server writes when it has counted the whole. A usage beside choices
    /// proves nothing: some servers count along.
    pub usage: bool,
}

impl Default for Proof {
    /// All of them.
    fn default() -> Self {
        Self { finish_reason: true, done: true, usage: true }
    }
}

/// What proved that a stream was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// `[DONE]`, as an event of its own.
    Done,
    /// `[DONE]` without the empty line that ends an event: a slip that many relays make.
    DoneUnterminated,
    /// The finish reasons of all choices, and then the end of the body, or its breaking off, without `[DONE]`.
    FinishReason,
    /// The usage, and then the same.
    Usage,
}

/// What of a proof has been seen.
#[derive(Debug)]
pub(super) struct Evidence {
    wanted: Proof,
    /// How many choices were asked for: those that have not begun are not finished either.
    asked: usize,
    /// Whether each choice that began has its finish reason.
    choices: BTreeMap<u32, bool>,
    has_usage: bool,
}

impl Evidence {
    pub(super) fn new(wanted: Proof, asked: usize) -> Self {
        Self { wanted, asked, choices: BTreeMap::new(), has_usage: false }
    }

    pub(super) fn add(&mut self, chunk: &ChunkBody) {
        for choice in &chunk.choices {
            *self.choices.entry(choice.index).or_default() |= choice.finish_reason.is_some();
        }
        self.has_usage |= chunk.choices.is_empty() && chunk.usage.is_some();
    }

    /// Whether all that was asked for and all that began has its finish reason.
    pub(super) fn is_finished(&self) -> bool {
        self.choices.len() >= self.asked.max(1) && self.choices.values().all(|finished| *finished)
    }

    /// What the end of the stream, however it comes, would be proved by.
    pub(super) fn of_end(&self) -> Option<StreamEnd> {
        match () {
            () if self.wanted.finish_reason && self.is_finished() => Some(StreamEnd::FinishReason),
            () if self.wanted.usage && self.has_usage => Some(StreamEnd::Usage),
            () => None,
        }
    }

    /// What proves the end when this `[DONE]` came.
    pub(super) fn of_done(&self, done: StreamEnd) -> Option<StreamEnd> {
        if self.wanted.done { Some(done) } else { self.of_end() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(asked: usize, chunks: &[&str]) -> Evidence {
        let mut evidence = Evidence::new(Proof::default(), asked);
        chunks.iter().for_each(|chunk| evidence.add(&serde_json::from_str(chunk).unwrap()));
        evidence
    }

    #[test]
    fn finish_reasons_prove_the_end_when_all_choices_that_were_asked_for_have_one() {
        let first = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        let second = r#"{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}"#;
        for (asked, chunks, end) in [
            (1, &[][..], None),
            (1, &[first], Some(StreamEnd::FinishReason)),
            (2, &[first], None),
            (2, &[first, first], None),
            (2, &[first, second], Some(StreamEnd::FinishReason)),
            (3, &[first, second], None),
        ] {
            assert_eq!(evidence(asked, chunks).of_end(), end, "{asked} asked for, {chunks:?}");
        }
    }
}
