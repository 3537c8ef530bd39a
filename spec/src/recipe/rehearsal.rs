//! `[service.rehearsal]`: what stands in for production while a change is rehearsed.

use super::context::Context;
use super::error::Problem;
use super::{Located, raw};
use crate::manifest::{Rehearsable, Rehearsal};

pub(super) fn rehearsal(
    raw: raw::Rehearsal,
    declared: Rehearsable<'_>,
    at: &Context,
) -> Result<Rehearsal, Located> {
    let rehearsal = Rehearsal { values: raw.values, allow_outside: raw.allow_outside, exclude: raw.exclude };
    match rehearsal.check(declared) {
        Ok(()) => Ok(rehearsal),
        Err((name, why)) => {
            let is_glob = rehearsal.exclude.contains(&name);
            let key = match rehearsal.values.contains_key(&name) {
                true => "values",
                false if is_glob => "exclude",
                false => "allow_outside",
            };
            at.key(key).fail(Problem::value("word on rehearsals", &name, why))
        }
    }
}
