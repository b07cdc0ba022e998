//! The directory a run leaves behind: samples.jsonl as they come, then report.json and run.json.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use relaybench::load::Record;
use relaybench::report::Report;
use relaybench_clock::{Instant, now};

const SAMPLES: &str = "samples.jsonl";
const REPORT: &str = "report.json";
const RUN: &str = "run.json";

/// Lines are handed to the system in pieces of at least this size: a write for each would cost more than making it.
const PIECE_BYTES: usize = 64 * 1024;
/// A run that is killed loses at most the samples of this long.
const KEPT_BACK: Duration = Duration::from_secs(1);

/// An output directory that was writable before anything was sent.
#[derive(Debug)]
pub(super) struct Output {
    directory: PathBuf,
    samples: File,
    lines: Vec<u8>,
    written: Instant,
}

impl Output {
    /// Creates the directory, and refuses one that holds a run already: samples are never overwritten.
    pub(super) fn create(directory: PathBuf) -> anyhow::Result<Self> {
        let shown = directory.display();
        if directory.exists() && !directory.is_dir() {
            bail!("--out {shown}: is a file; name a directory");
        }
        fs::create_dir_all(&directory).with_context(|| format!("--out {shown}: cannot create this directory"))?;
        let samples =
            OpenOptions::new().write(true).create_new(true).open(directory.join(SAMPLES)).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::AlreadyExists => anyhow::anyhow!("--out {shown}: holds a run already; name another directory"),
                    _ => anyhow::Error::new(error).context(format!("--out {shown}: cannot write here")),
                }
            })?;
        Ok(Self { samples, lines: Vec::with_capacity(2 * PIECE_BYTES), written: now(), directory })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Adds a line. Only whole lines reach the file, so that it can be read at any time.
    pub(super) fn write(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, record)?;
        self.lines.push(b'\n');
        let is_final = matches!(record, Record::Run(_) | Record::Stage(_));
        if is_final || self.lines.len() >= PIECE_BYTES || self.written.elapsed() >= KEPT_BACK {
            self.samples.write_all(&self.lines)?;
            self.lines.clear();
            self.written = now();
        }
        Ok(())
    }

    /// Ends the run's files with its report and what differs from machine to machine.
    pub(super) fn finish(mut self, report: &Report, run: &serde_json::Value) -> anyhow::Result<()> {
        self.samples.write_all(&self.lines).with_context(|| self.failed(SAMPLES))?;
        fs::write(self.directory.join(REPORT), report.to_json()).with_context(|| self.failed(REPORT))?;
        fs::write(self.directory.join(RUN), format!("{run:#}\n")).with_context(|| self.failed(RUN))?;
        Ok(())
    }

    fn failed(&self, file: &str) -> String {
        format!("cannot write {}", self.directory.join(file).display())
    }
}
