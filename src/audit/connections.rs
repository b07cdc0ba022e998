//! A client has no more requests in flight than connections, where each carries one.

use super::claims::{Claims, Method, Protocol};
use super::finding::Line;
use crate::report::figures::grouped;

/// Each level's concurrency by the client's connections.
pub(super) fn levels(claims: &Claims) -> Vec<Line> {
    let Some(load) = &claims.load else { return Vec::new() };
    let Some(connections) = load.connections else { return Vec::new() };
    let level = |concurrency: u64| {
        let shown = grouped(connections as f64);
        let about = format!("{} in flight", grouped(concurrency as f64));
        if concurrency <= connections {
            return Line::inconsistent_if(false, about, format!("the client could have {shown} connections"));
        }
        match (load.protocol, load.method) {
            (_, Method::Open) => Line::cannot_tell(
                about,
                format!("the client had {shown} connections; in an open loop the concurrency bounds nothing"),
            ),
            (Protocol::Http1, _) => {
                let why = format!("the client had {shown} connections: never more than {shown} were in flight");
                Line::inconsistent_if(true, about, why)
            }
            (Protocol::Http2, _) => Line::cannot_tell(
                about,
                format!("the client had {shown} connections, and over HTTP/2 each carries many requests"),
            ),
            (Protocol::Unstated, _) => {
                let why = format!("the client had {shown} connections: whether each carries one request at a time is not told");
                Line::cannot_tell(about, why)
            }
        }
    };
    load.rows.iter().filter_map(|row| row.concurrency.map(level)).collect()
}
