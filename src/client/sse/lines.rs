//! Lines out of bytes that arrive in any pieces; LF, CR and CRLF end a line, and one byte order mark may stand before the first.

use super::{LONGEST, TooLong};

/// Bytes in, lines out.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// How much of `bytes` was read.
    read: usize,
    /// Up to where no end of a line was found.
    searched: usize,
    has_begun: bool,
    /// The last line ended in CR, so that a LF right after belongs to it.
    after_cr: bool,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.searched -= self.read;
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete line, without its end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, TooLong> {
        if !self.skip_byte_order_mark() {
            return Ok(None);
        }
        self.skip_rest_of_crlf();
        let found = self.bytes[self.searched..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let end = found.map_or(self.bytes.len(), |offset| self.searched + offset);
        // A line is too long however it is cut, also where its end is there already.
        if end - self.read > LONGEST {
            return Err(TooLong);
        }
        let start = self.read;
        self.searched = end;
        if found.is_none() {
            return Ok(None);
        }
        self.after_cr = self.bytes[end] == b'\r';
        self.read = end + 1;
        self.searched = self.read;
        Ok(Some(&self.bytes[start..end]))
    }

    /// What no end of a line followed.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    /// False while too few bytes are there to tell.
    fn skip_byte_order_mark(&mut self) -> bool {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if !self.has_begun {
            if self.bytes.len() < MARK.len() && MARK.starts_with(&self.bytes) {
                return false;
            }
            self.has_begun = true;
            if self.bytes.starts_with(MARK) {
                self.read = MARK.len();
                self.searched = MARK.len();
            }
        }
        true
    }

    fn skip_rest_of_crlf(&mut self) {
        if self.after_cr && self.read < self.bytes.len() {
            self.after_cr = false;
            if self.bytes[self.read] == b'\n' {
                self.read += 1;
                self.searched = self.searched.max(self.read);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_by_the_longest_line_and_the_last_piece() {
        const PIECE: usize = 64 * 1024;
        let mut lines = Lines::default();
        let piece = "data: x\r\n: y\r\n\r\nunknown: z".repeat(PIECE / 32);
        for _ in 0..1000 {
            lines.push(piece.as_bytes());
            while lines.next().unwrap().is_some() {}
        }
        assert!(lines.bytes.capacity() <= 4 * PIECE, "{}", lines.bytes.capacity());
    }
}
