//! Whatever is said of a JPEG holds for each reduction and each option; and another decoder, if it takes the picture at all,
//! sees the same size.

#![no_main]

use jpeg_reducer::{Damage, Decoder, Error, Options, Picture, Reduction, Scrutiny};
use libfuzzer_sys::fuzz_target;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Small, so that most of the time goes into what is odd and not into many pixels.
const MAX_PIXELS: u32 = 250_000;

type Decoded = Result<(Picture, Option<Error>), Error>;

fuzz_target!(|file: &[u8]| {
    let Ok(decoder) = Decoder::new(file) else { return };
    if decoder.info().width.saturating_mul(decoder.info().height) > MAX_PIXELS {
        return;
    }
    for reduction in Reduction::ALL {
        let decode =
            |damage, scrutiny| decoder.picture(&Options { damage, scrutiny, ..Options::new(reduction) });
        let closely = decode(Damage::Refuse, Scrutiny::Everything);
        let quickly = decode(Damage::Refuse, Scrutiny::Needed);
        for decoded in [&closely, &quickly] {
            whole_or_refused(&decoder, reduction, decoded);
        }
        by_planes(&decoder, reduction, &closely);
        if closely.is_ok() {
            assert!(quickly == closely, "{reduction:?}: to look closer must not change a sample");
            if reduction == Reduction::Full {
                beside_another(&decoder, file);
            }
        }
        for (scrutiny, refused) in [(Scrutiny::Everything, &closely), (Scrutiny::Needed, &quickly)] {
            kept(&decoder, reduction, &decode(Damage::Keep, scrutiny), refused);
        }
    }
});

fn has_size(decoder: &Decoder<'_>, reduction: Reduction, picture: &Picture) {
    assert_eq!((picture.width, picture.height), decoder.size(reduction));
    let due = picture.width as usize * picture.height as usize * picture.channels;
    assert_eq!(picture.samples.len(), due, "{reduction:?}");
}

fn whole_or_refused(decoder: &Decoder<'_>, reduction: Reduction, decoded: &Decoded) {
    match decoded {
        Ok((picture, damage)) => {
            assert_eq!(*damage, None);
            has_size(decoder, reduction, picture);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Who keeps what is damaged gets a whole picture, and is told of damage where others are refused for some: not always the
/// same, for these are refused by headers first.
fn kept(decoder: &Decoder<'_>, reduction: Reduction, kept: &Decoded, refused: &Decoded) {
    match (kept, refused) {
        (Ok((picture, damage)), Err(error)) => {
            has_size(decoder, reduction, picture);
            assert!(
                error.is_damage() && damage.as_ref().is_some_and(Error::is_damage),
                "{damage:?} / {error}"
            );
        }
        // Nothing can be read with damaged tables.
        (Err(error), Err(refused)) => assert_eq!(error, refused),
        (kept, refused) => assert!(kept == refused),
    }
}

/// Planes are whole, or refused for what pixels are; the one of a grey picture is the picture.
fn by_planes(decoder: &Decoder<'_>, reduction: Reduction, pixels: &Decoded) {
    let mut planes: [Vec<u8>; 4] = Default::default();
    let options = Options { scrutiny: Scrutiny::Everything, ..Options::new(reduction) };
    let decoded = decoder.decode_planes(&options, &mut |row| planes[row.component].extend(row.samples));
    match (decoded, pixels) {
        (Ok(damage), Ok((picture, _))) => {
            assert_eq!(damage, None);
            for (component, plane) in planes.iter().enumerate().take(decoder.info().components.into()) {
                let size = decoder.plane_size(component, reduction).expect("it is one of the picture's");
                assert_eq!(
                    plane.len(),
                    size.width as usize * size.height as usize,
                    "{reduction:?} {component}"
                );
            }
            assert!(picture.channels > 1 || planes[0] == picture.samples, "{reduction:?}");
        }
        (Err(error), Err(refused)) => assert_eq!(error, *refused),
        (decoded, pixels) => panic!("{reduction:?}: {decoded:?} / {:?}", pixels.as_ref().err()),
    }
}

fn beside_another(decoder: &Decoder<'_>, file: &[u8]) {
    // It knows no pictures whose height stands behind the first scan.
    if !states_height(file) {
        return;
    }
    let options = DecoderOptions::default().set_strict_mode(false);
    let mut other = JpegDecoder::new_with_options(ZCursor::new(file), options);
    // It is stricter where a header says what does not matter, such as the bits of a sequential scan.
    if other.decode_headers().is_ok() {
        let size = other.dimensions().map(|(width, height)| (width as u32, height as u32));
        assert_eq!(size, Some((decoder.info().width, decoder.info().height)));
    }
}

fn states_height(file: &[u8]) -> bool {
    !file.windows(7).any(|w| matches!(w, [0xff, 0xc0..=0xc2, _, _, _, 0, 0]))
}
