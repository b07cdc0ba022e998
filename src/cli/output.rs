//! The directory a run leaves behind: samples.jsonl as they come, then the report in each of its forms, and run.json.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use relaybench::load::{Record, Sink as _};
use relaybench::report::{Details, Report, csv, hlog, html, markdown};

use super::aiperf::AiperfRecords;

pub(super) const SAMPLES: &str = "samples.jsonl";
const REPORT: &str = "report.json";
const RUN: &str = "run.json";
const HTML: &str = "report.html";
const MARKDOWN: &str = "report.md";
const CSV: &str = "report.csv";
const HLOG: &str = "latency.hlog";
pub(super) const COMPARISON: &str = "comparison.json";
pub(super) const COMPARISON_MARKDOWN: &str = "comparison.md";
pub(super) const COMPARISON_CSV: &str = "comparison.csv";
/// AIPerf's files lie below it.
pub(super) const AIPERF: &str = "aiperf";

/// All that a run, a report or a comparison writes: whichever is there already is somebody's.
const WRITTEN: [&str; 11] =
    [SAMPLES, REPORT, RUN, HTML, MARKDOWN, CSV, HLOG, AIPERF, COMPARISON, COMPARISON_MARKDOWN, COMPARISON_CSV];

/// A format of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Export {
    /// A histogram log of latencies.
    Hlog,
    /// What AIPerf writes for a run, for each stage.
    Aiperf,
}

/// Lines are handed to the system in pieces of at least this size: a write for each would cost more than making it.
const PIECE_BYTES: usize = 64 * 1024;
/// A run that is killed loses at most the samples of this long.
const KEPT_BACK: Duration = Duration::from_secs(1);

/// An output directory that was writable before anything was sent.
#[derive(Debug)]
pub(super) struct Output {
    directory: PathBuf,
    samples: Arc<Mutex<Samples>>,
    details: Details,
    has_hlog: bool,
    aiperf: Option<AiperfRecords>,
    /// Dropped to end the thread that writes what is kept back.
    stop: Option<Sender<()>>,
    writer: Option<JoinHandle<()>>,
}

/// The file of samples, and the lines it does not have yet. Only whole lines reach it, so that it can be read at any time.
#[derive(Debug)]
struct Samples<W = File> {
    file: W,
    lines: Vec<u8>,
    failure: Option<io::Error>,
}

