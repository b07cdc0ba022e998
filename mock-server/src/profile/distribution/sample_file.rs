//! CSV files of samples. What is refused names file, line and value; where the file was named is for the caller to say.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use csv::{Error, ErrorKind, Position, Reader, ReaderBuilder, StringRecord, Trim};

use super::Unit;
use crate::config::{Time, is_path, nearest};

/// A million: ten of them still lie beyond the quantile 99.999 %, and they take 8 MB.
const MOST: usize = 1_000_000;

/// The endings of a column's name that say its unit, with the nanoseconds in one.
const ENDINGS: [(&str, f64); 4] = [("_ns", 1.0), ("_us", 1e3), ("_ms", 1e6), ("_s", 1e9)];

/// Where the files are that a profile names: beside it. A profile that is no file itself cannot name any.
#[derive(Clone, Copy, Debug)]
pub(in crate::profile) struct Directory<'a>(Option<&'a Path>);

impl<'a> Directory<'a> {
    pub(in crate::profile) fn of(origin: &'a str) -> Self {
        Self(if is_path(origin) { Path::new(origin).parent() } else { None })
    }

    pub(super) fn open(self, name: &str) -> Result<SampleFile, String> {
        let Some(directory) = self.0 else {
            return Err(format!(
                "\"{name}\" would be looked for beside the profile, but this one is no file; write samples = […]"
            ));
        };
        let path = directory.join(name);
        let unreadable = |error| format!("cannot read {}: {error}", path.display());
        // A pipe or a device might never end.
        if !fs::metadata(&path).map_err(unreadable)?.is_file() {
            return Err(format!("{} is not a file", path.display()));
        }
        let file = File::open(&path).map_err(unreadable)?;
        let reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
        let mut opened = SampleFile { name: name.to_owned(), reader, header: StringRecord::new() };
        opened.header = opened.reader.headers().cloned().map_err(|error| opened.refusal(&error))?;
        Ok(opened)
    }
}

pub(super) struct SampleFile {
    name: String,
    reader: Reader<File>,
    header: StringRecord,
}

/// Which column holds the samples, and what its numbers are.
pub(super) struct Column {
    index: usize,
    measure: Measure,
}

enum Measure {
    Time { ending: &'static str, nanoseconds: f64 },
    Count { of: &'static str, most: u32 },
}

impl SampleFile {
    /// The column of that name; the only one, where none is named.
    pub(super) fn column(&self, wanted: Option<&str>, unit: Unit) -> Result<Column, String> {
        let index = match wanted {
            Some(wanted) => self.header.iter().position(|column| column == wanted).ok_or_else(|| {
                format!("there is no column \"{wanted}\" in {}, {}", self.name, nearest(wanted, self.header.iter()))
            })?,
            None if self.header.len() == 1 => 0,
            None if self.header.is_empty() => return Err(format!("{} is empty", self.name)),
            None => return Err(format!("{} has {} columns; write column = and the name of one", self.name, self.header.len())),
        };
        let name = &self.header[index];
        if name.parse::<f64>().is_ok() {
            return Err(format!("{}:1: \"{name}\" is a number, but the first line names the columns", self.name));
        }
        let time = ENDINGS.into_iter().find(|(ending, _)| name.ends_with(ending));
        let measure = match (unit, time) {
            (Unit::Count { of, most }, None) => Measure::Count { of, most },
            (Unit::Count { of, .. }, Some((ending, _))) => {
                return Err(format!("the column \"{name}\" holds times, since its name ends with {ending}; name one of {of}"));
            }
            (Unit::Time, Some((ending, nanoseconds))) => Measure::Time { ending, nanoseconds },
            (Unit::Time, None) => {
                return Err(format!(
                    "the column \"{name}\" has no unit; a time's column is called by its unit: {name}_ns, {name}_us, {name}_ms or {name}_s"
                ));
            }
        };
        Ok(Column { index, measure })
    }

    /// Every value of the column: nanoseconds or counts.
    pub(super) fn samples(&mut self, column: &Column) -> Result<Vec<f64>, String> {
        let mut samples = Vec::new();
        let mut record = StringRecord::new();
        while self.reader.read_record(&mut record).map_err(|error| self.refusal(&error))? {
            if samples.len() == MOST {
                return Err(format!("{} has more than {MOST} samples; fewer draw the same", self.name));
            }
            let text = &record[column.index];
            match column.measure.sample(text) {
                Some(sample) => samples.push(sample),
                None => {
                    let (place, name) = (self.place(record.position()), &self.header[column.index]);
                    return Err(format!("{place}: {name}: \"{text}\" is no sample; write {}", column.measure));
                }
            }
        }
        Ok(samples)
    }

    fn refusal(&mut self, error: &Error) -> String {
        let place = self.place(error.position());
        match error.kind() {
            ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{place}: the fields of this line are {len}, those of the first {expected_len}")
            }
            ErrorKind::Utf8 { .. } => format!("{place}: this line is not UTF-8"),
            _ => format!("cannot read {}: {error}", self.name),
        }
    }

    /// File and line. A record's position is where the one before it ended: blank lines are still ahead. Nothing is read after this.
    fn place(&mut self, position: Option<&Position>) -> String {
        let Some(position) = position else { return self.name.clone() };
        let file = self.reader.get_mut();
        let ahead = match file.seek(SeekFrom::Start(position.byte())) {
            Ok(_) => BufReader::new(file).bytes().map_while(Result::ok).take_while(|byte| b"\r\n".contains(byte)),
            Err(_) => return self.name.clone(),
        };
        format!("{}:{}", self.name, position.line() + ahead.filter(|byte| *byte == b'\n').count() as u64)
    }
}

impl Measure {
    fn sample(&self, text: &str) -> Option<f64> {
        let number: f64 = text.parse().ok()?;
        match self {
            Self::Time { nanoseconds, .. } => {
                let longest = Time::LONGEST.as_nanos() as f64;
                Some(number * nanoseconds).filter(|time| (0.0..=longest).contains(time))
            }
            Self::Count { most, .. } => {
                let in_range = (1.0..=f64::from(*most)).contains(&number);
                (in_range && libm::trunc(number) == number).then_some(number)
            }
        }
    }
}

/// What a sample may be.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { ending, .. } => write!(f, "a number of {} from 0 to a century", &ending[1..]),
            Self::Count { of, most } => write!(f, "a whole number of {of} from 1 to {most}"),
        }
    }
}
