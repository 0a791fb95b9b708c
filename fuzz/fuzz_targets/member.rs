//! No bytes make the reader panic, and what it accepts is written as it was read.
#![no_main]

use cortenlb_wire::member::Datagram;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Datagram::parse(bytes) {
        assert_eq!(read.emit(), bytes);
    }
});
