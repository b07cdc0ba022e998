//! What the README says of the crate is so.

use std::collections::BTreeSet;
use std::process::Command;

/// Crates of others in the tree that the README's command prints.
fn crates_of_others(features: &[&str]) -> usize {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--locked", "-p", "relaybench", "-e", "normal", "--prefix", "none", "--no-dedupe"]);
    let output = tree.args(features).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter(|line| !line.is_empty() && !line.starts_with("relaybench")).collect::<BTreeSet<_>>().len()
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "other platforms have other crates")]
fn the_readme_counts_the_crates_as_its_command_does() {
    let readme = include_str!("../../README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let (client, all) = (crates_of_others(&["--no-default-features"]), crates_of_others(&[]));
    let counted = format!("{client} crates of others on Linux, and {all} with its default features");
    assert!(readme.contains(&counted), "{counted}");
}
