//! Recipes: no text makes the parser panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = copkg_spec::recipe::Recipe::parse(text);
});
