//! Pictures of an ordinary encoder, whatever its settings, are the same to another decoder.

#![no_main]

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use jpeg_reducer::{Decoder, Options, Reduction, Scrutiny};
use libfuzzer_sys::fuzz_target;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

const SAMPLINGS: [SamplingFactor; 4] =
    [SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_2, SamplingFactor::R_4_2_0, SamplingFactor::R_4_4_0];

/// What rounding makes of a sample in two inverse transforms and two conversions of colour.
const TOLERANCE: f64 = 4.0;

fuzz_target!(|input: &[u8]| {
    let [width, height, quality, settings, interval, seeds @ ..] = input else { return };
    let (width, height) = (u16::from(*width % 70) + 1, u16::from(*height % 70) + 1);
    if seeds.is_empty() {
        return;
    }
    let grey = settings & 1 == 1;
    let sampling = SAMPLINGS[usize::from(settings >> 1) % SAMPLINGS.len()];
    let file = encode(seeds, (width, height), grey, |encoder| {
        encoder.set_quality(quality % 100 + 1);
        encoder.set_sampling_factor(sampling);
        encoder.set_progressive(settings & 8 != 0);
        if settings & 16 != 0 && *interval > 0 {
            encoder.set_restart_interval(u16::from(*interval));
        }
    });
    let decoder = Decoder::new(&file).expect("the header is right");
    for reduction in Reduction::ALL {
        let decode = |scrutiny| decoder.picture(&Options { scrutiny, ..Options::new(reduction) });
        let (picture, _) = decode(Scrutiny::Everything).expect("the picture is right");
        assert!(decode(Scrutiny::Needed).is_ok_and(|(quick, _)| quick == picture));
    }
    let (picture, _) = decoder.picture(&Options::new(Reduction::Full)).expect("the picture is right");
    let colours = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    let options = DecoderOptions::default().jpeg_set_out_colorspace(colours);
    let mut other = JpegDecoder::new_with_options(ZCursor::new(&file[..]), options);
    let others = other.decode().expect("the picture is right");
    assert_eq!(picture.samples.len(), others.len());
    let channels = picture.channels;
    for (own, other) in picture.samples.chunks_exact(channels).zip(others.chunks_exact(channels)) {
        // Where a colour reaches its end, what the two make of colour differences shows in lightness too.
        if [own, other].concat().iter().all(|sample| (8..248).contains(sample)) {
            assert!((lightness(own) - lightness(other)).abs() <= TOLERANCE, "{own:?} {other:?}");
        }
    }
});

fn encode(
    seeds: &[u8],
    (width, height): (u16, u16),
    grey: bool,
    adjust: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let (colour, channels) = if grey { (ColorType::Luma, 1) } else { (ColorType::Rgb, 3) };
    let samples = usize::from(width) * usize::from(height) * channels;
    let samples: Vec<u8> = seeds.iter().copied().cycle().take(samples).collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 80);
    adjust(&mut encoder);
    encoder.encode(&samples, width, height, colour).expect("an encoder takes every picture");
    file
}

/// It depends on luminance alone, which is never subsampled: decoders mix the samples of colour differences in their own ways.
fn lightness(pixel: &[u8]) -> f64 {
    match *pixel {
        [red, green, blue] => f64::from(red) * 0.299 + f64::from(green) * 0.587 + f64::from(blue) * 0.114,
        [grey, ..] => f64::from(grey),
        [] => 0.0,
    }
}
