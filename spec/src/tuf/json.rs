//! Reading and writing the JSON that is signed.
//!
//! Writing is the canonical JSON that TUF signs (OLPC's, TUF 4.1), not the RFC 8785 subset of
//! [`crate::canonical`]: only `"` and `\` are escaped, control characters stand as they are, so what is signed need
//! not be JSON. Reading refuses what two readers could understand differently: a key that occurs twice, and numbers
//! that are not integers.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use thiserror::Error as ThisError;

use crate::canonical::write_list;

/// Says that a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{0} is not an integer, signed metadata has no other numbers")]
pub struct NotCanonical(Number);

/// Reads JSON in which every key occurs once and every number is an integer.
///
/// # Errors
/// When it is not.
pub fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes).map(|Strict(value)| value)
}

/// Encodes `value` as it is signed.
///
/// # Errors
/// When it holds a number that is not an integer.
pub fn encode(value: &Value) -> Result<Vec<u8>, NotCanonical> {
    let mut out = Vec::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), NotCanonical> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) if number.is_f64() => return Err(NotCanonical(number.clone())),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            write_list(*b"[]", items, out, write)?;
        }
        Value::Object(map) => {
            // The order of the code points, which is that of the bytes in UTF-8.
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_bytes());
            write_list(*b"{}", &members, out, |(key, member), out| {
                write_text(key, out);
                out.push(b':');
                write(member, out)
            })?;
        }
    }
    Ok(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with integers only")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Strict(member))) = members.next_entry::<String, _>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} occurs twice")));
            }
            map.insert(key, member);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(json: &str) -> String {
        String::from_utf8(encode(&parse(json.as_bytes()).expect("it parses")).expect("it encodes"))
            .expect("it is UTF-8")
    }

    #[test]
    fn control_characters_stand_as_they_are() {
        assert_eq!(
            canonical(r#"{"b": "a\n\u0001\"\\\/", "a":[1,-2,true,null]}"#),
            "{\"a\":[1,-2,true,null],\"b\":\"a\n\u{1}\\\"\\\\/\"}"
        );
    }

    #[test]
    fn keys_are_in_the_order_of_their_code_points() {
        // UTF-16, which RFC 8785 sorts by, has these two the other way round.
        assert_eq!(canonical("{\"\u{10000}\":1,\"\u{ffff}\":2}"), "{\"\u{ffff}\":2,\"\u{10000}\":1}");
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for json in [
            "1.0",
            "1e3",
            "-0",
            "18446744073709551616",
            r#"{"a":1,"a":1}"#,
            r#"[{"a":{"b":1,"b":2}}]"#,
            "1 2",
            "NaN",
        ] {
            assert!(parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
