//! Claims that are listed, so that nobody takes them for checked.

use super::claims::Claims;
use super::finding::Line;

pub(super) fn told(claims: &Claims) -> Vec<Line> {
    claims.others.iter().map(|claim| Line::cannot_tell(claim, "no figures to check it by")).collect()
}
