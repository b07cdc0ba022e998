//! The core alone against queueing theory, and against its own rules for any sequence of arrivals and departures.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use proptest::prelude::*;
use relaybench_mock::draw::{self, Draws, Purpose};
use relaybench_mock::relay::{Delay, Demand, Finish, Pace, Relay, Stay, Ticket};

use crate::support::profile;

/// A request that is served for this long, or in a batch takes a step for each token.
#[derive(Clone, Copy, Debug)]
struct Job {
    arrives: Duration,
    service: Duration,
    prompt_tokens: u32,
    tokens: u32,
    /// It goes away this long after it came, whatever it got.
    patience: Option<Duration>,
}

impl Job {
    fn served(arrives: Duration, service: Duration) -> Self {
        Self { arrives, service, prompt_tokens: 0, tokens: 1, patience: None }
    }

    fn demand(&self, is_batch: bool) -> Demand {
        let delay = match is_batch {
            true => Delay::OfBatch { prompt_tokens: self.prompt_tokens },
            false => Delay::Known(Pace::even(self.service, self.tokens)),
        };
        Demand::Completion { tokens: self.tokens, finish: Finish::Stop, delay, stay: Stay::Latency }
    }
}

/// What became of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Fate {
    refused: bool,
    granted: Option<Duration>,
    first: Option<Duration>,
    last: Option<Duration>,
    left: Option<Duration>,
}

struct Simulation {
    relay: Relay,
    is_batch: bool,
    present: HashMap<usize, (Ticket, usize)>,
    departures: BTreeMap<(Duration, usize), usize>,
    fates: Vec<Fate>,
}

impl Simulation {
    fn run(toml: &str, jobs: &[Job]) -> Vec<Fate> {
        let (relay, is_batch) = (Relay::new(&profile(toml)), toml.contains("\"batch\""));
        let (present, departures, fates) = (HashMap::new(), BTreeMap::new(), vec![Fate::default(); jobs.len()]);
        let mut simulation = Self { relay, is_batch, present, departures, fates };
        let mut arriving = jobs.iter().enumerate().peekable();
        loop {
            let arrival = arriving.peek().map(|(_, job)| job.arrives);
            let departure = simulation.departures.first_key_value().map(|((at, _), _)| *at);
            let Some(now) = [arrival, departure, simulation.relay.next_event()].into_iter().flatten().min() else { break };
            simulation.relay.advance(now);
            // Whoever is granted at the instant at which its patience ends was granted.
            simulation.follow(jobs);
            while let Some(entry) = simulation.departures.first_entry().filter(|entry| entry.key().0 <= now) {
                let seat = entry.remove();
                simulation.depart(seat, now);
            }
            while let Some((index, job)) = arriving.next_if(|(_, job)| job.arrives <= now) {
                simulation.arrive(index, job, now);
            }
            simulation.follow(jobs);
        }
        assert_eq!((simulation.relay.in_flight(), simulation.present.len()), (0, 0), "whoever came has left");
        simulation.fates
    }

    fn arrive(&mut self, index: usize, job: &Job, now: Duration) {
        let Ok(arrival) = self.relay.arrive(job.demand(self.is_batch), job.arrives, now) else {
            self.fates[index].refused = true;
            return;
        };
        let seat = arrival.ticket.seat().expect("these models all have seats");
        self.present.insert(seat, (arrival.ticket, index));
        if let Some(patience) = job.patience {
            self.departures.insert((now + patience, index), seat);
        }
        self.look(seat, job);
    }

    /// Looks at everyone who moved, until nobody does.
    fn follow(&mut self, jobs: &[Job]) {
        loop {
            let moved: Vec<usize> = self.relay.moved().collect();
            if moved.is_empty() {
                return;
            }
            for seat in moved {
                let index = self.present[&seat].1;
                self.look(seat, &jobs[index]);
            }
        }
    }

