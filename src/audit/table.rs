//! An audit as a person reads it in a terminal.

use std::fmt::Write as _;

use super::Audit;
use super::finding::{Finding, Verdict};

use crate::report::table::wrapped;

/// Worst first.
const ORDER: [Verdict; 4] = [Verdict::Inconsistent, Verdict::Weak, Verdict::CannotTell, Verdict::Consistent];

/// The widest line: what a terminal of 100 columns shows whole.
const WIDTH: usize = 100;
/// Longer names are broken, so that the calculations keep their column.
const MOST_ABOUT: usize = 40;

/// The audit as text, ending in a newline: the worst findings first. No line is longer than 100 columns.
pub fn table(audit: &Audit) -> String {
    let mut text = String::new();
    let source = audit.source.as_ref().map_or_else(String::new, |source| format!(" ({source})"));
    let _ = writeln!(text, "{}", wrapped(&format!("{}{source}", audit.name)));
    let _ = writeln!(text, "{}", counts(audit));
    for finding in ORDER.into_iter().flat_map(|verdict| audit.with(verdict)) {
        let _ = write!(text, "\n{}", section(finding));
    }
    text
}

fn counts(audit: &Audit) -> String {
    let count = |verdict| (verdict, audit.with(verdict).count());
    let counts: Vec<String> = ORDER
        .map(count)
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(verdict, count)| format!("{count} {}", verdict.to_string().to_lowercase()))
        .collect();
    if counts.is_empty() { "nothing is claimed".to_owned() } else { counts.join(", ") }
}

fn section(finding: &Finding) -> String {
    let mut text = format!("{:<12}  {}\n", finding.verdict, finding.rule.title());
    let widest = finding.lines.iter().map(|line| line.about.chars().count()).max().unwrap_or(0).min(MOST_ABOUT);
    for line in &finding.lines {
        // Said where it is not that of all.
        let verdict = if line.verdict == finding.verdict { String::new() } else { format!("{}: ", line.verdict) };
        let why = broken(&format!("{verdict}{}", line.why), WIDTH - widest - 4);
        let about = broken(&line.about, widest);
        for row in 0..why.len().max(about.len()) {
            let [about, why] = [&about, &why].map(|lines| lines.get(row).map_or("", String::as_str));
            let _ = writeln!(text, "{}", format!("  {about:<widest$}  {why}").trim_end());
        }
    }
    text
}

/// Words in lines of at most this width; a longer word is cut.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let line = lines.last_mut().expect("there is one from the beginning");
            let column = line.chars().count();
            let room = width.saturating_sub(column + usize::from(column > 0));
            if rest.len() > room && (rest.len() <= width || room == 0) && column > 0 {
                lines.push(String::new());
                continue;
            }
            if column > 0 {
                line.push(' ');
            }
            line.extend(rest.drain(..rest.len().min(room.max(1))));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_into_lines_and_none_is_lost() {
        assert_eq!(broken("one two three", 7), ["one two", "three"]);
        assert_eq!(broken("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(broken("", 4), [""]);
    }
}
