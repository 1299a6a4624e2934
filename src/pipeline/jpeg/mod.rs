//! JPEG, reduced while decoding by `jpeg-decoder`; what that one does not know is decoded whole by `image`.

mod frame;
mod segments;
mod source;
mod zeros;

pub(super) use segments::exif;

use super::cost::{REDUCED_LONG_SIDE, memory_bytes};
use super::decode::Decoded;
use super::narrow::Narrowing;
use super::pixels::{Channels, Pixels};
use super::{Cancelled, Limits, within_budget};
use crate::domain::{Failure, FailureCode};
use crate::probe::{Header, JpegProcess, Layout};
use image::{ColorType, ImageDecoder};
use jpeg_decoder::{ColorTransform, Decoder, Error, PixelFormat};
use segments::{ColourModel, colour_model, icc_profile};
use source::Source;
use std::io::{self, Cursor};

/// Decodes `bytes`; see [`super::decode::decode`].
pub(super) fn decode(
    bytes: &[u8],
    header: &Header,
    to_width: u32,
    limits: &Limits,
    cancelled: Cancelled<'_>,
) -> Result<Decoded, Failure> {
    let Layout::Jpeg { process, precision, components, .. } = header.layout() else {
        return Err(Failure::permanent(FailureCode::Corrupt, "the header is not that of a JPEG"));
    };
    supported(process, precision)?;
    let model = colour_model(bytes, components);
    let mut source = Source::new(bytes, cancelled);
    let pixels = match reduced(&mut source, model) {
        Ok(pixels) if source.is_complete() => {
            zeros::check(source.scans(), model, cancelled)?;
            pixels?
        }
        Ok(_) => return Err(truncated("the picture's last scans are missing")),
        Err(error) => match explain(error, &mut source) {
            Refusal::Final(failure) => return Err(failure),
            Refusal::OfThisDecoder(failure) => whole(bytes, header, limits, &mut source, failure)?,
        },
    };
    let mut narrowing = Narrowing::new(pixels.width(), pixels.height(), pixels.channels(), to_width);
    narrowing.take(pixels.samples())?;
    Ok(Decoded { pixels: narrowing.finish()?, profile: icc_profile(bytes) })
}

/// Refuses what no decoder here has.
fn supported(process: JpegProcess, precision: u8) -> Result<(), Failure> {
    let lacking = match process {
        JpegProcess::Lossless => "it is a lossless JPEG".to_owned(),
        JpegProcess::Hierarchical => "it is a hierarchical JPEG".to_owned(),
        JpegProcess::Arithmetic => "it is an arithmetic-coded JPEG".to_owned(),
        _ if precision != 8 => format!("it is a JPEG of {precision} bits per sample"),
        JpegProcess::Baseline | JpegProcess::Extended | JpegProcess::Progressive => return Ok(()),
    };
    let text = format!("the picture cannot be decoded: {lacking}");
    Err(Failure::permanent(FailureCode::UnsupportedFeature, text))
}

/// Decodes at the reduction that [`Header::reduction`] promises.
fn reduced(source: &mut Source<'_>, model: ColourModel) -> Result<Result<Pixels, Failure>, Error> {
    let mut decoder = Decoder::new(source);
    match model {
        ColourModel::Grey => {}
        ColourModel::YCbCr => decoder.set_color_transform(ColorTransform::YCbCr),
        ColourModel::Rgb => decoder.set_color_transform(ColorTransform::RGB),
        ColourModel::Cmyk { .. } => decoder.set_color_transform(ColorTransform::CMYK),
        ColourModel::Ycck => decoder.set_color_transform(ColorTransform::YCCK),
    }
    let side = u16::try_from(REDUCED_LONG_SIDE).unwrap_or(u16::MAX);
    let (width, height) = decoder.scale(side, side)?;
    let mut samples = decoder.decode()?;
    let channels = match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::L8) => Channels::Grey,
        Some(PixelFormat::CMYK32) => Channels::Cmyk,
        _ => Channels::Rgb,
    };
    // The decoder takes all CMYK for inverted and turns it round.
    if model == (ColourModel::Cmyk { inverted: false }) {
        samples.iter_mut().for_each(|sample| *sample = !*sample);
    }
    Ok(Pixels::new(width.into(), height.into(), channels, samples))
}

/// Whether another decoder may do better.
enum Refusal {
    Final(Failure),
    OfThisDecoder(Failure),
}

fn explain(error: Error, source: &mut Source<'_>) -> Refusal {
    if let Some(stop) = source.take_stop() {
        return Refusal::Final(stop);
    }
    if source.ran_out() {
        return Refusal::Final(truncated("the data ends before the picture does"));
    }
    match error {
        Error::Unsupported(_) => {
            let text = format!("the picture cannot be decoded: {error}");
            Refusal::OfThisDecoder(Failure::permanent(FailureCode::UnsupportedFeature, text))
        }
        // Another decoder may well read it, but only since it looks less closely.
        _ => {
            let text = format!("the picture is damaged: {error}");
            Refusal::Final(Failure::permanent(FailureCode::Corrupt, text))
        }
    }
}

fn truncated(text: &str) -> Failure {
    Failure::permanent(FailureCode::Truncated, format!("the file is not whole: {text}"))
}

/// Decodes without reduction, after the first decoder gave up because of `refusal`.
fn whole(
    bytes: &[u8],
    header: &Header,
    limits: &Limits,
    source: &mut Source<'_>,
    refusal: Failure,
) -> Result<Pixels, Failure> {
    let Layout::Jpeg { coefficients, .. } = header.layout() else { return Err(refusal) };
    within_budget(header.pixels() * 3 + coefficients * 3 + memory_bytes(header), limits)?;
    // This decoder is lenient, so at least all of the file must be there.
    let _read = io::copy(source, &mut io::sink());
    if let Some(stop) = source.take_stop() {
        return Err(stop);
    }
    if source.ran_out() {
        return Err(truncated("the data ends before the picture does"));
    }
    if !source.is_complete() {
        return Err(refusal);
    }
    let read = || {
        let decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(bytes)).ok()?;
        let (width, height) = decoder.dimensions();
        let channels = match decoder.color_type() {
            ColorType::L8 => Channels::Grey,
            ColorType::Rgb8 => Channels::Rgb,
            _ => return None,
        };
        let mut samples = vec![0; usize::try_from(decoder.total_bytes()).ok()?];
        decoder.read_image(&mut samples).ok()?;
        Some(Pixels::new(width, height, channels, samples))
    };
    read().unwrap_or(Err(refusal))
}
