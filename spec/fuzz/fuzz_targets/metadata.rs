//! Repository metadata: no bytes make a reader panic or cost more than its limits, and what is read is written the same.
#![no_main]

use copkg_spec::tuf::{
    Content, Document, Limits, Machine, PathPattern, Refresh, Root, Snapshot, Step, TargetPath, Targets, Time, Timestamp,
    encode, parse,
};
use libfuzzer_sys::fuzz_target;

fn read<T: Content>(bytes: &[u8]) {
    let Ok(document) = Document::<T>::parse(bytes.to_vec()) else { return };
    assert_eq!(document.bytes(), bytes);
    // What is signed holds no more and no less than what was read.
    let content = serde_json::to_value(document.unverified()).unwrap();
    let again: T = serde_json::from_value(content.clone()).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), content);
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = parse(bytes) {
        encode(&value).unwrap();
    }
    read::<Root>(bytes);
    read::<Timestamp>(bytes);
    read::<Snapshot>(bytes);
    read::<Targets>(bytes);
    if let Some((pattern, path)) = std::str::from_utf8(bytes).ok().and_then(|text| text.split_once('\n')) {
        if let (Ok(pattern), Ok(path)) = (pattern.parse::<PathPattern>(), path.parse::<TargetPath>()) {
            pattern.matches(path.as_str());
        }
    }
    // The first part is the root that is trusted, the others are what a repository answers.
    let mut answers = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    let now = Time::from_unix_seconds(1_800_000_000).unwrap();
    let mut step = Refresh::begin(answers.next().unwrap_or_default(), now, Limits::default());
    while let Ok(Step::Ask(machine, _)) = step {
        step = machine.answer(answers.next());
    }
});
