//! Nothing that annotations and a pool's status may say makes a reader panic, or keeps an address for too long.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crds/tests/corpus/annotations.rs"]
mod annotations;

fuzz_target!(|input: &[u8]| {
    annotations::check(input);
});
