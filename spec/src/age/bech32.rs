//! Bech32, as BIP 173 says, without its limit of 90 characters: how age writes keys.

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];

/// Encodes bytes in lower case.
pub(super) fn encode(prefix: &str, bytes: &[u8]) -> String {
    let mut values = regroup(bytes, 8, 5, true).unwrap_or_default();
    values.extend(checksum(prefix, &values));
    let text: String = values.iter().map(|value| char::from(ALPHABET[usize::from(*value)])).collect();
    format!("{prefix}1{text}")
}

/// Decodes the bytes behind `prefix`, which is lower case. The text is all lower or all upper case.
pub(super) fn decode(prefix: &str, text: &str) -> Option<Vec<u8>> {
    let lower = text.to_ascii_lowercase();
    if text != lower && text != text.to_ascii_uppercase() {
        return None;
    }
    let data = lower.strip_prefix(prefix)?.strip_prefix('1')?;
    let value = |c: u8| ALPHABET.iter().position(|known| *known == c).and_then(|at| u8::try_from(at).ok());
    let values: Vec<u8> = data.bytes().map(value).collect::<Option<_>>()?;
    let (values, sum) = values.split_at_checked(values.len().checked_sub(6)?)?;
    (checksum(prefix, values) == *sum).then(|| regroup(values, 5, 8, false))?
}

fn checksum(prefix: &str, values: &[u8]) -> [u8; 6] {
    let high = prefix.bytes().map(|c| c >> 5);
    let low = prefix.bytes().map(|c| c & 31);
    let all = high.chain([0]).chain(low).chain(values.iter().copied()).chain([0; 6]);
    let sum = all.fold(1, step) ^ 1;
    std::array::from_fn(|at| u8::try_from((sum >> (5 * (5 - at))) & 31).unwrap_or_default())
}

fn step(sum: u32, value: u8) -> u32 {
    let next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
    let top = sum >> 25;
    (0..5).filter(|bit| (top >> bit) & 1 == 1).fold(next, |next, bit| next ^ GENERATOR[bit])
}

/// Cuts groups of `from` bits into groups of `to` bits; `None` where bits that stand for nothing are not zero.
fn regroup(values: &[u8], from: u32, to: u32, pad: bool) -> Option<Vec<u8>> {
    let (mut held, mut bits, mut out) = (0_u32, 0, Vec::new());
    let mask = (1 << to) - 1;
    for value in values {
        held = (held << from) | u32::from(*value);
        bits += from;
        while bits >= to {
            bits -= to;
            out.push(u8::try_from((held >> bits) & mask).ok()?);
        }
        held &= (1 << bits) - 1;
    }
    if pad && bits > 0 {
        out.push(u8::try_from((held << (to - bits)) & mask).ok()?);
    } else if !pad && (bits >= from || held != 0) {
        return None;
    }
    Some(out)
}
