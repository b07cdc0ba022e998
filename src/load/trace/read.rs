//! From a file to arrivals, line by line.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use relaybench_mock::config::Time;
use relaybench_mock::dist::MOST_TOKENS;
use serde::Deserialize;
use thiserror::Error;

use super::lines::{Fields, Lines, NotALine};
use super::{TraceArrival, TraceFormat, azure, burstgpt, mooncake};

/// How a trace is read.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceOptions {
    /// Default: by the first line.
    pub format: Option<TraceFormat>,
    /// What the times count, where they are numbers. Default: as the format has it.
    pub unit: Option<TimeUnit>,
    /// What times are multiplied by, 0.000001 to 1000000. Default: 1.
    pub time_scale: f64,
    /// Where in the trace the replay begins, before scaling. Default: at its first arrival.
    pub from: Duration,
    /// How much of the trace is replayed, before scaling. Default: all.
    pub length: Option<Duration>,
    /// Whether prompts and answers have the trace's lengths. Default: yes.
    pub lengths: bool,
    /// The most in flight. Default: no cap.
    pub max_in_flight: Option<NonZeroUsize>,
    /// Whether a trace of at least 100 requests must have between one a minute and 1000 a second on average, so that times in
    /// another unit are noticed. Default: yes.
    pub check_span: bool,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            format: None,
            unit: None,
            time_scale: 1.0,
            from: Duration::ZERO,
            length: None,
            lengths: true,
            max_in_flight: None,
            check_span: true,
        }
    }
}

/// What the times of a trace count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum TimeUnit {
    /// `"ns"`
    #[serde(rename = "ns")]
    Nanoseconds,
    /// `"us"`
    #[serde(rename = "us")]
    Microseconds,
    /// `"ms"`
    #[serde(rename = "ms")]
    Milliseconds,
    /// `"s"`
    #[serde(rename = "s")]
    Seconds,
}

/// Why a trace cannot be replayed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The file cannot be read.
    #[error("cannot read the trace {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A line is wrong.
    #[error("{}:{line}: {message}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// There is nothing to replay.
    #[error("{}: {message}", .path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
        /// Why there is nothing.
        message: String,
    },
}

/// One line as it is written, on whatever clock the trace has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) at_ns: i128,
    pub(super) prompt_tokens: u32,
    pub(super) completion_tokens: u32,
}

/// Where time, prompt length and answer length are.
pub(super) type Columns = [usize; 3];

pub(super) fn read(path: &Path, options: &TraceOptions) -> Result<(TraceFormat, Vec<TraceArrival>), TraceError> {
    let unreadable = |error| TraceError::Unreadable { path: path.to_owned(), error };
    let nothing = |message: String| TraceError::Nothing { path: path.to_owned(), message };
    let at_line = |line, message| TraceError::Line { path: path.to_owned(), line, message };
    let advance = |lines: &mut Lines| {
        lines.advance().map_err(|not| match not {
            NotALine::Unreadable(error) => unreadable(error),
            NotALine::Wrong(message) => at_line(lines.number(), message),
        })
    };
    let mut lines = Lines::open(path).map_err(unreadable)?;
    if !advance(&mut lines)? {
        return Err(nothing("the file is empty".to_owned()));
    }
    let mut layout = Layout::of(lines.text(), options).map_err(|message| at_line(lines.number(), message))?;
    let mut replay = Replay::new(options);
    // The first line of CSV is its header.
    let mut has_line = layout.is_json() || advance(&mut lines)?;
    while has_line {
        let kept = layout.written(lines.text()).and_then(|written| replay.add(written));
        if !kept.map_err(|message| at_line(lines.number(), message))? {
            break;
        }
        has_line = advance(&mut lines)?;
    }
    replay.check_span().map_err(|message| at_line(lines.number(), message))?;
    if replay.arrivals.is_empty() {
        return Err(nothing(match replay.read {
            0 => "there is no request in it".to_owned(),
            read => format!("none of its {read} requests read lies in the part that from and for cut out"),
        }));
    }
    replay.arrivals.shrink_to_fit();
    Ok((layout.format, replay.arrivals))
}

/// How the lines of a file are to be read.
struct Layout {
    format: TraceFormat,
    unit: TimeUnit,
    fields: Fields,
    columns: Columns,
}

impl Layout {
    fn of(first: &str, options: &TraceOptions) -> Result<Self, String> {
        let mut fields = Fields::new();
        fields.split(first.trim_start_matches('\u{feff}'));
        let columns = |names: [&str; 3]| -> Result<Columns, String> {
            let missing = |name| format!("there is no column \"{name}\"; this format has {}", names.join(", "));
            let mut places = [0; 3];
            for (place, name) in places.iter_mut().zip(names) {
                *place = fields.place(name).ok_or_else(|| missing(name))?;
            }
            Ok(places)
        };
        let format = match options.format {
            Some(format) => format,
            None if first.trim_start_matches(['\u{feff}', ' ', '\t']).starts_with('{') => TraceFormat::Mooncake,
            None if columns(azure::NAMES).is_ok() => TraceFormat::Azure,
            None if columns(burstgpt::NAMES).is_ok() => TraceFormat::Burstgpt,
            None => {
                return Err(format!(
                    "this is the beginning of no trace that is known here; they have the columns {} (azure) or {} (burstgpt), or are \
                     JSON Lines (mooncake)",
                    azure::NAMES.join(", "),
                    burstgpt::NAMES.join(", ")
                ));
            }
        };
        let (columns, unit) = match format {
            TraceFormat::Azure if options.unit.is_some() => {
                return Err("Azure's traces have dates, which have no unit; leave the unit out".to_owned());
            }
            TraceFormat::Azure => (columns(azure::NAMES)?, TimeUnit::Seconds),
            TraceFormat::Burstgpt => (columns(burstgpt::NAMES)?, TimeUnit::Seconds),
            TraceFormat::Mooncake => ([0; 3], TimeUnit::Milliseconds),
        };
        Ok(Self { format, unit: options.unit.unwrap_or(unit), fields, columns })
    }

