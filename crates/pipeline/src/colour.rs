//! To sRGB, by the embedded ICC profile where there is one.

use super::pixels::{Channels, Pixels};
use darkroom_domain::{Failure, FailureCode};
use moxcms::{CmsError, ColorProfile, Layout, Transform8BitExecutor, TransformOptions};
use std::sync::Arc;

/// The way from a profile's colours to sRGB.
pub(super) struct Conversion {
    transform: Arc<Transform8BitExecutor>,
    to: Channels,
}

impl Conversion {
    /// Reads an ICC profile for pictures of these channels.
    ///
    /// # Errors
    /// If it is broken, or meant for others: such a picture is shown as if it had no profile.
    pub(super) fn to_srgb(profile: &[u8], channels: Channels) -> Result<Self, CmsError> {
        let (from, to) = match channels {
            Channels::Grey => (Layout::Gray, Channels::Rgb),
            Channels::GreyAlpha => (Layout::GrayAlpha, Channels::Rgba),
            Channels::Rgb => (Layout::Rgb, Channels::Rgb),
            Channels::Rgba => (Layout::Rgba, Channels::Rgba),
            // The layout that moxcms uses for four inks too.
            Channels::Cmyk => (Layout::Rgba, Channels::Rgb),
        };
        let layout = if to.has_alpha() { Layout::Rgba } else { Layout::Rgb };
        let (profile, srgb) = (ColorProfile::new_from_slice(profile)?, ColorProfile::new_srgb());
        let transform = profile.create_transform_8bit(from, &srgb, layout, TransformOptions::default())?;
        Ok(Self { transform, to })
    }
}

/// The picture in sRGB: grey or RGB, with alpha if it had any.
pub(super) fn apply(conversion: Option<&Conversion>, pixels: Pixels) -> Result<Pixels, Failure> {
    let (width, height) = (pixels.width(), pixels.height());
    match conversion {
        Some(Conversion { transform, to }) => {
            let mut samples = vec![0; width as usize * height as usize * to.count()];
            transform.transform(pixels.samples(), &mut samples).map_err(|error| {
                Failure::permanent(FailureCode::Corrupt, format!("the colours cannot be converted: {error}"))
            })?;
            Pixels::new(width, height, *to, samples)
        }
        None if pixels.channels() == Channels::Cmyk => {
            Pixels::new(width, height, Channels::Rgb, pixels.iter().flat_map(ink_to_light).collect())
        }
        None => Ok(pixels),
    }
}

/// Plain inks on white paper: what is not absorbed is seen.
fn ink_to_light(inks: &[u8]) -> [u8; 3] {
    let [cyan, magenta, yellow, black] = *inks.first_chunk().unwrap_or(&[0; 4]);
    [cyan, magenta, yellow].map(|ink| {
        let light = u16::from(255 - ink) * u16::from(255 - black);
        u8::try_from((light + 127) / 255).unwrap_or(u8::MAX)
    })
}
