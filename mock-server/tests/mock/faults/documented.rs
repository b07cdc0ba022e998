//! The table of faults is complete, and names tests that are about them.

use relaybench_mock::FaultName;

#[test]
fn every_fault_has_a_row_with_a_test_that_saw_it() {
    let table = include_str!("../../../../docs/faults.md");
    let tests = [
        include_str!("whole.rs"),
        include_str!("stream.rs"),
        include_str!("connection.rs"),
        include_str!("../listener.rs"),
        include_str!("../golden/dialects.rs"),
        include_str!("../limits/waits.rs"),
    ];
    let source = |test: &str| {
        let behind = tests.iter().find_map(|file| file.split_once(&format!("fn {test}()")))?.1;
        behind.split("\n}\n").next()
    };
    for name in FaultName::ALL {
        let begins = [format!("| `{name}`"), format!("| `{name}=")];
        let rows: Vec<&str> = table.lines().filter(|line| begins.iter().any(|begin| line.starts_with(begin))).collect();
        assert!(!rows.is_empty(), "no row for {name}");
        for row in rows {
            let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
            let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
            assert!(
                !named.is_empty() && named.iter().all(|test| source(test).is_some_and(|source| source.contains(name.as_str()))),
                "{row}: {named:?}"
            );
        }
    }
}
