//! No pool makes the controller's decisions panic, or takes anything from the holder of another one's address.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crds/tests/corpus/pool.rs"]
mod pool;

fuzz_target!(|input: &[u8]| {
    pool::check(input);
});
