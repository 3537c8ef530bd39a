//! Canonical JSON: the one encoding that is hashed and signed.
//!
//! A subset of RFC 8785 (JCS): objects with their keys sorted, no white space, integers only, strings escaped
//! as JCS does. `docs/format.md`, clause 3.

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

/// Says why a value has no canonical form.
#[derive(Debug, Error)]
pub enum CanonicalError {
    /// The value cannot be written as JSON at all.
    #[error("cannot encode as JSON")]
    Encode(#[source] serde_json::Error),
    /// The value holds a number with a fraction or an exponent.
    #[error("{0} is not an integer, canonical JSON has no other numbers")]
    Fraction(serde_json::Number),
}

/// Encodes `value` canonically.
///
/// # Errors
/// When the value cannot be written as JSON, or holds a number that is not an integer.
pub fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, CanonicalError> {
    let value = serde_json::to_value(value).map_err(CanonicalError::Encode)?;
    let mut out = Vec::new();
    write_value(&value, &mut out)?;
    Ok(out)
}

/// Tells whether `bytes` are the canonical encoding of the JSON value that they hold.
///
/// A key that occurs twice is never canonical.
pub fn is_canonical(bytes: &[u8]) -> bool {
    parse(bytes).is_some()
}

/// Returns the JSON value of which `bytes` are the canonical encoding; `None` where they are not.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    to_vec(&value).is_ok_and(|canonical| canonical == bytes).then_some(value)
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by(|a, b| a.0.cmp(b.0));
            write_list(*b"{}", &members, out, |(key, member), out| {
                write_scalar(key, out)?;
                out.push(b':');
                write_value(member, out)
            })
        }
        Value::Array(items) => write_list(*b"[]", items, out, write_value),
        Value::Number(number) if number.as_i64().is_none() && number.as_u64().is_none() => {
            Err(CanonicalError::Fraction(number.clone()))
        }
        scalar => write_scalar(scalar, out),
    }
}

/// Writes the items of an array or an object between their brackets, with commas and nothing else between them.
pub(crate) fn write_list<T, E>(
    [open, close]: [u8; 2],
    items: &[T],
    out: &mut Vec<u8>,
    write: impl Fn(&T, &mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    out.push(open);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(item, out)?;
    }
    out.push(close);
    Ok(())
}

fn write_scalar(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    serde_json::to_writer(out, value).map_err(CanonicalError::Encode)
}
