//! Any bytes have a header that makes sense, or none.

#![no_main]

use darkroom_probe::{ProbeError, probe};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|file: &[u8]| {
    match probe(Cursor::new(file)) {
        Ok(header) => assert!(header.width() > 0 && header.height() > 0),
        Err(ProbeError::Io(error)) => panic!("memory cannot fail: {error}"),
        Err(ProbeError::NotAnImage | ProbeError::Malformed { .. }) => {}
    }
});