    fn is_json(&self) -> bool {
        self.format == TraceFormat::Mooncake
    }

    fn written(&mut self, line: &str) -> Result<Written, String> {
        match self.format {
            TraceFormat::Mooncake => mooncake::written(line.trim_start_matches('\u{feff}'), self.unit),
            TraceFormat::Azure => {
                self.fields.split(line);
                azure::written(&self.fields, self.columns)
            }
            TraceFormat::Burstgpt => {
                self.fields.split(line);
                burstgpt::written(&self.fields, self.columns, self.unit)
            }
        }
    }
}

/// The part of a trace that is replayed, as it grows.
struct Replay<'a> {
    options: &'a TraceOptions,
    first_ns: Option<i128>,
    last_ns: i128,
    read: u64,
    arrivals: Vec<TraceArrival>,
}

impl<'a> Replay<'a> {
    fn new(options: &'a TraceOptions) -> Self {
        Self { options, first_ns: None, last_ns: 0, read: 0, arrivals: Vec::new() }
    }

    /// Takes the next request; false when what is wanted is complete.
    fn add(&mut self, written: Written) -> Result<bool, String> {
        let first_ns = *self.first_ns.get_or_insert(written.at_ns);
        let at_ns = written.at_ns - first_ns;
        if at_ns < self.last_ns {
            let back = (self.last_ns - at_ns) as f64 / 1e9;
            return Err(format!("this request comes {back} s before the one above it; sort the trace by time"));
        }
        if at_ns > Time::LONGEST.as_nanos() as i128 {
            return Err("this request comes more than a century after the first; is the unit of its times another?".to_owned());
        }
        (self.last_ns, self.read) = (at_ns, self.read + 1);
        let from_ns = self.options.from.as_nanos() as i128;
        if self.options.length.is_some_and(|length| at_ns >= from_ns + length.as_nanos() as i128) {
            return Ok(false);
        }
        if at_ns >= from_ns {
            let scaled_ns = ((at_ns - from_ns) as f64 * self.options.time_scale).round();
            let at_ns = if self.options.time_scale == 1.0 { (at_ns - from_ns) as u64 } else { scaled_ns as u64 };
            let Written { prompt_tokens, completion_tokens, .. } = written;
            self.arrivals.push(TraceArrival { at_ns, prompt_tokens, completion_tokens });
        }
        Ok(true)
    }

    /// Whether the time from the first to the last request read is one that recorded load can have.
    fn check_span(&self) -> Result<(), String> {
        /// Fewer may well come at once, or over a day.
        const ENOUGH: u64 = 100;
        let (read, span_s) = (self.read, self.last_ns as f64 / 1e9);
        let rate = read as f64 / span_s;
        if !self.options.check_span || read < ENOUGH || (1.0 / 60.0..=1000.0).contains(&rate) {
            return Ok(());
        }
        let found = if rate >= 1.0 { format!("{rate:.0} a second") } else { format!("one in {:.1} s", rate.recip()) };
        let wrong = if rate > 1000.0 { "finer" } else { "coarser" };
        Err(format!(
            "{read} requests within {span_s} s are {found}: the unit of the times is {wrong} than theirs, it seems; name it \
             beside the trace's file in a scenario (docs/load.md), with unit = \"ns\", \"us\", \"ms\" or \"s\", or write \
             check_span = false there"
        ))
    }
}

impl TimeUnit {
    /// Exact for whole numbers; none for what is negative, no number, or beyond 292 years.
    pub(super) fn nanoseconds(self, number: f64) -> Option<i128> {
        let each = match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        };
        let whole = number.trunc();
        let in_range = (0.0..=i64::MAX as f64 / f64::from(each)).contains(&number);
        in_range.then(|| whole as i128 * i128::from(each) + ((number - whole) * f64::from(each)).round() as i128)
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Nanoseconds => "nanoseconds",
            Self::Microseconds => "microseconds",
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
        }
    }
}

/// A length as a trace writes it. A trace may have requests without an answer, and answers of none; 0 is sent as 1.
pub(super) fn tokens(column: &str, text: Option<&str>) -> Result<u32, String> {
    let text = text.unwrap_or_default();
    match text.parse() {
        Ok(number) => whole_tokens(column, number),
        Err(_) => Err(format!("{column}: \"{text}\" is no number of tokens; there are whole numbers from 0 to {MOST_TOKENS}")),
    }
}

pub(super) fn whole_tokens(column: &str, number: f64) -> Result<u32, String> {
    let is_length = (0.0..=f64::from(MOST_TOKENS)).contains(&number) && number.trunc() == number;
    is_length
        .then_some((number as u32).max(1))
        .ok_or_else(|| format!("{column}: {number} is no number of tokens; there are whole numbers from 0 to {MOST_TOKENS}"))
}
