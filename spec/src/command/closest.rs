//! The name that was meant: for a hint beside one that there is not.

/// Returns the candidate that is likely to be meant by `text`, if one is close enough.
pub fn closest<'c>(text: &str, candidates: &'c [String]) -> Option<&'c str> {
    const CLOSE: f64 = 0.75;
    let scored = candidates.iter().map(|candidate| (strsim::jaro_winkler(text, candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= CLOSE).then_some(best.1.as_str())
}
