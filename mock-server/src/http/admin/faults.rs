//! The queue of what the next attempts get.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::in_plain_words;
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
    let wrong = |error: &serde_json::Error| {
        let error = in_plain_words(&error.to_string());
        format!("{error}; write {{\"fault\": \"status=429\", \"count\": 3}}, or an array of such")
    };
    let orders = match serde_json::from_slice(body).map_err(|error| wrong(&error))? {
        Value::Array(orders) => orders.into_iter().zip(1..).map(|(order, number)| (order, format!("order {number}: "))).collect(),
        order => vec![(order, String::new())],
    };
    let read = |(order, which): (Value, String)| {
        let order: Order = serde_json::from_value(order).map_err(|error| format!("{which}{}", wrong(&error)))?;
        match order.count {
            0 => Err(format!("{which}count: 0 queues no {}; write a whole number from 1", order.fault)),
            count => order.fault.parse::<Outcome>().map(|outcome| (count, outcome)).map_err(|error| format!("{which}{error}")),
        }
    };
    let orders = orders.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    orders.into_iter().for_each(|(count, outcome)| server.order(count, outcome));
    Ok(json!({ "queued": server.queued() }))
}
