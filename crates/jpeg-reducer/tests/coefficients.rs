//! Pictures of known coefficients, of every kind: what is decoded is what the formulas give.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may say what they expect"
)]

mod support;

use jpeg_reducer::{ColourModel, Decoder, Options, Picture, Reduction, Scrutiny};
use support::{Source, progressive_scans, reference};

fn decoded(file: &[u8], reduction: Reduction) -> Picture {
    let decoder = Decoder::new(file).unwrap();
    decoder.picture(&Options::new(reduction)).unwrap_or_else(|e| panic!("{reduction:?}: {e}")).0
}

/// Compares with the formulas; the colour conversion is `pixel`.
fn check(source: &Source, name: &str, pixel: impl Fn(&[f64]) -> Vec<f64>) {
    let file = source.file();
    for reduction in Reduction::ALL {
        let picture = decoded(&file, reduction);
        let planes = reference::components(source, reduction.eighths() as usize);
        let mut worst = 0.0_f64;
        assert_eq!(picture.samples.len(), planes[0].len() * picture.channels, "{name} {reduction:?}");
        for (at, is) in picture.samples.chunks(picture.channels).enumerate() {
            let due = pixel(&planes.iter().map(|plane| plane[at]).collect::<Vec<_>>());
            assert_eq!(due.len(), is.len());
            for (is, due) in is.iter().zip(due) {
                worst = worst.max((f64::from(*is) - due).abs());
            }
        }
        assert!(worst < 3.5, "{name} {reduction:?}: off by {worst}");
    }
}

fn ycbcr(samples: &[f64]) -> Vec<f64> {
    reference::rgb(samples[0], samples[1], samples[2]).to_vec()
}

fn as_they_are(samples: &[f64]) -> Vec<f64> {
    samples.to_vec()
}

const SAMPLINGS: [&[(usize, usize)]; 14] = [
    &[(1, 1), (1, 1), (1, 1)],
    &[(2, 1), (1, 1), (1, 1)],
    &[(1, 2), (1, 1), (1, 1)],
    &[(2, 2), (1, 1), (1, 1)],
    &[(4, 1), (1, 1), (1, 1)],
    &[(1, 4), (1, 1), (1, 1)],
    &[(4, 2), (1, 1), (1, 1)],
    &[(2, 2), (2, 1), (1, 2)],
    &[(1, 1), (2, 2), (2, 2)],
    &[(3, 1), (1, 1), (1, 1)],
    &[(3, 2), (2, 1), (1, 1)],
    &[(1, 3), (1, 2), (1, 1)],
    &[(4, 1), (3, 1), (1, 1)],
    &[(3, 1), (2, 1), (3, 1)],
];

#[test]
fn every_sampling_is_the_formula() {
    for (seed, factors) in SAMPLINGS.iter().enumerate() {
        for (width, height) in [(1, 1), (7, 40), (40, 9), (65, 33), (150, 70)] {
            let source = Source::random(width, height, factors, seed as u64 + 1);
            check(&source, &format!("{factors:?} {width} × {height}"), ycbcr);
        }
    }
}

#[test]
fn every_size_is_the_formula() {
    for width in 1..=40 {
        let height = width * 17 % 40 + 1;
        check(&Source::random(width, height, &[(1, 1)], 3), &format!("{width} × {height}"), as_they_are);
        let source = Source::random(width, height, &[(2, 2), (1, 1), (1, 1)], 4);
        check(&source, &format!("{width} × {height}"), ycbcr);
    }
}

#[test]
fn restart_intervals_do_not_matter() {
    for interval in [1, 2, 7, 13] {
        let mut source = Source::random(150, 70, &[(2, 1), (1, 1), (1, 1)], 9);
        source.restart_interval = interval;
        check(&source, "restarts", ycbcr);
    }
}

#[test]
fn components_in_scans_of_their_own_are_the_same_picture() {
    for factors in SAMPLINGS {
        for interval in [0, 5] {
            let mut source = Source::random(75, 53, factors, 5);
            source.restart_interval = interval;
            let together = source.file();
            source.scans = vec![(vec![1], [0, 63, 0, 0]), (vec![0], [0, 63, 0, 0]), (vec![2], [0, 63, 0, 0])];
            let apart = source.file();
            source.scans = vec![(vec![0, 2], [0, 63, 0, 0]), (vec![1], [0, 63, 0, 0])];
            let mixed = source.file();
            for reduction in Reduction::ALL {
                let due = decoded(&together, reduction);
                assert!(decoded(&apart, reduction) == due, "{factors:?} {reduction:?}");
                assert!(decoded(&mixed, reduction) == due, "{factors:?} {reduction:?}");
            }
        }
    }
}

