use super::*;
use crate::load::scenario::Stage;

fn scenario(load: &str, extent: &str) -> Scenario {
    let text = format!("name = \"x\"\n[[stage]]\nload = {load}\n{extent}\nwarm_up = \"1s\"\n");
    Scenario::parse(&text, "x.toml").unwrap()
}

fn schedule(load: &str, extent: &str) -> Schedule {
    Schedule::new(&scenario(load, extent), 0)
}

fn times_ns(schedule: &Schedule) -> Vec<u128> {
    schedule.arrivals().map(|arrival| arrival.intended().unwrap().as_nanos()).collect()
}

#[test]
fn a_closed_loop_sends_whenever_a_slot_is_free() {
    let schedule = schedule(r#"{ kind = "closed", concurrency = 3 }"#, "requests = 4");
    let arrivals: Vec<_> = schedule.arrivals().map(|arrival| (arrival.index, arrival.release)).collect();
    assert_eq!(arrivals, [0, 1, 2, 3].map(|index| (index, Release::SlotFree)));
    assert_eq!((schedule.slots(), schedule.max_in_flight()), (3, usize::MAX));
}

#[test]
fn a_wave_waits_for_the_whole_wave_before() {
    let schedule = schedule(r#"{ kind = "waves", concurrency = 3 }"#, "requests = 7");
    let starts: Vec<_> = schedule.arrivals().filter(|a| a.release == Release::AllEnded).map(|a| a.index).collect();
    assert_eq!(starts, [0, 3, 6]);
}

#[test]
fn a_duration_ends_the_sending_and_not_the_count() {
    let schedule = schedule(r#"{ kind = "closed", concurrency = 3 }"#, "duration = \"5s\"");
    assert_eq!(schedule.scheduled(), None);
    assert!(schedule.is_open_at(Duration::from_nanos(4_999_999_999)));
    assert!(!schedule.is_open_at(Duration::from_secs(5)));
}

#[test]
fn the_ramp_is_the_first_of_each_slot_and_the_warm_up() {
    let schedule = schedule(r#"{ kind = "closed", concurrency = 3 }"#, "requests = 9");
    let window = |index, sent_s| schedule.window(Arrival { index, release: Release::SlotFree }, Duration::from_secs(sent_s));
    assert_eq!([window(2, 7), window(3, 0), window(3, 1)], [Window::Ramp, Window::Ramp, Window::Steady]);
}

#[test]
fn in_an_open_loop_the_window_is_by_the_intended_time() {
    let schedule = schedule(r#"{ kind = "constant", rate = "10/s" }"#, "requests = 20");
    let late = Duration::from_secs(9);
    let windows: Vec<_> = schedule.arrivals().map(|arrival| schedule.window(arrival, late)).collect();
    assert_eq!((windows[9], windows[10]), (Window::Ramp, Window::Steady));
}

#[test]
fn a_constant_rate_is_exact_to_the_nanosecond() {
    assert_eq!(
        times_ns(&schedule(r#"{ kind = "constant", rate = "100/s" }"#, "requests = 4")),
        [0, 10_000_000, 20_000_000, 30_000_000]
    );
    let thirds = times_ns(&schedule(r#"{ kind = "constant", rate = "3/s" }"#, "duration = \"1s\""));
    assert_eq!(thirds, [0, 333_333_333, 666_666_667]);
    let last = schedule(r#"{ kind = "constant", rate = "100/s" }"#, "requests = 10000001").arrivals().last().unwrap();
    assert_eq!(last.intended(), Some(Duration::from_secs(100_000)), "nothing adds up");
}

#[test]
fn a_ramp_sends_as_many_as_the_area_under_its_rate() {
    let up = times_ns(&schedule(r#"{ kind = "ramp", from = "10/s", to = "30/s" }"#, "duration = \"10s\""));
    assert_eq!(up.len(), 200);
    // H(t) = 10t + t² is 75 at t = 5.
    assert_eq!(up[75], 5_000_000_000);
    let down = times_ns(&schedule(r#"{ kind = "ramp", from = "30/s", to = "10/s" }"#, "duration = \"10s\""));
    // 30t − t² is 125 at t = 5.
    assert_eq!((down.len(), down[125]), (200, 5_000_000_000));
}

#[test]
fn golden_times_hold_to_the_nanosecond() {
    let poisson = times_ns(&schedule(r#"{ kind = "poisson", rate = "100/s" }"#, "requests = 3"));
    assert_eq!(poisson, [2_120_337, 7_422_020, 13_745_160]);
    let gamma = times_ns(&schedule(r#"{ kind = "gamma", rate = "100/s", cv = 2 }"#, "requests = 3"));
    assert_eq!(gamma, [36_005, 822_335, 2_159_688]);
}

#[test]
fn seed_and_stage_give_other_times() {
    let load = r#"{ kind = "poisson", rate = "100/s" }"#;
    let mut two = scenario(load, "requests = 3");
    two.stages.push(Stage { name: "again".to_owned(), ..two.stages[0].clone() });
    let [first, second] = [0, 1].map(|stage| times_ns(&Schedule::new(&two, stage)));
    two.seed = 2;
    assert!(first != second && first != times_ns(&Schedule::new(&two, 0)));
}

#[test]
fn conversations_are_numbered_by_their_turns() {
    let schedule = schedule(r#"{ kind = "sessions", concurrency = 2, turns = 3, think_time = "5s" }"#, "sessions = 3");
    let firsts: Vec<_> = schedule.arrivals().map(|arrival| arrival.index).collect();
    assert_eq!(firsts, [0, 3, 6]);
    assert_eq!(schedule.next_turn(3), Some(NextTurn { index: 4, think_time: Duration::from_secs(5), left: 2 }));
    assert_eq!((schedule.next_turn(5), schedule.place(4)), (None, Some((1, 1))));
}
