//! Coordinates and paths: whatever parses prints as it was, and nothing panics.
#![no_main]

use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate, Version};
use copkg_spec::index::EntryPath;
use copkg_spec::platform::Platform;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(coordinate) = text.parse::<PackageCoordinate>() {
        assert_eq!(coordinate.to_string(), text);
    }
    if let Ok(coordinate) = text.parse::<ServiceCoordinate>() {
        assert_eq!(coordinate.to_string(), text);
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string(), text);
    }
    if let Ok(path) = text.parse::<EntryPath>() {
        assert!(!path.as_str().starts_with('/') && path.components().all(|c| c != ".." && c != "." && !c.is_empty()));
    }
    if let Some((a, b)) = text.split_once(' ')
        && let (Ok(a), Ok(b)) = (a.parse::<Version>(), b.parse::<Version>())
    {
        assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
    }
});
