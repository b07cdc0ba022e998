//! A client has no more requests in flight than connections, where each carries one.

use super::claims::Claims;
use super::finding::Line;
use crate::report::figures::grouped;

/// Each level's concurrency by the client's connections.
pub(super) fn levels(claims: &Claims) -> Vec<Line> {
    let Some(load) = &claims.load else { return Vec::new() };
    let Some(connections) = load.connections else { return Vec::new() };
    let level = |concurrency: u64| {
        let shown = grouped(connections as f64);
        let about = format!("{} in flight", grouped(concurrency as f64));
        if concurrency > connections {
            Line::inconsistent_if(
                true,
                about,
                format!("the client had {shown} connections: never more than {shown} were in flight"),
            )
        } else {
            Line::inconsistent_if(false, about, format!("the client could have {shown} connections"))
        }
    };
    load.rows.iter().filter_map(|row| row.concurrency.map(level)).collect()
}
