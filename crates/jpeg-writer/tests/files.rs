//! What is written is read by others as what it was.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test ends by panicking")]

use jpeg_writer::{Error, Picture, Quality};

/// Something with large shapes, fine lines and grain.
fn samples(width: u32, height: u32, channels: u32) -> Vec<u8> {
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let level = |x: u32, y: u32, channel: u32| {
        let wave =
            (f64::from(x) * 0.11 + f64::from(channel)).sin() * 50.0 + (f64::from(y) * 0.07).cos() * 50.0;
        let grain = (x * 7_919 + y * 104_729 + channel * 31) % 17;
        (128.0 + wave + f64::from(grain)) as u8
    };
    pixels.flat_map(|(x, y)| (0..channels).map(move |channel| level(x, y, channel))).collect()
}

/// Decoded by jpeg-decoder, after zune-jpeg found the same size.
fn decoded(file: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut other = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(file));
    other.decode().unwrap();
    assert_eq!(other.dimensions(), Some((width as usize, height as usize)));
    let mut decoder = jpeg_decoder::Decoder::new(file);
    let samples = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    assert_eq!((u32::from(info.width), u32::from(info.height)), (width, height));
    samples
}

/// Peak signal to noise ratio, in dB.
fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) * a.len() as f64 / sum.max(1e-9)).log10()
}

fn with_jpeg_encoder(
    samples: &[u8],
    (width, height): (u32, u32),
    colour: jpeg_encoder::ColorType,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
    encoder.encode(samples, width as u16, height as u16, colour).unwrap();
    bytes
}

#[test]
fn every_small_size_comes_back() {
    for width in 1..=35 {
        for height in 1..=35 {
            let rgb = samples(width, height, 3);
            let grey = samples(width, height, 1);
            let file = Picture::from_rgb(width, height, &rgb).unwrap().encode(Quality::new(95));
            assert!(psnr(&decoded(&file, width, height), &rgb) > 24.0, "{width} × {height}");
            let file = Picture::grey(width, height, &grey).unwrap().encode(Quality::new(95));
            assert!(psnr(&decoded(&file, width, height), &grey) > 30.0, "{width} × {height}, grey");
        }
    }
}

#[test]
fn a_thumbnail_is_as_near_as_others_make_it_and_smaller() {
    for (width, height) in [(512, 384), (509, 341), (128, 96), (96, 128)] {
        for (channels, colour) in [(3, jpeg_encoder::ColorType::Rgb), (1, jpeg_encoder::ColorType::Luma)] {
            let samples = samples(width, height, channels);
            let picture = if channels == 3 {
                Picture::from_rgb(width, height, &samples)
            } else {
                Picture::grey(width, height, &samples)
            };
            let file = picture.unwrap().encode(Quality::new(80));
            let other = with_jpeg_encoder(&samples, (width, height), colour);
            let [own, others] = [&file, &other].map(|file| psnr(&decoded(file, width, height), &samples));
            assert!(own > others - 0.1, "{own} and {others} dB");
            assert!(file.len() < other.len(), "{} and {} bytes", file.len(), other.len());
        }
    }
}

#[test]
fn every_quality_can_be_read_and_a_better_one_is_nearer() {
    let rgb = samples(80, 60, 3);
    let mut before = 0.0;
    for quality in [1, 10, 25, 50, 75, 90, 100] {
        let file = Picture::from_rgb(80, 60, &rgb).unwrap().encode(Quality::new(quality));
        let now = psnr(&decoded(&file, 80, 60), &rgb);
        assert!(now > before - 0.05, "{quality}: {now}, before {before}");
        before = now;
    }
}

#[test]
fn extremes_come_back() {
    // Full contrast in every pattern makes the largest coefficients there are.
    let noise =
        |seed: u32| (0..64 * 64).map(move |i: u32| if (i * i * seed + i / 7) % 5 < 2 { 255 } else { 0 });
    let pictures = (1..60).map(|seed| noise(seed).collect::<Vec<u8>>());
    let checks = [1, 2, 4, 8].map(|side| {
        (0..64 * 64)
            .map(|i| if (i / 64 / side + i % 64 / side) % 2 == 0 { 255 } else { 0 })
            .collect::<Vec<u8>>()
    });
    for picture in pictures.chain(checks).chain([vec![0; 64 * 64], vec![255; 64 * 64]]) {
        let file = Picture::grey(64, 64, &picture).unwrap().encode(Quality::new(100));
        let back = decoded(&file, 64, 64);
        assert!(psnr(&back, &picture) > 45.0, "{}", psnr(&back, &picture));
    }
}

#[test]
fn planes_are_taken_as_they_are() {
    let (y, cb, cr) = (samples(33, 21, 1), vec![110; 17 * 11], vec![140; 17 * 11]);
    let file = Picture::ycbcr(33, 21, [&y[..], &cb, &cr]).unwrap().encode(Quality::new(95));
    let rgb = decoded(&file, 33, 21);
    let (y, [r, g, b]) = (f64::from(y[0]), [rgb[0], rgb[1], rgb[2]].map(f64::from));
    assert!((r - (y + 1.402 * 12.0)).abs() < 6.0 && (b - (y - 1.772 * 18.0)).abs() < 6.0, "{y}: {r} {g} {b}");
}

#[test]
fn what_is_no_picture_is_refused() {
    assert_eq!(Picture::grey(0, 5, &[][..]).unwrap_err(), Error::Size { width: 0, height: 5 });
    assert_eq!(
        Picture::grey(65_536, 1, vec![0; 65_536]).unwrap_err(),
        Error::Size { width: 65_536, height: 1 }
    );
    assert_eq!(Picture::from_rgb(2, 2, &[0; 11]).unwrap_err(), Error::Samples { found: 11, due: 12 });
    let short = Picture::ycbcr(3, 3, [&[0; 9][..], &[0; 4], &[0; 3]]).unwrap_err();
    assert_eq!(short.to_string(), "there are 3 samples in a plane that should have 4");
    let wide = Picture::grey(65_535, 1, vec![7; 65_535]).unwrap().encode(Quality::new(80));
    // The other decoder takes none that is so wide.
    let samples = jpeg_decoder::Decoder::new(&wide[..]).decode().unwrap();
    assert_eq!((samples.len(), samples[65_534]), (65_535, 7));
}
