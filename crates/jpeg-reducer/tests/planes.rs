//! Components handed out by themselves.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test ends by panicking")]

mod support;

use jpeg_reducer::{Damage, Decoder, Options, PlaneRow, Reduction};
use support::{Source, progressive_scans, reference};

/// The planes of a picture; every row comes once, in order and of the size that is told.
fn planes(file: &[u8], reduction: Reduction) -> Vec<Vec<u8>> {
    let decoder = Decoder::new(file).unwrap();
    let mut planes = vec![Vec::new(); usize::from(decoder.info().components)];
    let mut rows = vec![0; planes.len()];
    let mut take = |PlaneRow { component, row, samples }: PlaneRow<'_>| {
        assert_eq!(row, rows[component]);
        rows[component] += 1;
        planes[component].extend_from_slice(samples);
    };
    assert_eq!(decoder.decode_planes(&Options::new(reduction), &mut take).unwrap(), None);
    for (component, plane) in planes.iter().enumerate() {
        let size = decoder.plane_size(component, reduction).unwrap();
        assert_eq!((plane.len() as u32, rows[component]), (size.width * size.height, size.height));
        assert!(size.across > f64::from(size.width - 1) && size.across <= f64::from(size.width));
        assert!(size.down > f64::from(size.height - 1) && size.down <= f64::from(size.height));
    }
    assert_eq!(decoder.plane_size(planes.len(), reduction), None);
    planes
}

fn check(source: &Source, name: &str) {
    let file = source.file();
    for reduction in Reduction::ALL {
        let is = planes(&file, reduction);
        let due = reference::planes(source, reduction.eighths() as usize);
        assert_eq!(is.len(), due.len());
        for (component, (is, due)) in is.iter().zip(due).enumerate() {
            assert_eq!(is.len(), due.len(), "{name} {reduction:?} {component}");
            let worst = is.iter().zip(due).map(|(is, due)| (f64::from(*is) - due).abs()).fold(0.0, f64::max);
            assert!(worst < 1.6, "{name} {reduction:?} {component}: off by {worst}");
        }
    }
}

const SAMPLINGS: [&[(usize, usize)]; 7] = [
    &[(1, 1)],
    &[(1, 1), (1, 1), (1, 1)],
    &[(2, 2), (1, 1), (1, 1)],
    &[(2, 1), (1, 1), (1, 1)],
    &[(4, 1), (1, 1), (1, 1)],
    &[(3, 2), (2, 1), (1, 1)],
    &[(2, 2), (1, 1), (1, 1), (2, 2)],
];

#[test]
fn every_plane_is_the_formula_at_its_own_size() {
    for (seed, factors) in SAMPLINGS.iter().enumerate() {
        for (width, height) in [(1, 1), (7, 40), (40, 9), (65, 33), (150, 70)] {
            let mut source = Source::random(width, height, factors, seed as u64 + 1);
            check(&source, &format!("{factors:?} {width} × {height}"));
            source.process = 0xc2;
            source.scans = progressive_scans(factors.len());
            check(&source, &format!("{factors:?} {width} × {height}, progressive"));
        }
    }
}

#[test]
fn damage_is_told_and_what_was_read_is_handed_out() {
    let whole = Source::random(150, 170, &[(2, 2), (1, 1), (1, 1)], 3).file();
    let file = &whole[..whole.len() * 3 / 4];
    let decoder = Decoder::new(file).unwrap();
    let mut options = Options::new(Reduction::Half);
    let error = decoder.decode_planes(&options, &mut |_| {}).unwrap_err();
    assert_eq!(error, decoder.decode(&options, &mut |_| {}).unwrap_err());
    options.damage = Damage::Keep;
    let mut rows = [0; 3];
    let damage = decoder.decode_planes(&options, &mut |row| rows[row.component] += 1).unwrap();
    assert_eq!((damage, rows), (Some(error), [85, 43, 43]));
}
