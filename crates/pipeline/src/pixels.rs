//! A picture in memory.

use darkroom_domain::{Failure, FailureCode};

/// What the samples of a pixel mean; 8 bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Lightness.
    Grey,
    /// Lightness, alpha.
    GreyAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, alpha.
    Rgba,
    /// Amounts of ink: 0 is none.
    Cmyk,
}

impl Channels {
    /// Samples of one pixel.
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    /// The same without alpha.
    const fn opaque(self) -> Self {
        match self {
            Self::GreyAlpha => Self::Grey,
            Self::Rgba => Self::Rgb,
            other => other,
        }
    }

    pub(super) const fn has_alpha(self) -> bool {
        matches!(self, Self::GreyAlpha | Self::Rgba)
    }
}

/// Rows from the top, pixels from the left, without gaps; at least one pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    width: u32,
    height: u32,
    channels: Channels,
    samples: Vec<u8>,
}

impl Pixels {
    /// A picture of these samples.
    ///
    /// # Errors
    /// `Corrupt` if there is no pixel, or the number of samples is not the one that the sides ask for.
    pub(super) fn new(
        width: u32,
        height: u32,
        channels: Channels,
        samples: Vec<u8>,
    ) -> Result<Self, Failure> {
        let due = u64::from(width) * u64::from(height) * channels.count() as u64;
        if due == 0 || u64::try_from(samples.len()) != Ok(due) {
            let text =
                format!("{width} × {height} pixels need {due} samples, and {} were decoded", samples.len());
            return Err(Failure::permanent(FailureCode::Corrupt, text));
        }
        Ok(Self { width, height, channels, samples })
    }

    /// Pixels of a row.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// What the samples mean.
    #[must_use]
    pub const fn channels(&self) -> Channels {
        self.channels
    }

    /// Width × height × [`Channels::count`] samples.
    #[must_use]
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// The samples as red, green and blue, on white where something shines through. Not for inks, of which a
    /// picture that was drawn holds none.
    #[must_use]
    pub fn rgb_on_white(&self) -> Vec<u8> {
        let on_white = |sample: u8, alpha: u8| {
            let (sample, alpha) = (u32::from(sample), u32::from(alpha));
            u8::try_from((sample * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
        };
        let rgb = |pixel: &[u8]| match *pixel {
            [grey] => [grey; 3],
            [grey, alpha] => [on_white(grey, alpha); 3],
            [r, g, b, alpha] => [r, g, b].map(|sample| on_white(sample, alpha)),
            [r, g, b, ..] => [r, g, b],
            [] => [u8::MAX; 3],
        };
        self.iter().flat_map(rgb).collect()
    }

    pub(super) fn samples_mut(&mut self) -> &mut [u8] {
        &mut self.samples
    }

    pub(super) fn into_samples(self) -> Vec<u8> {
        self.samples
    }

    /// Each pixel's samples, row by row.
    pub(super) fn iter(&self) -> std::slice::ChunksExact<'_, u8> {
        self.samples.chunks_exact(self.channels.count())
    }

    /// The part of the given size from the pixel (left, top) on; `None` if that reaches out of the picture.
    pub(super) fn part(&self, (left, top): (u32, u32), (width, height): (u32, u32)) -> Option<Self> {
        let count = self.channels.count();
        let (from, to) = (left as usize * count, left.checked_add(width)? as usize * count);
        let rows =
            self.samples.chunks_exact(self.width as usize * count).skip(top as usize).take(height as usize);
        let rows = rows.map(|row| row.get(from..to)).collect::<Option<Vec<_>>>()?;
        Self::new(width, height, self.channels, rows.concat()).ok()
    }

    /// Whether any pixel lets something through: an alpha channel alone does not make a picture transparent.
    pub(super) fn is_transparent(&self) -> bool {
        self.channels.has_alpha() && self.iter().any(|pixel| pixel.last() != Some(&u8::MAX))
    }

    /// Drops the alpha channel, if there is one; in place, for the picture may be long.
    pub(super) fn without_alpha(mut self) -> Self {
        if !self.channels.has_alpha() {
            return self;
        }
        let (from, to) = (self.channels.count(), self.channels.opaque().count());
        let pixels = self.samples.len() / from;
        for pixel in 0..pixels {
            self.samples.copy_within(pixel * from..pixel * from + to, pixel * to);
        }
        self.samples.truncate(pixels * to);
        Self { channels: self.channels.opaque(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shines_through_is_white() {
        let of =
            |channels, samples: &[u8]| Pixels::new(1, 1, channels, samples.to_vec()).unwrap().rgb_on_white();
        assert_eq!(of(Channels::Grey, &[7]), [7, 7, 7]);
        assert_eq!(of(Channels::GreyAlpha, &[7, 0]), [255, 255, 255]);
        assert_eq!(of(Channels::Rgb, &[1, 2, 3]), [1, 2, 3]);
        assert_eq!(of(Channels::Rgba, &[1, 2, 3, 255]), [1, 2, 3]);
        assert_eq!(of(Channels::Rgba, &[0, 255, 100, 51]), [204, 255, 224]);
    }
}
