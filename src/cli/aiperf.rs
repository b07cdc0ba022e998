//! The files for AIPerf's readers, a directory a stage: records as they come, aggregates in the end.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use relaybench::load::{Record, RunHeader};
use relaybench::report::{Details, Report, aiperf};

#[derive(Debug)]
pub(super) struct AiperfRecords {
    directory: PathBuf,
    header: Option<RunHeader>,
    /// The stage that goes on, and its file. Stages follow one another.
    current: Option<(u32, BufWriter<File>)>,
}

impl AiperfRecords {
    pub(super) fn new(run: &Path) -> Self {
        Self { directory: run.join(super::output::AIPERF), header: None, current: None }
    }

    pub(super) fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Run(header) => self.header = Some(header.clone()),
            Record::Sample(sample) => {
                let line = self.header.as_ref().and_then(|header| aiperf::record(header, sample));
                if let Some(line) = line {
                    self.file(sample.stage)?.write_all(line.as_bytes())?;
                }
            }
            Record::Stage(_) => self.close()?,
        }
        Ok(())
    }

    /// Adds the aggregates of each stage.
    pub(super) fn finish(mut self, report: &Report, details: &Details) -> io::Result<()> {
        self.close()?;
        for (place, stage) in report.stages.iter().enumerate() {
            if let Some(summary) = aiperf::summary(report, details, place) {
                let directory = self.directory.join(aiperf::directory(place, &stage.name));
                fs::create_dir_all(&directory)?;
                fs::write(directory.join(aiperf::SUMMARY_FILE), summary)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, stage: u32) -> io::Result<&mut BufWriter<File>> {
        if self.current.as_ref().is_some_and(|(current, _)| *current != stage) {
            self.close()?;
        }
        match &mut self.current {
            Some((_, file)) => Ok(file),
            none => Ok(&mut none.insert((stage, Self::open(&self.directory, self.header.as_ref(), stage)?)).1),
        }
    }

    fn open(directory: &Path, header: Option<&RunHeader>, stage: u32) -> io::Result<BufWriter<File>> {
        let name = header.and_then(|header| header.stages.get(stage as usize)).map_or("stage", |stage| &stage.name);
        let directory = directory.join(aiperf::directory(stage as usize, name));
        fs::create_dir_all(&directory)?;
        Ok(BufWriter::new(File::create(directory.join(aiperf::RECORDS_FILE))?))
    }

    fn close(&mut self) -> io::Result<()> {
        self.current.take().map_or(Ok(()), |(_, mut file)| file.flush())
    }
}
