//! A text file line by line, and the fields of a line of CSV.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use csv_core::{ReadRecordResult, Reader};

/// More than any line of the formats read here, and little enough that a file that is no trace is refused at once.
const LONGEST: usize = 1 << 20;

/// The lines of a file that are not blank.
#[derive(Debug)]
pub(super) struct Lines {
    file: BufReader<File>,
    text: String,
    number: u64,
}

/// Why there is no next line.
#[derive(Debug)]
pub(super) enum NotALine {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// There is one, which is no line of a trace: what is wrong with it.
    Wrong(String),
}

impl From<io::Error> for NotALine {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?), text: String::new(), number: 0 })
    }

    /// Goes on to the next line; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, NotALine> {
        loop {
            self.text.clear();
            let mut bytes = std::mem::take(&mut self.text).into_bytes();
            let read = io::Read::take(&mut self.file, LONGEST as u64).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            if read == LONGEST {
                return Err(NotALine::Wrong("this line is longer than a mebibyte; a trace has a request in each".to_owned()));
            }
            self.text = String::from_utf8(bytes).map_err(|error| {
                let place = error.utf8_error().valid_up_to() + 1;
                NotALine::Wrong(format!("its byte {place} is no text (UTF-8); a trace is CSV or JSON Lines, not compressed"))
            })?;
            if !self.text.trim().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The line, without its end.
    pub(super) fn text(&self) -> &str {
        self.text.trim_end_matches(['\r', '\n'])
    }

    /// Its number, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// Splits lines of CSV into fields.
#[derive(Debug)]
pub(super) struct Fields {
    reader: Reader,
    text: Vec<u8>,
    ends: [usize; Self::MOST],
    len: usize,
}

impl Fields {
    /// The widest format here has eight.
    const MOST: usize = 64;

    pub(super) fn new() -> Self {
        Self { reader: Reader::new(), text: Vec::new(), ends: [0; Self::MOST], len: 0 }
    }

    /// Splits a line; what is beyond 64 fields is left out.
    pub(super) fn split(&mut self, line: &str) {
        self.reader.reset();
        self.text.resize(line.len(), 0);
        let (first, read, written, ends) = self.reader.read_record(line.as_bytes(), &mut self.text, &mut self.ends);
        self.len = ends;
        if matches!(first, ReadRecordResult::InputEmpty) {
            // No more input ends the last field.
            let rest = &line.as_bytes()[read..];
            let (_, _, _, more) = self.reader.read_record(rest, &mut self.text[written..], &mut self.ends[ends..]);
            self.len += more;
        }
    }

    /// A field by its place, without blanks around it.
    pub(super) fn at(&self, place: usize) -> Option<&str> {
        let end = *self.ends[..self.len].get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        std::str::from_utf8(&self.text[start..end]).ok().map(str::trim)
    }

    /// The place of the field with this text.
    pub(super) fn place(&self, text: &str) -> Option<usize> {
        (0..self.len).find(|place| self.at(*place) == Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_commas_that_are_not_quoted() {
        let mut fields = Fields::new();
        fields.split("a, 12 ,\"b, c\",");
        assert_eq!(
            [fields.at(0), fields.at(1), fields.at(2), fields.at(3), fields.at(4)],
            [Some("a"), Some("12"), Some("b, c"), Some(""), None]
        );
        fields.split("x,y");
        assert_eq!((fields.place("y"), fields.place("b")), (Some(1), None));
    }
}