impl Output {
    /// Creates the directory, and refuses one that holds a run already: no run is written over another.
    pub(super) fn create(directory: PathBuf, exports: &[Export]) -> anyhow::Result<Self> {
        refuse_a_run(&directory)?;
        let shown = directory.display();
        fs::create_dir_all(&directory).with_context(|| format!("--out {shown}: cannot create this directory"))?;
        let file = OpenOptions::new().write(true).create_new(true).open(directory.join(SAMPLES));
        let file = file.with_context(|| format!("--out {shown}: cannot write here"))?;
        let samples = Arc::new(Mutex::new(Samples { file, lines: Vec::with_capacity(2 * PIECE_BYTES), failure: None }));
        let (stop, stopped) = mpsc::channel();
        let kept_back = Arc::clone(&samples);
        let writer = thread::spawn(move || {
            while stopped.recv_timeout(KEPT_BACK) == Err(RecvTimeoutError::Timeout) {
                let mut samples = lock(&kept_back);
                if let Err(failure) = samples.hand_over() {
                    // Kept until somebody hears of it, also when a later write succeeds: the run ends then.
                    samples.failure.get_or_insert(failure);
                }
            }
        });
        let aiperf = exports.contains(&Export::Aiperf).then(|| AiperfRecords::new(&directory));
        Ok(Self {
            directory,
            samples,
            details: Details::default(),
            has_hlog: exports.contains(&Export::Hlog),
            aiperf,
            stop: Some(stop),
            writer: Some(writer),
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Adds a line, and what the other files will need of it.
    pub(super) fn write(&mut self, record: &Record) -> io::Result<()> {
        self.details.record(record)?;
        if let Some(aiperf) = &mut self.aiperf {
            aiperf.record(record)?;
        }
        let mut samples = lock(&self.samples);
        if let Some(failure) = samples.failure.take() {
            return Err(failure);
        }
        serde_json::to_writer(&mut samples.lines, record)?;
        samples.lines.push(b'\n');
        if samples.lines.len() >= PIECE_BYTES { samples.hand_over() } else { Ok(()) }
    }

    /// Ends the run's files with its report and what differs from machine to machine.
    pub(super) fn finish(mut self, report: &Report, run: &serde_json::Value) -> anyhow::Result<()> {
        self.stop.take();
        if let Some(writer) = self.writer.take() {
            // What panicked there was printed; the lines are written below all the same.
            let _ = writer.join();
        }
        let mut samples = lock(&self.samples);
        let handed_over = samples.failure.take().map_or_else(|| samples.hand_over(), Err);
        drop(samples);
        handed_over.with_context(|| self.failed(SAMPLES))?;
        let details = std::mem::take(&mut self.details).finish();
        write_forms(&self.directory, report, &details)?;
        if self.has_hlog {
            fs::write(self.directory.join(HLOG), hlog(&details)).with_context(|| self.failed(HLOG))?;
        }
        fs::write(self.directory.join(RUN), format!("{run:#}\n")).with_context(|| self.failed(RUN))?;
        let aiperf = self.aiperf.take().map_or(Ok(()), |aiperf| aiperf.finish(report, &details));
        aiperf.with_context(|| self.failed("the files for AIPerf"))
    }

    fn failed(&self, file: &str) -> String {
        format!("cannot write {}", self.directory.join(file).display())
    }
}

/// Writes the forms of a rebuilt report into a directory that holds no run.
pub(super) fn write_report(directory: &Path, report: &Report, details: &Details) -> anyhow::Result<()> {
    refuse_a_run(directory)?;
    fs::create_dir_all(directory).with_context(|| format!("--out {}: cannot create this directory", directory.display()))?;
    write_forms(directory, report, details)?;
    let path = directory.join(HLOG);
    fs::write(&path, hlog(details)).with_context(|| format!("cannot write {}", path.display()))
}

/// The report in each of its forms.
fn write_forms(directory: &Path, report: &Report, details: &Details) -> anyhow::Result<()> {
    let forms = [(REPORT, report.to_json()), (CSV, csv(report)), (MARKDOWN, markdown(report)), (HTML, html(report, details))];
    forms.into_iter().try_for_each(|(file, text)| {
        let path = directory.join(file);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    })
}

/// No run is written over another.
pub(super) fn refuse_a_run(directory: &Path) -> anyhow::Result<()> {
    let shown = directory.display();
    if directory.exists() && !directory.is_dir() {
        bail!("--out {shown}: is a file; name a directory");
    }
    if let Some(file) = WRITTEN.iter().find(|file| directory.join(file).exists()) {
        bail!("--out {shown}: holds a run already ({file}); name another directory");
    }
    Ok(())
}

impl<W: Write> Samples<W> {
    fn hand_over(&mut self) -> io::Result<()> {
        let mut written = 0;
        let outcome = loop {
            match self.file.write(&self.lines[written..]) {
                _ if written == self.lines.len() => break Ok(()),
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        // What the file has of them it must not get again.
        self.lines.drain(..written);
        outcome
    }
}

fn lock(samples: &Mutex<Samples>) -> MutexGuard<'_, Samples> {
    // Lines are added whole or end the run, so that a panic elsewhere leaves nothing half done.
    samples.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that takes ten bytes, is full once, and has room again.
    struct Disk {
        written: Vec<u8>,
        writes: u32,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            if self.writes == 2 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(10);
            self.written.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_file_that_is_there_is_written_over_whichever_it_is() {
        for file in WRITTEN {
            let directory = tempfile::tempdir().unwrap();
            refuse_a_run(directory.path()).unwrap();
            fs::write(directory.path().join(file), "kept").unwrap();
            let refusal = refuse_a_run(directory.path()).unwrap_err().to_string();
            assert!(refusal.contains(&format!("holds a run already ({file})")), "{refusal}");
        }
    }

    #[test]
    fn what_was_written_before_a_failure_is_not_written_again() {
        let lines = b"a line\nanother line\n".to_vec();
        let mut samples = Samples { file: Disk { written: Vec::new(), writes: 0 }, lines: lines.clone(), failure: None };
        assert_eq!(samples.hand_over().unwrap_err().kind(), io::ErrorKind::StorageFull);
        samples.hand_over().unwrap();
        assert_eq!((samples.file.written, samples.lines), (lines, Vec::new()));
    }
}
