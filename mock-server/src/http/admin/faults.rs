//! The queue of what the next attempts get.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::profile::Outcome;
use crate::server::MockServer;

/// `{"fault": "status=429", "count": 3}`: the next three attempts get it. `"ordinary"` is what they would have got without any.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default = "one")]
    count: u64,
    fault: String,
}

fn one() -> u64 {
    1
}

/// What is queued, in the order in which attempts get it.
pub(super) fn shown(server: &MockServer) -> Value {
    let faults = server.orders().map(|(count, outcome)| Order { count, fault: outcome.to_string() });
    json!({ "faults": faults.collect::<Vec<_>>(), "queued": server.queued() })
}

/// Queues one order or an array of them: all, or none where one is wrong.
pub(super) fn queue(server: &MockServer, body: &[u8]) -> Result<Value, String> {
    let orders = match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => serde_json::from_slice(body),
        _ => serde_json::from_slice(body).map(|order| vec![order]),
    };
    let orders: Vec<Order> =
        orders.map_err(|error| format!("{error}; write {{\"fault\": \"status=429\", \"count\": 3}}, or an array of such"))?;
    let read = |order: Order| match order.count {
        0 => Err(format!("count: 0 queues no {}; write a whole number from 1", order.fault)),
        count => order.fault.parse::<Outcome>().map(|outcome| (count, outcome)).map_err(|error| error.to_string()),
    };
    let orders = orders.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    orders.into_iter().for_each(|(count, outcome)| server.order(count, outcome));
    Ok(json!({ "queued": server.queued() }))
}