#[test]
fn a_progressive_picture_is_the_sequential_one() {
    for (seed, factors) in
        SAMPLINGS.iter().enumerate().chain([(99, &[(1, 1)][..])].iter().map(|(s, f)| (*s, f)))
    {
        for interval in [0, 1, 6] {
            let mut source = Source::random(75, 53, factors, seed as u64);
            let sequential = source.file();
            source.process = 0xc2;
            source.restart_interval = interval;
            let libjpeg = progressive_scans(factors.len());
            let mut bands: Vec<_> = vec![((0..factors.len()).collect(), [0, 0, 0, 0])];
            for c in 0..factors.len() {
                bands.extend([[1, 2, 0, 0], [3, 30, 0, 0], [31, 63, 0, 0]].map(|band| (vec![c], band)));
            }
            for scans in [libjpeg, bands] {
                source.scans = scans;
                let file = source.file();
                for reduction in Reduction::ALL {
                    let due = decoded(&sequential, reduction);
                    let name = format!("{factors:?} {reduction:?} {interval}");
                    assert!(decoded(&file, reduction) == due, "{name}");
                    let options = Options { scrutiny: Scrutiny::Everything, ..Options::new(reduction) };
                    let all = Decoder::new(&file).unwrap().picture(&options).unwrap().0;
                    assert!(all == due, "{name}, with scrutiny");
                }
            }
        }
    }
}

#[test]
fn inks_are_delivered_as_amounts_of_ink() {
    let mut source = Source::random(40, 30, &[(1, 1), (1, 1), (1, 1), (1, 1)], 6);
    check(&source, "cmyk", as_they_are);
    let adobe = |transform: u8| vec![(0xee, [b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat())];
    source.segments = adobe(0);
    check(&source, "cmyk of Adobe", |inks| inks.iter().map(|ink| 255.0 - ink).collect());
    let mut source = Source::random(40, 30, &[(2, 2), (1, 1), (1, 1), (2, 2)], 7);
    source.segments = adobe(2);
    assert_eq!(Decoder::new(&source.file()).unwrap().info().colour, ColourModel::Ycck);
    check(&source, "ycck", |s| [&reference::rgb(s[0], s[1], s[2])[..], &[255.0 - s[3]]].concat());
}

#[test]
fn rgb_is_left_alone() {
    let mut source = Source::random(40, 30, &[(1, 1), (1, 1), (1, 1)], 8);
    for (component, name) in source.components.iter_mut().zip(*b"RGB") {
        component.id = name;
    }
    check(&source, "named", as_they_are);
    source.segments = vec![(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0".to_vec())];
    check(&source, "named, and yet JFIF", ycbcr);
}

#[test]
fn the_number_of_lines_may_come_later() {
    let mut source = Source::random(40, 30, &[(2, 1), (1, 1), (1, 1)], 8);
    source.lines_later = true;
    check(&source, "lines", ycbcr);
    let file = source.file();
    let at = file.windows(2).position(|w| w == [0xff, 0xdc]).unwrap();
    let without = [&file[..at], &file[at + 6..]].concat();
    assert!(Decoder::new(&without).unwrap_err().is_damage());
}

#[test]
fn quantisation_of_sixteen_bits_and_the_extended_process_are_read() {
    let mut source = Source::random(40, 30, &[(1, 1)], 11);
    source.process = 0xc1;
    for q in &mut source.components[0].quantisation {
        *q = 300;
    }
    for block in &mut source.components[0].blocks {
        block.iter_mut().for_each(|k| *k = (*k).clamp(-3, 3));
    }
    check(&source, "sixteen bits", as_they_are);
}

#[test]
fn a_single_component_with_factors_is_not_padded() {
    for factors in [(2, 2), (4, 1), (1, 3)] {
        let mut source = Source::random(33, 21, &[(1, 1)], 12);
        (source.components[0].h, source.components[0].v) = factors;
        check(&source, "one component", as_they_are);
    }
}
