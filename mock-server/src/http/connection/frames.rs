//! Whether a head over HTTP/2 has begun and not ended, by the frames that are read (RFC 9113, sections 4.1 and 6.2).
//!
//! hyper waits for the rest of a head as long as its connection lives, and says nothing of it.

/// What every frame begins with: three bytes of length, a type, flags, and the stream.
const HEADER: usize = 9;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Follows the frames of a caller.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; HEADER],
    /// How much of it has come.
    filled: usize,
    /// How many bytes belong to what came before the next header.
    skipped: usize,
    /// A head has begun whose last frame has not.
    is_open: bool,
    /// How many heads have begun.
    heads: u32,
}

impl Frames {
    /// Frames begin after so many bytes.
    pub(super) fn after(bytes: usize) -> Self {
        Self { skipped: bytes, ..Self::default() }
    }

    /// The head that has begun and not ended, by its number; the whole of its last frame belongs to it.
    pub(super) fn open_head(&self) -> Option<u32> {
        let is_within = self.skipped > 0 && matches!(self.header[3], HEADERS | CONTINUATION);
        (self.is_open || is_within).then_some(self.heads)
    }

    pub(super) fn received(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = self.skipped.min(bytes.len());
            self.skipped -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let taken = (HEADER - self.filled).min(bytes.len());
            self.header[self.filled..][..taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEADER {
                self.begun();
            }
        }
    }

    /// A frame begins.
    fn begun(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.filled = 0;
        self.skipped = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if kind == HEADERS {
            self.heads = self.heads.wrapping_add(1);
        }
        if matches!(kind, HEADERS | CONTINUATION) {
            self.is_open = flags & END_HEADERS == 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.resize(HEADER + usize::from(length), 0xff);
        frame
    }

    #[test]
    fn a_head_is_open_from_its_frame_to_the_end_of_its_last_one_however_it_is_read() {
        let bytes = [
            b"PREFACE".to_vec(),
            frame(4, 0, 6),
            frame(HEADERS, END_HEADERS, 20),
            frame(0, 1, 5),
            frame(HEADERS, 0, 3),
            frame(CONTINUATION, 0, 0),
            frame(CONTINUATION, END_HEADERS, 4),
            frame(8, 0, 4),
        ]
        .concat();
        let expected = |read: usize| match read {
            31.. if read < 31 + 20 => Some(1),
            74..99 => Some(2),
            _ => None,
        };
        for step in 1..=bytes.len() {
            let (mut frames, mut read) = (Frames::after(b"PREFACE".len()), 0);
            for piece in bytes.chunks(step) {
                frames.received(piece);
                read += piece.len();
                assert_eq!(frames.open_head(), expected(read), "{read} by {step}");
            }
        }
    }
}
