//! No bytes make the reader panic, and what it accepts survives being written and read again.
#![no_main]

use cortenlb_wire::arp::Repr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    if let Ok(read) = Repr::parse(frame) {
        assert_eq!(Repr::parse(&read.emit()), Ok(read));
    }
});
