//! Archives: no bytes make the reader panic, or take memory that they do not promise.
#![no_main]

use std::convert::Infallible;

use copkg_spec::archive::{Discard, Head};
use copkg_spec::index::Index;
use copkg_spec::keys::Signatures;
use copkg_spec::manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The digests keep chance away from what lies behind them, so these are tried on their own too.
    let _ = Manifest::parse(bytes);
    let _ = Index::parse(bytes);
    let _ = Signatures::parse(bytes);
    let mut reader = bytes;
    let Ok(head) = Head::read(&mut reader) else { return };
    let Ok(contents) = head.without_trust().read_contents(&mut reader) else { return };
    if let Ok(unpacker) = contents.unpacker() {
        let _ = unpacker.unpack(&mut reader, &mut Discard::<Infallible>::default());
    }
});
