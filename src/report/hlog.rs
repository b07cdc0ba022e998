//! Latencies as an HdrHistogram log, which that library's readers and plotters take.

use std::time::Duration;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::details::{Details, Intervals};

/// Values are nanoseconds; the maximum of a line is in milliseconds, as other writers have it.
const NANOSECONDS_A_MILLISECOND: f64 = 1e6;

/// The run's latencies (of succeeded steady requests) as an HdrHistogram log of version 1.3: a line for each interval of each stage, with
/// the stage's name as its tag, in V2 compressed encoding. All lines of a tag add up to the stage's histogram.
///
/// Values are in nanoseconds, the maximum of a line in milliseconds, instants in seconds from the start of the run. A tag's commas and
/// blanks are underscores; where that makes two stages' tags the same, each has its place in the run added.
pub fn hlog(details: &Details) -> String {
    let mut log = String::from(
        "#[Latencies in nanoseconds, from the intended send to the last byte, of succeeded steady requests]\n\
         #[Histogram log format version 1.3]\n",
    );
    log += &format!("#[MaxValueDivisor: {NANOSECONDS_A_MILLISECOND:.3}]\n");
    // Readers count instants from this; without it some take the first line's for the start.
    log += "#[StartTime: 0.000 (seconds since epoch)]\n";
    log += "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
    details.stages().iter().for_each(|stage| log += &stage.hlog);
    log
}

/// The tag of the stage at `place` among those of these names: its name in characters that a tag may have, and its place, from 1, where
/// that is another's tag too.
pub(super) fn tag(names: &[&str], place: usize) -> String {
    let safe = |name: &str| -> String {
        name.chars().map(|c| if c == ',' || c.is_whitespace() || c.is_control() { '_' } else { c }).collect()
    };
    let tag = safe(names.get(place).unwrap_or(&"stage"));
    let is_another_s = names.iter().enumerate().any(|(other, name)| other != place && safe(name) == tag);
    if is_another_s { format!("{tag}_{}", place + 1) } else { tag }
}

/// The lines of a stage that began then.
pub(super) fn lines(tag: &str, began: Duration, intervals: &Intervals) -> String {
    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    let mut writer = builder
        .with_max_value_divisor(NANOSECONDS_A_MILLISECOND)
        .begin_log_with(&mut log, &mut serializer)
        .expect("writing to memory does not fail");
    let mut start = began;
    for interval in intervals.iter() {
        if !interval.steady.is_empty() {
            let written = writer.write_histogram(interval.steady.counts(), start, intervals.width(), Tag::new(tag));
            written.expect("a histogram of bounded size in memory can be encoded");
        }
        start += intervals.width();
    }
    let log = String::from_utf8(log).expect("lines are numbers, a tag and base64");
    // The head of the file says it once.
    log.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn two_stages_whose_names_differ_in_blanks_alone_keep_apart() {
        let names = ["a b", "a,b", "a-b"];
        assert_eq!([0, 1, 2, 3].map(|place| tag(&names, place)), ["a_b_1", "a_b_2", "a-b", "stage"]);
    }
}