    fn look(&mut self, seat: usize, job: &Job) {
        let (ticket, index) = &self.present[&seat];
        let fate = &mut self.fates[*index];
        let wanted = if self.is_batch { job.tokens } else { 0 };
        let progress = self.relay.look(ticket, wanted).expect("it has a seat");
        let Some(grant) = progress.grant else { return };
        fate.granted = Some(grant.from);
        let ends = match self.is_batch {
            true if progress.tokens == job.tokens => progress.last,
            true => return,
            false => grant.from + job.service,
        };
        (fate.first, fate.last) = (progress.first, Some(ends));
        let impatient = job.patience.map(|patience| (job.arrives + patience, *index));
        if let Some(leaves) = impatient.filter(|(at, _)| ends < *at) {
            self.departures.remove(&leaves);
        }
        if impatient.is_none_or(|(at, _)| ends < at) {
            self.departures.insert((ends, *index), seat);
        }
    }

    fn depart(&mut self, seat: usize, now: Duration) {
        let (ticket, index) = self.present.remove(&seat).expect("nobody leaves twice");
        self.relay.leave(ticket, now);
        self.fates[index].left = Some(now);
    }
}

const SERVICE: Duration = Duration::from_millis(100);

/// Jobs of one simulation.
const JOBS: u64 = 1_000_000;

fn exponential(mean: Duration, uniform: f64) -> Duration {
    mean.mul_f64(-uniform.ln())
}

/// The mean wait, over so many simulations, of jobs that arrive at random and keep the servers busy for this share of the time.
/// `service` is the quantile function of what a job takes.
fn mean_wait_s(servers: u32, utilisation: f64, simulations: u64, service: impl Fn(f64) -> Duration) -> f64 {
    let gap = SERVICE.div_f64(f64::from(servers) * utilisation);
    let toml = format!("[capacity]\nmodel = \"queue\"\nservers = {servers}");
    let one = |simulation| {
        let draws = |index| Draws::new(simulation, draw::hash(b"queueing"), index);
        let mut arrives = Duration::ZERO;
        let job = |index| {
            arrives += exponential(gap, draws(index).uniform(Purpose::Gaps));
            Job::served(arrives, service(draws(index).uniform(Purpose::Latency)))
        };
        let jobs: Vec<Job> = (0..JOBS).map(job).collect();
        let fates = Simulation::run(&toml, &jobs);
        let waits = fates.iter().zip(&jobs).map(|(fate, job)| (fate.granted.unwrap() - job.arrives).as_secs_f64());
        waits.sum::<f64>() / JOBS as f64
    };
    (0..simulations).map(one).sum::<f64>() / simulations as f64
}

/// Erlang C: the mean wait of M/M/c.
fn erlang_c_s(servers: u32, utilisation: f64) -> f64 {
    let offered = f64::from(servers) * utilisation;
    let blocked = (1..=servers).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    let waits = blocked / (1.0 - utilisation * (1.0 - blocked));
    waits * SERVICE.as_secs_f64() / (f64::from(servers) * (1.0 - utilisation))
}

#[track_caller]
fn assert_within_3_percent(what: &str, found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 0.03, "{what}: {found} s is not {expected} s");
}

#[test]
fn random_arrivals_and_services_wait_as_erlang_c_says() {
    // The nearer to saturation, the longer do waits depend on those before, and the more jobs does a mean need.
    for (utilisation, simulations) in [(0.5, 1), (0.7, 1), (0.9, 4)] {
        for servers in [1, 4] {
            let found = mean_wait_s(servers, utilisation, simulations, |uniform| exponential(SERVICE, uniform));
            assert_within_3_percent(&format!("{servers} at {utilisation}"), found, erlang_c_s(servers, utilisation));
        }
    }
}

#[test]
fn equal_services_wait_as_pollaczek_and_khinchine_say() {
    for (utilisation, simulations) in [(0.5, 1), (0.7, 1), (0.9, 3)] {
        let found = mean_wait_s(1, utilisation, simulations, |_| SERVICE);
        let expected = utilisation * SERVICE.as_secs_f64() / (2.0 * (1.0 - utilisation));
        assert_within_3_percent(&format!("at {utilisation}"), found, expected);
    }
}

