//! What `/__admin/ledger` is asked for.
//!
//! | key | which entries |
//! |---|---|
//! | `model`, `status`, `request_id`, `ending`, `connection` | those that have exactly this |
//! | `fault`, `outcome` | those that a fault of this name was planned for, and those of which this came |
//! | `refused_by` | those that the limit of this name refused |
//! | `since` | those with this sequence or a later one |
//! | `cursor` | those after the page whose `next` this is |
//! | `limit` | at most so many, 1 to 10000; default 100 |

use std::fmt::Display;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::config::nearest;
use crate::ledger::{Query, kept_id};

/// Of a ledger of 100,000 entries this is a tenth, and some 5 MB of JSON.
const MOST: usize = 10_000;

const KEYS: [&str; 11] =
    ["model", "status", "request_id", "ending", "connection", "fault", "outcome", "refused_by", "since", "cursor", "limit"];

pub(super) fn parse(query: &str) -> Result<Query, String> {
    let mut parsed = Query { limit: 100, ..Query::default() };
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?;
        if seen.contains(&key) {
            return Err(format!("{key} is asked for twice"));
        }
        seen.push(key);
        match key {
            "model" => parsed.model = Some(value),
            "request_id" => parsed.request_id = Some(kept_id(&value).into()),
            "status" => parsed.status = Some(number(key, &value)?),
            "connection" => parsed.connection = Some(number(key, &value)?),
            "since" => parsed.since = Some(number(key, &value)?),
            "cursor" => parsed.cursor = number(key, &value)?,
            "limit" => {
                let most = "a whole number from 1 to 10000";
                parsed.limit =
                    value.parse().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| wrong(key, &value, most))?;
            }
            "ending" => parsed.ending = Some(named(key, &value, "an ending such as served or caller_left")?),
            "fault" => parsed.fault = Some(named(key, &value, "a fault's name such as reset")?),
            "outcome" => parsed.outcome = Some(named(key, &value, "an outcome such as played or not_reached")?),
            "refused_by" => parsed.refused_by = Some(named(key, &value, "a limit's name such as tokens_per_minute")?),
            _ => return Err(format!("unknown key \"{key}\", {}", nearest(key, KEYS.into_iter()))),
        }
    }
    Ok(parsed)
}

fn decoded(value: &str) -> Result<String, String> {
    let spaced = value.replace('+', " ");
    String::from_utf8(percent_decode_str(&spaced).collect()).map_err(|_| format!("\"{value}\" is not UTF-8"))
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| wrong(key, value, "a whole number from 0"))
}

/// As it is written in the ledger.
fn named<T: DeserializeOwned>(key: &str, value: &str, right: &str) -> Result<T, String> {
    serde_json::from_value(value.into()).map_err(|_| wrong(key, value, right))
}

fn wrong(key: &str, value: &str, right: impl Display) -> String {
    format!("{key}: \"{value}\" is wrong; write {right}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Ending, FaultOutcome};
    use crate::profile::FaultName;
    use crate::relay::limits::LimitName;

    #[test]
    fn every_key_is_read() {
        let query = "model=gpt-4.1&status=429&request_id=a%20b+c&ending=caller_left&connection=3&since=7&cursor=9&limit=10000\
                     &fault=error-in-200&outcome=needs_stream&refused_by=input_tokens_per_minute";
        let expected = Query {
            model: Some("gpt-4.1".to_owned()),
            status: Some(429),
            request_id: Some("a b c".to_owned()),
            ending: Some(Ending::CallerLeft),
            connection: Some(3),
            fault: Some(FaultName::ErrorIn200),
            outcome: Some(FaultOutcome::NeedsStream),
            refused_by: Some(LimitName::InputTokensPerMinute),
            since: Some(7),
            cursor: 9,
            limit: 10_000,
        };
        assert_eq!(parse(query), Ok(expected));
        assert_eq!(parse(""), Ok(Query { limit: 100, ..Query::default() }));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (query, expected) in [
            ("stauts=429", "unknown key \"stauts\", did you mean \"status\"?"),
            ("status=4o4", "status: \"4o4\" is wrong; write a whole number from 0"),
            ("limit=0", "limit: \"0\" is wrong; write a whole number from 1 to 10000"),
            ("ending=gone", "ending: \"gone\" is wrong; write an ending such as served or caller_left"),
            ("fault=resett", "fault: \"resett\" is wrong; write a fault's name such as reset"),
            ("outcome=x", "outcome: \"x\" is wrong; write an outcome such as played or not_reached"),
            ("refused_by=tpm", "refused_by: \"tpm\" is wrong; write a limit's name such as tokens_per_minute"),
            ("status=429&status=200", "status is asked for twice"),
            ("model=%ff", "\"%ff\" is not UTF-8"),
        ] {
            assert_eq!(parse(query).unwrap_err(), expected);
        }
    }
}
