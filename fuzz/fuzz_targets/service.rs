//! No Service makes the controller's decisions panic, or takes anything from another one.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crds/tests/corpus/service.rs"]
mod service;

fuzz_target!(|input: &[u8]| {
    service::check(input);
});
