//! Whatever a file says about itself, Postgres and JSON take it, and it is bounded.

#![no_main]

use darkroom_pipeline::read_metadata;
use darkroom_probe::probe;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|file: &[u8]| {
    let Ok(header) = probe(Cursor::new(file)) else { return };
    let metadata = read_metadata(file, &header);
    let sides = (metadata.width, metadata.height);
    let stored = (header.width(), header.height());
    assert_eq!(sides, if metadata.orientation.swaps_sides() { (stored.1, stored.0) } else { stored });
    assert!(metadata.exif.len() <= 200 && metadata.warnings.len() <= 20);
    for text in metadata.exif.iter().flat_map(|(name, text)| [name, text]).chain(&metadata.warnings) {
        assert!(!text.contains(char::is_control) && text.chars().count() <= 500, "{text:?}");
    }
});
