//! What a person sees while a run goes on; nothing when stderr is not a terminal.

mod so_far;

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use relaybench::load::{Extent, InFlight, Record, Sample, Scenario, Schedule};

use self::so_far::SoFar;

/// How long one text stands: making it costs more than taking a sample does, and nobody reads faster.
const STANDS: Duration = Duration::from_millis(50);

/// How often the lines are drawn while nothing ends: a relay that stalls is when they are looked at.
const TICK: Duration = Duration::from_millis(200);

/// A bar for the stage that is running: done, rate, time left, and below it what came of it so far.
#[derive(Debug)]
pub(super) struct Progress {
    stages: Vec<Shown>,
    in_flight: InFlight,
    bar: ProgressBar,
    so_far: SoFar,
    /// How long the stage had gone on when the text was made.
    told_at: Option<Duration>,
    is_hidden: bool,
}

/// What is known of a stage before it begins.
#[derive(Debug)]
struct Shown {
    name: String,
    scheduled: Option<u64>,
    /// How long it sends, where that is what was asked.
    sends_for: Option<Duration>,
}

impl Progress {
    pub(super) fn new(scenario: &Scenario, in_flight: &InFlight, is_quiet: bool) -> Self {
        let stages = (0..)
            .zip(&scenario.stages)
            .map(|(number, stage)| Shown {
                name: stage.name.clone(),
                scheduled: Schedule::new(scenario, number).scheduled(),
                sends_for: if let Extent::Duration(duration) = stage.extent { Some(duration) } else { None },
            })
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
                self.count(sample);
                let elapsed = self.bar.elapsed();
                if self.told_at.is_none_or(|told_at| elapsed >= told_at + STANDS) {
                    self.told_at = Some(elapsed);
                    self.bar.set_message(self.so_far.line());
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

    /// What was not sent makes the stage shorter, and is no rate.
    fn count(&self, sample: &Sample) {
        match self.bar.length() {
            Some(length) if sample.sent.is_none() => self.bar.set_length(length.saturating_sub(sample.count)),
            None if sample.sent.is_none() => {}
            _ => self.bar.inc(sample.count),
        }
    }

    fn begin(&mut self, stage: usize) {
        let Some(Shown { name, scheduled, sends_for }) = self.stages.get(stage).filter(|_| !self.is_hidden) else { return };
        let template = match scheduled {
            Some(_) => "{prefix:>12} {wide_bar} {pos}/{len}  {rate}{left}\n{in_flight:>12} in flight{wide_msg}",
            None => "{prefix:>12} {spinner} {pos}  {rate}  {elapsed}{sends_for}\n{in_flight:>12} in flight{wide_msg}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let (in_flight, sends_for) = (self.in_flight.clone(), *sends_for);
        let style = style.with_key("in_flight", move |_: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{}", in_flight.count());
        });
        let style = style.with_key("sends_for", move |_: &ProgressState, out: &mut dyn Write| {
            let _ = sends_for.map_or(Ok(()), |sends_for| write!(out, " of {:#}", HumanDuration(sends_for)));
        });
        let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            // A line that cannot be drawn is not worth ending a run for.
            let rate = state.per_sec();
            let _ = if rate < 10.0 { write!(out, "{rate:.1} req/s") } else { write!(out, "{rate:.0} req/s") };
        });
        // Before the first has ended nothing is known of the others.
        let style = style.with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            let _ = if state.pos() == 0 { Ok(()) } else { write!(out, "  {:#} left", HumanDuration(state.eta())) };
        });
        self.bar =
            ProgressBar::with_draw_target(*scheduled, ProgressDrawTarget::stderr()).with_style(style).with_prefix(name.clone());
        self.bar.enable_steady_tick(TICK);
    }
}
