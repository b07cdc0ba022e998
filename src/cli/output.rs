//! The directory a run leaves behind: samples.jsonl as they come, then report.json and run.json.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail};
use relaybench::load::Record;
use relaybench::report::Report;

pub(super) const SAMPLES: &str = "samples.jsonl";
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
    samples: Arc<Mutex<Samples>>,
    /// Dropped to end the thread that writes what is kept back.
    stop: Option<Sender<()>>,
    writer: Option<JoinHandle<()>>,
}

/// The file of samples, and the lines it does not have yet. Only whole lines reach it, so that it can be read at any time.
#[derive(Debug)]
struct Samples {
    file: File,
    lines: Vec<u8>,
    failure: Option<io::Error>,
}

impl Output {
    /// Creates the directory, and refuses one that holds a run already: no run is written over another.
    pub(super) fn create(directory: PathBuf) -> anyhow::Result<Self> {
        let shown = directory.display();
        if directory.exists() && !directory.is_dir() {
            bail!("--out {shown}: is a file; name a directory");
        }
        if [SAMPLES, REPORT, RUN].iter().any(|file| directory.join(file).exists()) {
            bail!("--out {shown}: holds a run already; name another directory");
        }
        fs::create_dir_all(&directory).with_context(|| format!("--out {shown}: cannot create this directory"))?;
        let file = OpenOptions::new().write(true).create_new(true).open(directory.join(SAMPLES));
        let file = file.with_context(|| format!("--out {shown}: cannot write here"))?;
        let samples = Arc::new(Mutex::new(Samples { file, lines: Vec::with_capacity(2 * PIECE_BYTES), failure: None }));
        let (stop, stopped) = mpsc::channel();
        let kept_back = Arc::clone(&samples);
        let writer = thread::spawn(move || {
            while stopped.recv_timeout(KEPT_BACK) == Err(RecvTimeoutError::Timeout) {
                let mut samples = lock(&kept_back);
                samples.failure = samples.hand_over().err();
            }
        });
        Ok(Self { directory, samples, stop: Some(stop), writer: Some(writer) })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Adds a line.
    pub(super) fn write(&mut self, record: &Record) -> io::Result<()> {
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
        lock(&self.samples).hand_over().with_context(|| self.failed(SAMPLES))?;
        fs::write(self.directory.join(REPORT), report.to_json()).with_context(|| self.failed(REPORT))?;
        fs::write(self.directory.join(RUN), format!("{run:#}\n")).with_context(|| self.failed(RUN))?;
        Ok(())
    }

    fn failed(&self, file: &str) -> String {
        format!("cannot write {}", self.directory.join(file).display())
    }
}

impl Samples {
    fn hand_over(&mut self) -> io::Result<()> {
        self.file.write_all(&self.lines)?;
        self.lines.clear();
        Ok(())
    }
}

fn lock(samples: &Mutex<Samples>) -> MutexGuard<'_, Samples> {
    // Lines are added whole or end the run, so that a panic elsewhere leaves nothing half done.
    samples.lock().unwrap_or_else(PoisonError::into_inner)
}
