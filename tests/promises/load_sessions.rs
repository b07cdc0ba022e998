//! Conversations: each turn sends what was said so far, when the answer before it was read and thought about.

use std::collections::BTreeMap;
use std::time::Duration;

use relaybench::load::{Outcome, Sample};
use relaybench_mock::Entry;
use statrs::distribution::{ContinuousCDF, Exp};

use crate::support::fit::assert_fits;
use crate::support::runs::{Played, play_virtual};

const QUICK: &str =
    "[latency]\ntotal = { dist = \"fixed\", value = \"50ms\" }\n[completion]\ntokens = { dist = \"fixed\", value = 40 }\n";

/// Which request of the stage an attempt is of.
fn index(entry: &Entry) -> u64 {
    entry.request_id.as_deref().unwrap().rsplit('-').next().unwrap().parse().unwrap()
}

fn by_session(played: &Played) -> BTreeMap<u64, Vec<&Sample>> {
    let mut sessions: BTreeMap<u64, Vec<&Sample>> = BTreeMap::new();
    for sample in played.samples() {
        sessions.entry(sample.session.unwrap().0).or_default().push(sample);
    }
    sessions.values_mut().for_each(|turns| turns.sort_unstable_by_key(|sample| sample.index));
    sessions
}

#[test]
fn a_turn_comes_when_the_answer_was_read_and_thought_about() {
    let load = "load = { kind = \"sessions\", rate = \"20/s\", turns = 5, think_time = { dist = \"exponential\", mean = \"3s\" } }\n\
                sessions = 500";
    let played = play_virtual(load, QUICK);
    played.assert_accounted_for();
    let sessions = by_session(&played);
    assert_eq!(sessions.len(), 500);
    // By the mock's own account: when each turn came, and when the answer before it had been written.
    let entries: BTreeMap<u64, &Entry> = played.ledger.iter().map(|entry| (index(entry), entry)).collect();
    let seconds = |from_ns: u64, to_ns: u64| (to_ns - from_ns) as f64 / 1e9;
    let starts: Vec<u64> = sessions.values().map(|turns| entries[&turns[0].index].arrived_ns).collect();
    let gaps: Vec<f64> = starts.windows(2).map(|pair| seconds(pair[0], pair[1])).collect();
    let begun = Exp::new(20.0).unwrap();
    assert_fits("beginnings", &gaps, |gap| begun.cdf(gap));
    let thought: Vec<f64> = sessions
        .values()
        .flat_map(|turns| turns.windows(2).map(|pair| (entries[&pair[0].index], entries[&pair[1].index])))
        .map(|(before, turn)| seconds(before.end_written_ns.unwrap(), turn.arrived_ns))
        .collect();
    assert_eq!(thought.len(), 2000);
    let think_time = Exp::new(1.0 / 3.0).unwrap();
    assert_fits("think times", &thought, |time| think_time.cdf(time));
}

#[test]
fn each_turn_sends_the_conversation_so_far() {
    let load = "load = { kind = \"sessions\", concurrency = 3, turns = 4, think_time = \"1s\" }\nsessions = 9";
    let played = play_virtual(load, QUICK);
    for turns in by_session(&played).into_values() {
        let prompts: Vec<u64> = turns.iter().map(|turn| turn.prompt_tokens.unwrap()).collect();
        assert_eq!(turns.len(), 4);
        // An answer of 40 words, and the question again.
        assert!(prompts.windows(2).all(|pair| pair[1] > pair[0] + 40), "{prompts:?}");
    }
}

#[test]
fn no_more_conversations_go_on_at_once_than_asked_thinking_ones_included() {
    let load = "load = { kind = \"sessions\", concurrency = 3, turns = { dist = \"uniform\", min = 1, max = 6 }, think_time = \"1s\" }\n\
                sessions = 60";
    let played = play_virtual(load, QUICK);
    played.assert_accounted_for();
    let mut edges: Vec<(Duration, i32)> = Vec::new();
    let mut lengths = BTreeMap::<usize, u32>::new();
    for turns in by_session(&played).into_values() {
        edges.push((turns[0].sent.unwrap(), 1));
        edges.push((turns.last().unwrap().ended.unwrap(), -1));
        *lengths.entry(turns.len()).or_default() += 1;
    }
    assert!(played.report.verdict.valid, "{:?}", played.report.verdict.reasons);
    assert_eq!(lengths.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    edges.sort_unstable();
    let mut going_on = 0;
    let most = edges.iter().map(|(_, step)| {
        going_on += step;
        going_on
    });
    assert_eq!(most.max(), Some(3));
}

#[test]
fn a_conversation_that_broke_accounts_for_its_other_turns() {
    let failing = format!("{QUICK}[[fault]]\nfault = \"status=500\"\nprobability = 0.2\n");
    let played = play_virtual("load = { kind = \"sessions\", rate = \"20/s\", turns = 5 }\nsessions = 200", &failing);
    played.assert_accounted_for();
    let stage = &played.report.stages[0];
    assert_eq!(stage.requests.scheduled, 1000);
    assert_eq!(stage.unsent["session-broken"], stage.requests.unsent);
    for turns in by_session(&played).into_values() {
        let failed = turns.iter().position(|turn| matches!(turn.outcome, Outcome::Failed { .. }));
        assert_eq!(turns.iter().filter(|turn| turn.sent.is_some()).count(), failed.map_or(5, |place| place + 1));
    }
}

#[test]
fn a_turn_that_would_come_after_the_stage_is_unsent() {
    let load = "load = { kind = \"sessions\", rate = \"10/s\", turns = 3, think_time = \"4s\" }\nduration = \"10s\"";
    let played = play_virtual(load, QUICK);
    played.assert_accounted_for();
    let stage = &played.report.stages[0];
    assert_eq!(stage.requests.scheduled % 3, 0, "all turns of what began are scheduled");
    assert_eq!(stage.unsent["stage-over"], stage.requests.unsent);
    assert!(stage.requests.unsent > 0 && stage.duration_s < 10.1, "{stage:?}");
}