/// As many requests as fill a batch of 16 twice, all of 400 tokens, for as long as it takes.
fn saturated_tokens_per_second(extra: &str) -> f64 {
    const STEP: &str = "[capacity]\nmodel = \"batch\"\nmax_batch = 16\nstep = \"20ms\"\n";
    let job = |index| Job { prompt_tokens: 50, tokens: 400, ..Job::served(Duration::from_millis(index), SERVICE) };
    let jobs: Vec<Job> = (0..320).map(job).collect();
    let fates = Simulation::run(&format!("{STEP}{extra}"), &jobs);
    let ends = fates.iter().map(|fate| fate.last.unwrap()).max().unwrap();
    (320.0 * 400.0) / ends.as_secs_f64()
}

#[test]
fn a_saturated_batch_gives_its_size_in_tokens_a_step() {
    let found = saturated_tokens_per_second("");
    assert!((found / (16.0 / 0.020) - 1.0).abs() < 0.02, "{found}");
}

#[test]
fn running_requests_and_prompts_make_a_saturated_batch_slower_by_what_they_take() {
    // 16 requests add 1 ms each to a step.
    let slower = saturated_tokens_per_second("step_per_request = \"1ms\"");
    assert!((slower / (16.0 / 0.036) - 1.0).abs() < 0.02, "{slower}");
    // In 400 steps of 20 ms, 16 prompts of 50 tokens take 800 ms.
    let prefilling = saturated_tokens_per_second("prefill_tokens_per_second = 1000");
    assert!((prefilling / (16.0 * 400.0 / (8.0 + 0.8)) - 1.0).abs() < 0.02, "{prefilling}");
}

#[test]
fn each_request_beyond_the_limit_makes_a_step_longer_by_its_share() {
    let toml = "[capacity]\nmodel = \"batch\"\nmax_batch = 3\nstep = \"10ms\"\ncollapse_above = 1\ncollapse_per_request = 0.5";
    let job = Job { tokens: 2, ..Job::served(Duration::ZERO, SERVICE) };
    let fates = Simulation::run(toml, &[job; 4]);
    // The first step begins with one in flight; the second with three running and one waiting, three beyond the limit.
    let last = |index: usize| fates[index].last.unwrap().as_micros();
    assert_eq!((last(0), fates[1].first.unwrap().as_micros()), (35_000, 35_000));
    // Then three are in flight, two beyond the limit: 20 ms.
    assert_eq!([last(1), last(2)], [55_000, 55_000]);
    // And then one alone.
    assert_eq!(last(3), 65_000);
}

#[test]
fn beyond_its_limit_a_batch_collapses_as_configured() {
    // 320 requests within 0.32 s: on average about 160 in flight, each beyond 100 making steps longer by 1 %.
    let collapsing = saturated_tokens_per_second("collapse_above = 100\ncollapse_per_request = 0.01");
    let bounds = 16.0 / 0.020 / (1.0 + 0.01 * 220.0)..0.75 * 16.0 / 0.020;
    assert!(bounds.contains(&collapsing), "{collapsing} {bounds:?}");
}

/// Jobs in any order of arrivals, some of them impatient, with many equal instants.
fn jobs() -> impl Strategy<Value = Vec<Job>> {
    let job = (0_u64..20, 1_u64..20, 1_u32..6, proptest::option::of(0_u64..30));
    proptest::collection::vec(job, 1..60).prop_map(|jobs| {
        let mut arrives = Duration::ZERO;
        let of = |(index, (gap, service, tokens, patience)): (usize, (u64, u64, u32, Option<u64>))| {
            // Half of them come together with the one before.
            arrives += Duration::from_millis(gap.saturating_sub(10));
            // Never at the instant of something else, so that it is clear who came first.
            let patience = patience.map(|ms| Duration::from_micros(1_000 * ms + index as u64 + 1));
            Job { arrives, service: Duration::from_millis(service), prompt_tokens: tokens, tokens, patience }
        };
        jobs.into_iter().enumerate().map(of).collect()
    })
}

