//! A headline quotes a row: that of the level it names.

use super::claims::{Claims, Row};
use super::figure::Figure;
use super::finding::{Line, Verdict};

/// The figures of the headline by those of the level that it names.
pub(super) fn quoted(claims: &Claims) -> Vec<Line> {
    let Some(headline) = claims.headline.as_ref().map(|headline| &headline.row) else { return Vec::new() };
    if figures(headline).is_empty() {
        return Vec::new();
    }
    let rows: &[Row] = claims.load.as_ref().map_or(&[], |load| &load.rows);
    let Some(concurrency) = headline.concurrency else {
        return vec![Line::cannot_tell("the headline", "which level it is of is not told")];
    };
    let about = headline.about();
    // A level may have several rows: the headline is of that which it is most like.
    let of_level = rows.iter().filter(|row| row.concurrency == Some(concurrency));
    let compared =
        of_level.map(|row| figures(headline).iter().map(|quote| compare(&about, quote, row, rows)).collect::<Vec<_>>());
    let wrong = |lines: &Vec<Line>| {
        let count = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
        (count(Verdict::Inconsistent), count(Verdict::CannotTell))
    };
    compared.min_by_key(wrong).unwrap_or_else(|| vec![Line::cannot_tell(about, "there is no row of this level")])
}

/// A figure with its name, its unit, and where it stands in a row.
struct Quote<'a> {
    name: &'static str,
    unit: &'static str,
    figure: &'a Figure,
    of: fn(&Row) -> Option<&Figure>,
}

fn figures(row: &Row) -> Vec<Quote<'_>> {
    type Named = (&'static str, &'static str, fn(&Row) -> Option<&Figure>);
    let all: [Named; 7] = [
        ("mean", "ms", |row| row.mean_ms.as_ref()),
        ("p50", "ms", |row| row.p50_ms.as_ref()),
        ("p95", "ms", |row| row.p95_ms.as_ref()),
        ("p99", "ms", |row| row.p99_ms.as_ref()),
        ("longest", "ms", |row| row.max_ms.as_ref()),
        ("throughput", "req/s", |row| row.throughput_rps.as_ref()),
        ("success", "%", |row| row.success_percent.as_ref()),
    ];
    all.into_iter().filter_map(|(name, unit, of)| Some(Quote { name, unit, figure: of(row)?, of })).collect()
}

fn compare(about: &str, quote: &Quote<'_>, row: &Row, rows: &[Row]) -> Line {
    let Quote { name, unit, figure, of } = quote;
    let same = |row: &Row| of(row).is_some_and(|other| other.interval().meets(figure.interval()));
    let Some(said) = of(row) else {
        return Line::cannot_tell(about, format!("{name} {figure} {unit}: its row tells none"));
    };
    if same(row) {
        return Line::new(about, Verdict::Consistent, format!("{name} {figure} {unit} is its row's"));
    }
    let others: Vec<String> = rows.iter().filter(|row| same(row)).map(Row::about).collect();
    let other = if others.is_empty() { String::new() } else { format!(", which is that of {}", others.join(" and ")) };
    Line::new(about, Verdict::Inconsistent, format!("{name} {figure} {unit}{other}; its row says {said} {unit}"))
}
