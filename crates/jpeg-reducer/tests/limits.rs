//! What strangers may ask for.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may say what they expect"
)]

mod support;

use jpeg_reducer::{Decoder, Error, Feature, Limits, Options, Reduction};
use std::cell::Cell;
use support::encoded::{encode, waves};
use support::{Source, progressive_scans};

fn progressive(width: usize, height: usize) -> Source {
    let mut source = Source::random(width, height, &[(2, 2), (1, 1), (1, 1)], 3);
    (source.process, source.scans) = (0xc2, progressive_scans(3));
    source
}

fn error(file: &[u8], limits: Limits) -> Error {
    let options = Options { limits, ..Options::new(Reduction::Quarter) };
    Decoder::new(file).unwrap().decode(&options, &mut |_| {}).unwrap_err()
}

#[test]
fn scans_without_end_are_refused_before_any_is_read() {
    let mut source = progressive(64, 64);
    source.scans = vec![(vec![0, 1, 2], [0, 0, 0, 0]); 120];
    assert!(matches!(error(&source.file(), Limits::default()), Error::Limit { what: "scans", limit: 100 }));
    source.scans.truncate(20);
    let limits = Limits { max_scan_work: 1, ..Limits::default() };
    let all = 64 * 64 * 3 / 2;
    assert!(matches!(error(&source.file(), limits), Error::Limit { limit, .. } if limit == 12 * all));
}

#[test]
fn pixels_and_memory_are_limited_before_anything_is_allocated() {
    let file = progressive(640, 480).file();
    let limits = Limits { max_pixels: 640 * 480 - 1, ..Limits::default() };
    assert!(matches!(error(&file, limits), Error::Limit { what: "pixels", .. }));
    let needed = Decoder::new(&file).unwrap().memory_bytes(Reduction::Quarter);
    let limits = Limits { max_memory_bytes: needed - 1, ..Limits::default() };
    assert!(matches!(error(&file, limits), Error::Limit { .. }));
    let limits = Limits { max_memory_bytes: needed, ..Limits::default() };
    let options = Options { limits, ..Options::new(Reduction::Quarter) };
    Decoder::new(&file).unwrap().decode(&options, &mut |_| {}).unwrap();
}

#[test]
fn the_memory_of_a_sequential_picture_does_not_grow_with_its_height() {
    let needed = |height| {
        let file = encode(&waves(64, height, 1.0), (64, height), |_| {});
        Decoder::new(&file).unwrap().memory_bytes(Reduction::Full)
    };
    assert_eq!(needed(100), needed(2_000));
}

#[test]
fn interruptions_are_heeded_in_every_row_and_scan() {
    let sequential = encode(&waves(64, 640, 1.0), (64, 640), |_| {});
    for (file, times) in [(sequential, 79), (progressive(64, 640).file(), 300)] {
        let asked = Cell::new(0);
        let interrupted = || {
            asked.set(asked.get() + 1);
            asked.get() > times
        };
        let options = Options { interrupted: &interrupted, ..Options::new(Reduction::Half) };
        let result = Decoder::new(&file).unwrap().decode(&options, &mut |_| {});
        assert_eq!(result, Err(Error::Interrupted));
        assert_eq!(asked.get(), times + 1);
    }
}

#[test]
fn what_is_not_decoded_is_told_by_the_header() {
    let file = encode(&waves(16, 16, 1.0), (16, 16), |_| {});
    let frame = file.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    for (code, feature) in
        [(0xc3, Feature::Lossless), (0xc5, Feature::Hierarchical), (0xc9, Feature::Arithmetic)]
    {
        let mut other = file.clone();
        other[frame + 1] = code;
        assert_eq!(Decoder::new(&other).unwrap_err(), Error::Unsupported(feature));
    }
    assert_eq!(Decoder::new(b"\x89PNG").unwrap_err(), Error::NotJpeg);
}

#[test]
fn scans_out_of_order_are_corrupt() {
    for scans in [
        vec![(vec![0, 1, 2], [0, 0, 1, 0])],
        vec![(vec![0], [1, 5, 0, 0])],
        vec![(vec![0, 1, 2], [0, 0, 0, 2]), (vec![0, 1, 2], [0, 0, 1, 0])],
        vec![(vec![0, 1, 2], [0, 0, 0, 0]), (vec![0], [1, 5, 0, 1]), (vec![0], [1, 63, 1, 0])],
    ] {
        let mut source = progressive(64, 64);
        source.scans = scans;
        let file = source.file();
        let decoded = Decoder::new(&file)
            .and_then(|decoder| decoder.decode(&Options::new(Reduction::Full), &mut |_| {}));
        assert!(matches!(decoded, Err(Error::Corrupt { .. })), "{:?}: {decoded:?}", source.scans);
    }
}

#[test]
fn the_largest_sides_are_decoded() {
    for (width, height) in [(65_500, 8), (8, 65_500), (17, 65_535)] {
        for factors in [&[(1, 1)][..], &[(2, 2), (1, 1), (1, 1)]] {
            let file = Source::random(width, height, factors, 1).file();
            for reduction in [Reduction::Full, Reduction::Eighth] {
                let (picture, _) = Decoder::new(&file).unwrap().picture(&Options::new(reduction)).unwrap();
                assert_eq!(picture.width, reduction.of(width as u32));
            }
        }
    }
}
