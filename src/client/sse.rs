//! Server-sent events out of bytes that arrive in any pieces, by the rules of the WHATWG event stream.

use std::fmt;

/// The longest line or event: the longest chunk of a completion is a few KiB, and a server that never ends a line must not fill
/// the memory.
const LONGEST: usize = 1024 * 1024;

/// One event: its type, `None` for the default `message`, and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: Option<Box<str>>,
    pub(crate) data: String,
}

/// A line or an event longer than a megabyte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream has a line or an event longer than 1 MiB")
    }
}

/// Bytes in, events out. Ids and retry times are ignored, as a completion cannot be resumed.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    bytes: Vec<u8>,
    /// How much of `bytes` was read.
    read: usize,
    /// Up to where no end of a line was found.
    searched: usize,
    begun: bool,
    /// The last line ended in CR, so that a LF right after belongs to it.
    after_cr: bool,
    kind: Option<Box<str>>,
    data: Option<String>,
}

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.searched -= self.read;
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete event.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, TooLong> {
        if !self.skip_byte_order_mark() {
            return Ok(None);
        }
        while let Some(line) = self.next_line()? {
            if let Some(event) = self.take_line(&line)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// The event that the end of the stream left without its empty line. The rules drop it; who trusts it should say so.
    pub(crate) fn unterminated(&mut self) -> Option<Event> {
        let rest = String::from_utf8_lossy(&self.bytes[self.read..]).into_owned();
        self.read = self.bytes.len();
        self.searched = self.read;
        self.take_line(&rest).ok()?.or_else(|| self.dispatch())
    }

    /// False while too few bytes are there to tell.
    fn skip_byte_order_mark(&mut self) -> bool {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if !self.begun {
            if self.bytes.len() < MARK.len() && MARK.starts_with(&self.bytes) {
                return false;
            }
            self.begun = true;
            if self.bytes.starts_with(MARK) {
                self.read = MARK.len();
                self.searched = MARK.len();
            }
        }
        true
    }

    fn next_line(&mut self) -> Result<Option<String>, TooLong> {
        if self.after_cr && self.read < self.bytes.len() {
            self.after_cr = false;
            if self.bytes[self.read] == b'\n' {
                self.read += 1;
                self.searched = self.searched.max(self.read);
            }
        }
        let found = self.bytes[self.searched..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let Some(end) = found.map(|offset| self.searched + offset) else {
            self.searched = self.bytes.len();
            return if self.searched - self.read > LONGEST { Err(TooLong) } else { Ok(None) };
        };
        let line = String::from_utf8_lossy(&self.bytes[self.read..end]).into_owned();
        self.after_cr = self.bytes[end] == b'\r';
        self.read = end + 1;
        self.searched = self.read;
        Ok(Some(line))
    }

    fn take_line(&mut self, line: &str) -> Result<Option<Event>, TooLong> {
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                None => self.data = Some(value.to_owned()),
                Some(data) => {
                    if data.len() + value.len() > LONGEST {
                        return Err(TooLong);
                    }
                    data.push('\n');
                    data.push_str(value);
                }
            },
            "event" => self.kind = (!value.is_empty()).then(|| value.into()),
            // Comments have an empty name; ids, retry times and unknown fields are not needed.
            _ => {}
        }
        Ok(None)
    }

    fn dispatch(&mut self) -> Option<Event> {
        let kind = self.kind.take();
        self.data.take().map(|data| Event { kind, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(Option<String>, String)> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            while let Some(event) = decoder.next().unwrap() {
                events.push((event.kind.map(Into::into), event.data));
            }
        }
        events
    }

    fn data(stream: &str) -> Vec<String> {
        decode([stream.as_bytes()]).into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn the_rules_of_the_event_stream_hold() {
        for (stream, expected) in [
            ("data: a\n\ndata: b\n\n", vec!["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", vec!["a", "b", "c"]),
            ("\u{feff}data: a\n\n", vec!["a"]),
            ("\u{feff}\u{feff}data: a\n\n", vec![]),
            (": comment\n\ndata: a\n\n", vec!["a"]),
            ("data: a\ndata: b\n\n", vec!["a\nb"]),
            ("data\n\n", vec![""]),
            ("data\ndata\n\n", vec!["\n"]),
            ("data:a\n\ndata:  a\n\n", vec!["a", " a"]),
            ("data : a\n\nunknown: a\n\n", vec![]),
            ("id: 1\nretry: 5\ndata: a\n\n", vec!["a"]),
            ("data: a: b\n\n", vec!["a: b"]),
            ("event: x\n\ndata: a\n\n", vec!["a"]),
            ("data: a\n", vec![]),
            ("data: a", vec![]),
        ] {
            assert_eq!(data(stream), expected, "{stream:?}");
        }
    }

    #[test]
    fn the_type_of_an_event_is_its_own_alone() {
        let events = decode([b"event: error\ndata: a\n\ndata: b\n\n".as_slice()]);
        assert_eq!(events, [(Some("error".to_owned()), "a".to_owned()), (None, "b".to_owned())]);
    }

    #[test]
    fn an_event_without_its_empty_line_can_be_asked_for() {
        for stream in ["data: [DONE]", "data: [DONE]\n", "data: [DONE]\r"] {
            let mut decoder = Decoder::default();
            decoder.push(stream.as_bytes());
            assert_eq!(decoder.next().unwrap(), None, "{stream:?}");
            assert_eq!(decoder.unterminated().unwrap().data, "[DONE]", "{stream:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut decoder = Decoder::default();
        decoder.push(&vec![b'x'; LONGEST + 1]);
        assert_eq!(decoder.next(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_how_the_bytes_are_split(
            stream in "(\u{feff})?((data|event|id|): ?[a-zé]{0,3}(\n|\r|\r\n|\n\n|\r\n\r\n)){0,8}",
            cuts in prop::collection::vec(0_usize..200, 0..8),
        ) {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            prop_assert_eq!(decode(pieces), decode([bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next() {}
            decoder.unterminated();
        }
    }
}
