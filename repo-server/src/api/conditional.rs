//! Conditional requests: RFC 9110, section 13, for entity tags. There is no `Last-Modified`: the time of a file
//! says nothing about its content, so `If-Modified-Since` has nothing to compare with and is ignored.

use axum::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use super::Problem;
use crate::storage::EntityTag;

/// What the conditions of a request make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is answered as if there were none.
    Proceed,
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client thinks.
    PreconditionFailed,
}

/// Evaluates `If-Match` and then `If-None-Match` against the tag of what is there.
pub(crate) fn judge(headers: &HeaderMap, tag: Option<&EntityTag>) -> Verdict {
    if headers.contains_key(IF_MATCH) && !any_tag(headers, &IF_MATCH, tag, Comparison::Strong) {
        return Verdict::PreconditionFailed;
    }
    if any_tag(headers, &IF_NONE_MATCH, tag, Comparison::Weak) {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether a range may be answered with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RangeRule {
    /// `If-Range` is absent, or names these very bytes.
    Honour,
    /// `If-Range` names other bytes: the client needs the whole.
    Ignore,
}

/// Evaluates `If-Range`: only the same strong tag lets a part through, never a date.
pub(super) fn range_rule(headers: &HeaderMap, tag: Option<&EntityTag>) -> RangeRule {
    let Some(wanted) = headers.get(IF_RANGE) else { return RangeRule::Honour };
    match tag {
        Some(tag) if wanted.as_bytes() == tag.as_str().as_bytes() => RangeRule::Honour,
        _ => RangeRule::Ignore,
    }
}

/// Puts the tag into an answer.
pub(crate) fn set_tag(headers: &mut HeaderMap, tag: Option<&EntityTag>) {
    if let Some(value) = tag.and_then(|tag| HeaderValue::from_str(tag.as_str()).ok()) {
        headers.insert(ETAG, value);
    }
}

/// Puts the tag into an answer that writes the bytes in another way: it finds the same bytes, and no part of these
/// (RFC 9110, 8.8.3.3).
pub(super) fn set_weak_tag(headers: &mut HeaderMap, tag: &EntityTag) {
    if let Ok(value) = HeaderValue::from_str(&format!("W/{tag}")) {
        headers.insert(ETAG, value);
    }
}

/// Describes a failed `If-Match`.
pub(super) fn failed() -> Problem {
    let detail = "If-Match names other bytes than those that are here";
    Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

fn any_tag(headers: &HeaderMap, name: &HeaderName, tag: Option<&EntityTag>, how: Comparison) -> bool {
    let values = headers.get_all(name);
    values.iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.trim() == "*"
            || tags(list).any(|(weak, text)| {
                tag.is_some_and(|tag| tag.as_str() == text) && (how == Comparison::Weak || !weak)
            })
    })
}

/// Splits a list of entity tags; a comma between the quotes is part of a tag.
fn tags(list: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (weak, opaque) = rest.strip_prefix("W/").map_or((false, rest), |r| (true, r));
        let end = opaque.strip_prefix('"')?.find('"')? + 2;
        let (tag, after) = opaque.split_at_checked(end)?;
        rest = after;
        Some((weak, tag))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let pair = |v: &&str| (name.clone(), HeaderValue::from_str(v).unwrap());
        values.iter().map(pair).collect()
    }

    fn judged(name: &HeaderName, values: &[&str]) -> Verdict {
        judge(&headers(name, values), EntityTag::of_store("b,1").as_ref())
    }

    #[test]
    fn if_none_match_finds_the_tag_in_any_list_and_compares_weakly() {
        for values in
            [&["\"b,1\""][..], &["W/\"b,1\""], &["*"], &["\"a\", \"b,1\""], &["\"a\"", "W/\"b,1\",\"c\""]]
        {
            assert_eq!(judged(&IF_NONE_MATCH, values), Verdict::NotModified, "{values:?}");
        }
        for values in [&["\"b\""][..], &["b,1"], &["\"b,1"], &[""], &["\"a\" nonsense \"b,1\""]] {
            assert_eq!(judged(&IF_NONE_MATCH, values), Verdict::Proceed, "{values:?}");
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        assert_eq!(judged(&IF_MATCH, &["\"a\",\"b,1\""]), Verdict::Proceed);
        assert_eq!(judged(&IF_MATCH, &["*"]), Verdict::Proceed);
        assert_eq!(judged(&IF_MATCH, &["W/\"b,1\""]), Verdict::PreconditionFailed);
        assert_eq!(judged(&IF_MATCH, &["\"a\""]), Verdict::PreconditionFailed);
    }

    #[test]
    fn if_range_takes_the_one_strong_tag_and_nothing_else() {
        let rule = |text: &str| range_rule(&headers(&IF_RANGE, &[text]), EntityTag::of_store("b").as_ref());
        assert_eq!(rule("\"b\""), RangeRule::Honour);
        for text in ["W/\"b\"", "\"a\"", "*", "Sat, 21 Nov 2026 09:00:00 GMT"] {
            assert_eq!(rule(text), RangeRule::Ignore, "{text}");
        }
        assert_eq!(range_rule(&HeaderMap::new(), None), RangeRule::Honour);
    }
}
