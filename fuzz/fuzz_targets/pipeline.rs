//! Any file becomes two thumbnails that can be read, or a failure with a text.

#![no_main]

use darkroom_domain::{Orientation, ThumbnailSize};
use darkroom_pipeline::{Limits, Thumbnail, make_thumbnails};
use darkroom_probe::{Header, probe};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

/// Small, so that most of the time goes into what is odd and not into many pixels.
const LIMITS: Limits = Limits { max_pixels: 1_000_000, memory_budget_bytes: 64 << 20 };

fuzz_target!(|file: &[u8]| {
    let Ok(header) = probe(Cursor::new(file)) else { return };
    match make_thumbnails(file, &header, Orientation::UPRIGHT, &LIMITS, &|| false) {
        Ok(made) => {
            check(&made.small, ThumbnailSize::Small);
            check(&made.medium, ThumbnailSize::Medium);
        }
        Err(failure) => assert!(!failure.text().is_empty()),
    }
});

fn check(thumbnail: &Thumbnail, size: ThumbnailSize) {
    let header: Header = probe(Cursor::new(&thumbnail.bytes)).expect("a thumbnail is a picture");
    assert_eq!((header.width(), header.height()), (thumbnail.width, thumbnail.height));
    assert!(header.width().max(header.height()) <= size.bound());
}
