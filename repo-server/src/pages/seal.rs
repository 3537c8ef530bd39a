//! The seal: a fingerprint as a ring of 64 rays, one for each hexadecimal digit, so that two repositories look different at
//! a glance. It proves nothing; the digits do.

use std::f64::consts::TAU;
use std::fmt::Write as _;

/// Draws the ring of a fingerprint as SVG.
pub(super) fn svg(fingerprint: &str) -> String {
    let mut rays = [String::new(), String::new()];
    let count = fingerprint.len().max(1);
    for (number, digit) in fingerprint.chars().enumerate() {
        let value = f64::from(digit.to_digit(16).unwrap_or_default());
        #[allow(clippy::cast_precision_loss, reason = "there are 64")]
        let (sin, cos) = (number as f64 / count as f64 * TAU).sin_cos();
        let (inner, outer) = (50.0, 53.0 + value * 2.8);
        let path = &mut rays[usize::from(value >= 8.0)];
        // Writing to a string cannot fail.
        let _ =
            write!(path, "M{:.1} {:.1}L{:.1} {:.1}", sin * inner, -cos * inner, sin * outer, -cos * outer);
    }
    format!(
        "<svg class=\"seal\" viewBox=\"-100 -100 200 200\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"3.4\" \
         stroke-linecap=\"round\" role=\"img\" aria-label=\"A ring drawn from the root fingerprint\">\
         <path opacity=\".55\" d=\"{}\"/><path d=\"{}\"/>\
         <g stroke-width=\"4\" stroke-linejoin=\"round\"><path d=\"M0-27 24-14v28L0 27-24 14v-28zM-24-14 0-1 24-14M0-1v28M-12-20.500 12-7.500v11\"/></g></svg>",
        rays[0], rays[1]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_digit_is_a_ray() {
        let svg = svg(&"0f".repeat(32));
        assert_eq!(svg.matches('M').count(), 64 + 4);
        assert!(svg.len() < 4000);
    }
}
