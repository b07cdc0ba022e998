//! Where a request's head ends in what is read, and what came behind it already.

use std::sync::LazyLock;

use memchr::memmem;

const END: &[u8; 4] = b"\r\n\r\n";
/// Made once, since every head is searched.
static ENDS: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(END));

/// Looks for the ends of heads, also across reads.
#[derive(Debug, Default)]
pub(super) struct HeadEnds {
    /// The last bytes of the read before, of which an end may be the rest.
    before: [u8; END.len() - 1],
}

impl HeadEnds {
    /// What came behind the first head that ends within these bytes, without the line ends at its end, which belong to nothing
    /// (RFC 9112, section 2.2). None where no head ends.
    pub(super) fn behind(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = self.across(bytes).or_else(|| ENDS.find(bytes).map(|place| place + END.len()));
        let last = &bytes[bytes.len().saturating_sub(self.before.len())..];
        self.before.copy_within(last.len().., 0);
        self.before[END.len() - 1 - last.len()..].copy_from_slice(last);
        end.map(|end| bytes[end..].trim_ascii_end().len())
    }

    /// The same where nothing of a head has come yet.
    pub(super) fn behind_first(&mut self, bytes: &[u8]) -> Option<usize> {
        *self = Self::default();
        self.behind(bytes.trim_ascii_start())
    }

    /// How many bytes belong to a head that began to end in the read before.
    fn across(&self, bytes: &[u8]) -> Option<usize> {
        (1..END.len()).find(|rest| {
            let begun = END.len() - rest;
            bytes.starts_with(&END[begun..]) && self.before.ends_with(&END[..begun])
        })
    }
}

/// Whether these are ends of lines and nothing else.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_head_is_the_same_however_it_is_read() {
        const BYTES: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HT";
        for split in 0..BYTES.len() - 8 {
            let mut ends = HeadEnds::default();
            let (first, second) = BYTES.split_at(split);
            assert_eq!((ends.behind(first), ends.behind(second)), (None, Some(8)), "{split}");
        }
        assert_eq!(HeadEnds::default().behind(b"GET / HTTP/1.1\r\n\r\n\r\n"), Some(0));
        assert_eq!(HeadEnds::default().behind(b"GET / HTTP/1.1\r\n"), None);

        let mut ends = HeadEnds::default();
        assert_eq!(ends.behind(b"GET / HTTP/1.1\r\n\r\n"), Some(0));
        assert_eq!((ends.behind_first(b"\r\nGET / HTTP/1.1\r\n"), ends.behind(b"\r\n")), (None, Some(0)));
    }
}
