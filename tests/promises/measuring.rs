//! What waves and closed loops hide is shown, and the document says what the command shows.

use std::fs;

use relaybench::measuring::{Measuring, Way};

use crate::support::process::{ended, relaybench};

#[test]
fn the_document_has_the_figures_and_plots_that_the_command_gives() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    let shown = ended(&mut relaybench(&["demo", "measuring", "--out", out]));
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let rows = |text: &str| text.lines().filter(|line| line.starts_with('|')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(include_str!("../../docs/measuring.md")), rows(&shown.stdout));
    for (file, committed) in [
        ("throughput.svg", include_str!("../../docs/measuring/throughput.svg")),
        ("stall.svg", include_str!("../../docs/measuring/stall.svg")),
    ] {
        // Whoever changes the demonstration runs `relaybench demo --out docs/measuring`.
        assert!(fs::read_to_string(directory.path().join(file)).unwrap() == committed, "docs/measuring/{file} is another");
    }
}

#[test]
fn waves_stay_below_a_closed_loop_and_that_below_littles_law() {
    for level in Measuring::play().unwrap().levels {
        assert!(level.closed_rps <= level.most_rps * (1.0 + 1e-9), "{level:?}");
        assert!(level.closed_rps > 0.85 * level.most_rps, "{level:?}");
        assert!(level.waves_rps < 0.6 * level.closed_rps, "{level:?}");
    }
}

#[test]
fn a_stall_of_a_sixth_of_the_time_is_a_sixth_of_the_open_loop_and_hidden_from_the_others() {
    let ways = Measuring::play().unwrap().ways;
    let [closed, waves, open] = ways.as_slice() else { panic!("{ways:?}") };
    for Way { latency_ms, above_1s, .. } in [closed, waves] {
        assert!(*above_1s < 0.005 && latency_ms.p99.unwrap() < 200.0, "{latency_ms:?}");
        assert!(latency_ms.max.unwrap() > 10_000.0, "it was met, by as many as were in flight");
    }
    assert!((0.15..0.18).contains(&open.above_1s), "{}", open.above_1s);
    assert!(open.latency_ms.p95.unwrap() > 9_000.0, "{:?}", open.latency_ms);
}
