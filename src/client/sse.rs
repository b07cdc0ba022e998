//! Server-sent events out of bytes that arrive in any pieces, by the rules of the WHATWG event stream
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>).

mod lines;
#[cfg(test)]
mod tests;

use std::fmt;

use self::lines::Lines;

/// The longest line or event, in bytes: the longest chunk of a completion is a few KiB, and a server that never ends a line must
/// not fill the memory.
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

/// Bytes in, events out. It keeps an event and a line of at most a megabyte each, and what was pushed last. Ids and retry times are
/// ignored, as a completion cannot be resumed.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    lines: Lines,
    begun: Begun,
}

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
    }

    /// The next complete event.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, TooLong> {
        while let Some(line) = self.lines.next()? {
            if let Some(event) = self.begun.take(line)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// The event that the end of the stream left without its empty line. The rules drop it; who trusts it should say so.
    pub(crate) fn unterminated(&mut self) -> Option<Event> {
        self.begun.take(self.lines.rest()).ok()?.or_else(|| self.begun.dispatch())
    }
}

/// The event whose lines are being read.
#[derive(Debug, Default)]
struct Begun {
    kind: Option<Box<str>>,
    data: Option<String>,
}

impl Begun {
    /// An empty line completes the event; any other adds a field to it.
    fn take(&mut self, line: &[u8]) -> Result<Option<Event>, TooLong> {
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
        let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        match name {
            b"data" => match &mut self.data {
                None => self.data = Some(value.into_owned()),
                Some(data) => {
                    if data.len() + value.len() >= LONGEST {
                        return Err(TooLong);
                    }
                    data.push('\n');
                    data.push_str(&value);
                }
            },
            b"event" => self.kind = (!value.is_empty()).then(|| value.into()),
            // Comments have an empty name; ids, retry times and unknown fields are not needed.
            _ => {}
        }
        Ok(None)
    }

    /// An event without data is none.
    fn dispatch(&mut self) -> Option<Event> {
        let kind = self.kind.take();
        self.data.take().map(|data| Event { kind, data })
    }
}
