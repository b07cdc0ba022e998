//! A TOML value whose every part knows where it is written; `toml::Value` does not know it of what is within an array.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::{Spanned, Value};

/// Keys and values in any combination.
#[derive(Clone, Debug)]
pub(in crate::profile) struct RawTable(BTreeMap<Spanned<String>, Spanned<RawValue>>);

#[derive(Clone, Debug)]
pub(in crate::profile) enum RawValue {
    Scalar(Value),
    Array(Vec<Spanned<RawValue>>),
    Table(RawTable),
}

impl RawTable {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Spanned<String>, &Spanned<RawValue>)> {
        self.0.iter()
    }

    pub(super) fn value(&self, key: &str) -> Option<&Spanned<RawValue>> {
        self.0.get(key)
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Spanned<RawValue>> {
        self.0.remove(key)
    }
}

impl RawValue {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A whole number or a decimal one.
    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Scalar(Value::Integer(integer)) => Some(*integer as f64),
            Self::Scalar(Value::Float(float)) => Some(*float),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Spanned<RawValue>]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}

/// As it is written, but an array or a table by its kind alone: a message has one line.
impl fmt::Display for RawValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(Value::String(text)) => write!(f, "{text:?}"),
            Self::Scalar(value) => value.fmt(f),
            Self::Array(_) => f.write_str("an array"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

impl<'de> Deserialize<'de> for RawTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnyTable)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyTable;

impl<'de> Visitor<'de> for AnyTable {
    type Value = RawTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawTable, A::Error> {
        let mut table = BTreeMap::new();
        // A date comes as a table too, and is the only one whose keys have no place.
        let no_date = |_| de::Error::custom("a date means nothing here");
        while let Some(key) = map.next_key().map_err(no_date)? {
            table.insert(key, map.next_value()?);
        }
        Ok(RawTable(table))
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, an array or a table")
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Scalar(Value::Boolean(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawValue, E> {
        Ok(RawValue::Scalar(Value::Integer(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawValue, E> {
        Ok(RawValue::Scalar(Value::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawValue, E> {
        Ok(RawValue::Scalar(Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(RawValue::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawValue, A::Error> {
        AnyTable.visit_map(map).map(RawValue::Table)
    }
}
