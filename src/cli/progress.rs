//! What a person sees while a run goes on; nothing when stderr is not a terminal.

mod so_far;

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use relaybench::load::{InFlight, Record, Scenario, Schedule};

use self::so_far::SoFar;

/// How long one text stands: making it costs more than taking a sample does, and nobody reads faster.
const STANDS: Duration = Duration::from_millis(50);

/// A bar for the stage that is running: done, rate, time left, and below it what came of it so far.
#[derive(Debug)]
pub(super) struct Progress {
    stages: Vec<(String, Option<u64>)>,
    in_flight: InFlight,
    bar: ProgressBar,
    so_far: SoFar,
    /// How long the stage had gone on when the text was made.
    told_at: Option<Duration>,
    is_hidden: bool,
}

impl Progress {
    pub(super) fn new(scenario: &Scenario, in_flight: &InFlight, is_quiet: bool) -> Self {
        let stages = (0..)
            .zip(&scenario.stages)
            .map(|(number, stage)| (stage.name.clone(), Schedule::new(scenario, number).scheduled()))
            .collect();
        let is_hidden = is_quiet || !std::io::stderr().is_terminal();
        let so_far = SoFar::new(scenario.request.models.first(), scenario.request.prices.clone());
        let mut progress =
            Self { stages, in_flight: in_flight.clone(), bar: ProgressBar::hidden(), so_far, told_at: None, is_hidden };
        progress.begin(0);
        progress
    }

    /// Follows the records of the run.
    pub(super) fn show(&mut self, record: &Record) {
        if self.is_hidden {
            return;
        }
        match record {
            Record::Run(_) => {}
            Record::Sample(sample) => {
                self.so_far.add(sample);
                self.bar.inc(sample.count);
                let elapsed = self.bar.elapsed();
                if self.told_at.is_none_or(|told_at| elapsed >= told_at + STANDS) {
                    self.told_at = Some(elapsed);
                    self.bar.set_message(self.so_far.line(self.in_flight.count()));
                }
            }
            Record::Stage(end) => {
                self.bar.finish_and_clear();
                self.so_far.begin_stage();
                self.told_at = None;
                self.begin(end.stage as usize + 1);
            }
        }
    }

    fn begin(&mut self, stage: usize) {
        let Some((name, scheduled)) = self.stages.get(stage).filter(|_| !self.is_hidden) else { return };
        let template = match scheduled {
            Some(_) => "{prefix:>12} {wide_bar} {pos}/{len}  {rate}  {eta} left\n{wide_msg}",
            None => "{prefix:>12} {spinner} {pos}  {rate}  {elapsed}\n{wide_msg}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            // A line that cannot be drawn is not worth ending a run for.
            let _ = write!(out, "{:.0} req/s", state.per_sec());
        });
        self.bar =
            ProgressBar::with_draw_target(*scheduled, ProgressDrawTarget::stderr()).with_style(style).with_prefix(name.clone());
    }
}