fn first_come_first_served(fates: &[Fate]) -> Result<(), TestCaseError> {
    let grants: Vec<Duration> = fates.iter().filter_map(|fate| fate.granted).collect();
    prop_assert!(grants.is_sorted(), "{:?}", grants);
    Ok(())
}

proptest! {
    #[test]
    fn a_queue_serves_no_more_than_it_has_servers_and_no_less_than_it_could(jobs in jobs(), servers in 1_usize..4, places in 0_usize..5) {
        let toml = format!("[capacity]\nmodel = \"queue\"\nservers = {servers}\nwaiting_room = {places}");
        let fates = Simulation::run(&toml, &jobs);
        first_come_first_served(&fates)?;
        let ended = |index: usize| fates[index].last.unwrap().min(fates[index].left.unwrap());
        for (index, (fate, job)) in fates.iter().zip(&jobs).enumerate() {
            let at = fate.granted.unwrap_or(job.arrives);
            let served = |other: &usize| fates[*other].granted.is_some_and(|from| from <= at) && ended(*other) > at;
            let others = (0..jobs.len()).filter(|other| *other != index).filter(served).count();
            let waiting = fates[..index].iter().filter(|fate| {
                !fate.refused && fate.granted.is_none_or(|from| from > at) && fate.left.unwrap() > at
            }).count();
            match fate {
                Fate { refused: true, .. } => prop_assert!(others >= servers && waiting >= places, "{index}"),
                // Whoever waited got the place at the instant at which another was done with it.
                Fate { granted: Some(from), .. } if *from > job.arrives => {
                    prop_assert!(others < servers, "{index}");
                    let freed = (0..jobs.len()).any(|other| fates[other].granted.is_some() && ended(other) == *from);
                    prop_assert!(freed, "{index} was granted when nobody had left");
                }
                Fate { granted: Some(_), .. } => prop_assert!(others < servers, "{index}"),
                Fate { granted: None, .. } => prop_assert!(job.patience.is_some(), "{index} was forgotten"),
            }
        }
    }

    #[test]
    fn a_rate_is_never_exceeded_and_no_slot_is_wasted_while_somebody_waits(jobs in jobs(), places in 0_u32..5) {
        let toml = format!("[capacity]\nmodel = \"rate\"\nrequests_per_second = 125.0\nwaiting_room = {places}");
        let fates = Simulation::run(&toml, &jobs);
        first_come_first_served(&fates)?;
        let interval = Duration::from_millis(8);
        let mut last: Option<Duration> = None;
        for (fate, job) in fates.iter().zip(&jobs) {
            let Some(from) = fate.granted else { continue };
            let free = last.map_or(job.arrives, |last| (last + interval).max(job.arrives));
            prop_assert_eq!(from, free);
            last = Some(from);
        }
        let is_forgotten = |(fate, job): (&Fate, &Job)| !fate.refused && fate.granted.is_none() && job.patience.is_none();
        prop_assert!(!fates.iter().zip(&jobs).any(is_forgotten));
    }

    #[test]
    fn a_batch_gives_every_patient_request_all_its_tokens_at_least_a_step_apart(jobs in jobs(), max in 1_u32..4) {
        let toml = format!("[capacity]\nmodel = \"batch\"\nmax_batch = {max}\nstep = \"7ms\"\nprefill_tokens_per_second = 1000");
        let fates = Simulation::run(&toml, &jobs);
        first_come_first_served(&fates)?;
        for (fate, job) in fates.iter().zip(&jobs) {
            let Some(last) = fate.last else {
                prop_assert!(job.patience.is_some());
                continue;
            };
            let (from, first) = (fate.granted.unwrap(), fate.first.unwrap());
            let step = Duration::from_millis(7);
            prop_assert!(first >= from + step + Duration::from_millis(u64::from(job.prompt_tokens)));
            prop_assert!(last >= first + step * (job.tokens - 1));
        }
    }
}
