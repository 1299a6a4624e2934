//! Pictures of an ordinary encoder, over the grid of sampling, restarts, process and size, beside other decoders.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may say what they expect"
)]

mod support;

use jpeg_encoder::SamplingFactor;
use jpeg_reducer::{Decoder, Options, Picture, Reduction};
use support::encoded::{SAMPLINGS, encode, waves};

fn reduced(file: &[u8], reduction: Reduction) -> Picture {
    let decoder = Decoder::new(file).unwrap();
    let (picture, damage) = decoder.picture(&Options::new(reduction)).unwrap();
    assert_eq!(damage, None);
    assert_eq!((picture.width, picture.height), decoder.size(reduction));
    assert_eq!(picture.samples.len(), picture.width as usize * picture.height as usize * picture.channels);
    picture
}

/// Averages of squares of pixels, a side of which is `8 / eighths` long: what an ideal camera of so few pixels sees. The
/// last ones of a row may be cut.
fn averaged(full: &Picture, eighths: usize) -> Vec<f64> {
    let (width, height, n) = (full.width as usize, full.height as usize, full.channels);
    // In parts of a pixel, of which each has as many as there are eighths: for each pixel, how much of it lies inside.
    let shares = move |at: usize, length: usize| {
        let (from, to) = (at * 8, ((at + 1) * 8).min(length * eighths));
        (from / eighths..to.div_ceil(eighths)).map(move |pixel| {
            (pixel, ((pixel + 1) * eighths).min(to) as f64 - (pixel * eighths).max(from) as f64)
        })
    };
    let mut averages = Vec::new();
    for (y, x) in (0..(height * eighths).div_ceil(8))
        .flat_map(|y| (0..(width * eighths).div_ceil(8)).map(move |x| (y, x)))
    {
        for channel in 0..n {
            let (mut sum, mut area) = (0.0, 0.0);
            for ((y, high), (x, wide)) in
                shares(y, height).flat_map(|row| shares(x, width).map(move |column| (row, column)))
            {
                sum += f64::from(full.samples[(y * width + x) * n + channel]) * high * wide;
                area += high * wide;
            }
            averages.push(sum / area);
        }
    }
    averages
}

fn psnr(is: &[u8], due: &[f64]) -> f64 {
    let error: f64 = is.iter().zip(due).map(|(is, due)| (f64::from(*is) - due).powi(2)).sum();
    10.0 * (255.0 * 255.0 / (error / is.len() as f64).max(1e-3)).log10()
}

/// Those where four pixels share a sample of colour.
const FOURFOLD: [SamplingFactor; 4] =
    [SamplingFactor::R_4_4_1, SamplingFactor::R_4_1_1, SamplingFactor::R_4_1_0, SamplingFactor::F_4_1];

#[test]
fn at_full_size_it_is_what_others_decode() {
    for sampling in SAMPLINGS {
        for size in 1..=40 {
            let (width, height) = (size, size * 23 % 40 + 1);
            let file =
                encode(&waves(width, height, 8.0), (width, height), |e| e.set_sampling_factor(sampling));
            let is = reduced(&file, Reduction::Full);
            let far = FOURFOLD.contains(&sampling);
            let due = jpeg_decoder::Decoder::new(&file[..]).decode().unwrap();
            let name = format!("{sampling:?} {width} × {height}");
            // Where four pixels share a sample, that one repeats it, instead of mixing it with the next.
            assert!(mean_difference(&is.samples, &due) < if far { 2.2 } else { 0.2 }, "{name}");
            if !far {
                let mut other = zune_jpeg::JpegDecoder::new(zune_core::bytestream::ZCursor::new(&file));
                assert!(mean_difference(&is.samples, &other.decode().unwrap()) < 0.7, "{name}");
            }
        }
    }
}

fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

#[test]
fn without_subsampling_no_sample_is_off_by_more_than_three() {
    for (width, height) in [(40, 33), (17, 8), (200, 150)] {
        let file = encode(&waves(width, height, 20.0), (width, height), |_| {});
        let is = reduced(&file, Reduction::Full).samples;
        let due = jpeg_decoder::Decoder::new(&file[..]).decode().unwrap();
        let worst = is.iter().zip(&due).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(3), "{width} × {height}: {worst:?}");
    }
}

#[test]
fn reduced_pictures_are_near_the_averages_of_the_full_one() {
    for sampling in SAMPLINGS {
        for (width, height) in [(400, 300), (333, 217), (64, 64)] {
            let file =
                encode(&waves(width, height, 2.0), (width, height), |e| e.set_sampling_factor(sampling));
            let full = reduced(&file, Reduction::Full);
            for reduction in Reduction::ALL {
                let is = reduced(&file, reduction);
                let is_near = psnr(&is.samples, &averaged(&full, reduction.eighths() as usize));
                assert!(is_near > 40.0, "{sampling:?} {width} × {height} {reduction:?}: {is_near} dB");
            }
        }
    }
}

#[test]
fn process_restarts_and_codes_do_not_change_a_sample() {
    for sampling in SAMPLINGS {
        for size in (1..=40).step_by(3).chain([150]) {
            let (width, height) = (size, size * 31 % 40 + 1);
            let samples = waves(width, height, 30.0);
            let plain = encode(&samples, (width, height), |e| e.set_sampling_factor(sampling));
            for (progressive, interval, optimised) in
                [(true, 0, false), (false, 1, false), (false, 3, false), (false, 0, true)]
            {
                let file = encode(&samples, (width, height), |e| {
                    e.set_sampling_factor(sampling);
                    e.set_progressive(progressive);
                    // The encoder fails at it where pictures lack a symbol, or have restart markers.
                    e.set_optimized_huffman_tables(optimised && size == 150);
                    if interval > 0 {
                        e.set_restart_interval(interval);
                    }
                });
                for reduction in Reduction::ALL {
                    let name =
                        format!("{sampling:?} {size} {progressive} {interval} {optimised} {reduction:?}");
                    assert!(reduced(&file, reduction) == reduced(&plain, reduction), "{name}");
                }
            }
        }
    }
}

#[test]
fn rows_come_in_order_and_complete() {
    for sampling in SAMPLINGS {
        let file = encode(&waves(97, 83, 9.0), (97, 83), |e| e.set_sampling_factor(sampling));
        let decoder = Decoder::new(&file).unwrap();
        for reduction in Reduction::ALL {
            let whole = reduced(&file, reduction);
            let (mut next, mut samples) = (0, Vec::new());
            let damage = decoder.decode(&Options::new(reduction), &mut |rows| {
                assert_eq!((rows.first, rows.width, rows.channels), (next, whole.width, 3));
                assert_eq!(rows.samples.len(), (rows.count * rows.width * 3) as usize);
                next += rows.count;
                samples.extend_from_slice(rows.samples);
            });
            assert_eq!((damage, next), (Ok(None), whole.height));
            assert!(samples == whole.samples);
        }
    }
}
