//! A picture in memory as a JPEG has it: luminance, and two colour differences (ITU-T T.871) with a sample for every four
//! pixels. Who decodes a JPEG only to encode a smaller one need not make red, green and blue of it.

use super::orient;
use super::pixels::{Channels, Pixels};
use super::resize::{self, Extent};
use darkroom_domain::{Failure, Orientation};

/// Luminance, and differences of half its width and height, rounded up. A sample of a difference lies in the middle of its
/// four pixels: the first one in that of the first four.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planes {
    luminance: Pixels,
    differences: [Pixels; 2],
}

/// A plane, and the part of it that is the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<P> {
    pub(super) plane: P,
    pub(super) extent: Extent,
}

impl Part<Pixels> {
    pub(super) const fn as_ref(&self) -> Part<&Pixels> {
        Part { plane: &self.plane, extent: self.extent }
    }
}

impl Planes {
    /// Of decoded planes, whose sizes may be any, those of a picture that has the given size and will be shown in the given
    /// orientation.
    pub(super) fn shrunk(
        luminance: Part<&Pixels>,
        differences: [Part<&Pixels>; 2],
        size: (u32, u32),
        orientation: Orientation,
    ) -> Result<Self, Failure> {
        let [cb, cr] = differences;
        Ok(Self {
            luminance: resize::shrink_part(luminance.plane, luminance.extent, size)?,
            differences: [halved(cb, size, orientation)?, halved(cr, size, orientation)?],
        })
    }

    /// The same picture at another size; both are not yet upright.
    pub(super) fn shrink(&self, size: (u32, u32), orientation: Orientation) -> Result<Self, Failure> {
        let (width, height) = (self.width(), self.height());
        let (mirrored_across, mirrored_down) = orient::mirrors(orientation);
        // An odd side covers half of the last sample; of the first one if that is to become the last.
        let from = |side: u32, is_mirrored: bool| if is_mirrored { f64::from(side % 2) / 2.0 } else { 0.0 };
        let extent = Extent {
            left: from(width, mirrored_across),
            top: from(height, mirrored_down),
            width: f64::from(width) / 2.0,
            height: f64::from(height) / 2.0,
        };
        let luminance = Part { plane: &self.luminance, extent: Extent::whole(width, height) };
        let differences = self.differences.each_ref().map(|plane| Part { plane, extent });
        Self::shrunk(luminance, differences, size, orientation)
    }

    /// The picture as it is to be shown.
    pub(super) fn upright(self, orientation: Orientation) -> Self {
        Self {
            luminance: orient::upright(self.luminance, orientation),
            differences: self.differences.map(|plane| orient::upright(plane, orientation)),
        }
    }

    /// Pixels of a row.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.luminance.width()
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.luminance.height()
    }

    /// The luminance: a grey picture.
    #[must_use]
    pub const fn luminance(&self) -> &Pixels {
        &self.luminance
    }

    /// Luminance and the two differences, each as if it were a grey picture.
    #[must_use]
    pub const fn all(&self) -> [&Pixels; 3] {
        let [cb, cr] = &self.differences;
        [&self.luminance, cb, cr]
    }

    /// Red, green and blue, with differences in between mixed by distance, as decoders do.
    pub(super) fn to_pixels(&self) -> Result<Pixels, Failure> {
        let (width, height) = (self.width(), self.height());
        let mut differences = Vec::new();
        for plane in &self.differences {
            let wide = resize::enlarge(plane, (2 * plane.width(), 2 * plane.height()))?;
            differences.extend(wide.part((0, 0), (width, height)));
        }
        let [cb, cr] = differences.as_slice() else { return Ok(self.luminance.clone()) };
        let samples = self.luminance.samples().iter().zip(cb.samples()).zip(cr.samples());
        let rgb = samples.flat_map(|((y, cb), cr)| rgb(*y, *cb, *cr)).collect();
        Pixels::new(width, height, Channels::Rgb, rgb)
    }
}

/// ITU-T T.871, clause 7.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    let levels = [y + 1.402 * cr, y - 0.344_136_3 * cb - 0.714_136_3 * cr, y + 1.772 * cb];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 255")]
    levels.map(|level| level.round().clamp(0.0, 255.0) as u8)
}

/// A difference of a picture that has the given size.
fn halved(
    Part { plane, extent }: Part<&Pixels>,
    (width, height): (u32, u32),
    orientation: Orientation,
) -> Result<Pixels, Failure> {
    let (mirrored_across, mirrored_down) = orient::mirrors(orientation);
    let across = Line::new((extent.left, extent.width), plane.width(), width, mirrored_across);
    let down = Line::new((extent.top, extent.height), plane.height(), height, mirrored_down);
    let extent = Extent { left: across.from, top: down.from, width: across.length, height: down.length };
    let to = (width.div_ceil(2), height.div_ceil(2));
    if across.is_inside() && down.is_inside() {
        return resize::shrink_part(plane, extent, to);
    }
    resize::shrink_part(&widened(plane, &across, &down)?, extent, to)
}

/// Which part of a line of samples becomes the line of a difference.
///
/// Of an odd number of pixels, the last one has a sample for itself that stands for two. So that no sample is moved for
/// it, the part reaches beyond the picture by as much, where samples like the last one are put; on the other side if the line
/// will be shown from its end.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    /// Samples that are put before those that there are, and behind them.
    before: u32,
    behind: u32,
    /// The part, all of these counted.
    from: f64,
    length: f64,
}

impl Line {
    /// For the part `(from, length)` of `samples`, which is the picture, and becomes `pixels` wide.
    fn new((from, length): (f64, f64), samples: u32, pixels: u32, is_mirrored: bool) -> Self {
        let beyond = length * f64::from(pixels % 2) / f64::from(pixels.max(1));
        let from = if is_mirrored { from - beyond } else { from };
        let length = length + beyond;
        let missing = |samples: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below 0")]
            let missing = samples.max(0.0).ceil() as u32;
            missing
        };
        let before = missing(-from);
        let behind = missing(from + length - f64::from(samples));
        Self { before, behind, from: from + f64::from(before), length }
    }

    const fn is_inside(&self) -> bool {
        self.before == 0 && self.behind == 0
    }
}

/// A plane with more samples like its outermost ones.
fn widened(plane: &Pixels, across: &Line, down: &Line) -> Result<Pixels, Failure> {
    let (width, height) =
        (plane.width() + across.before + across.behind, plane.height() + down.before + down.behind);
    let mut samples = Vec::with_capacity(width as usize * height as usize);
    let rows = || plane.samples().chunks_exact(plane.width() as usize);
    let first = rows().take(1).cycle().take(down.before as usize);
    let last = rows().skip(plane.height() as usize - 1).cycle().take(down.behind as usize);
    for row in first.chain(rows()).chain(last) {
        let [left, right] = [row.first(), row.last()].map(|sample| sample.copied().unwrap_or_default());
        samples.resize(samples.len() + across.before as usize, left);
        samples.extend_from_slice(row);
        samples.resize(samples.len() + across.behind as usize, right);
    }
    Pixels::new(width, height, Channels::Grey, samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_line_is_taken_as_it_is_and_an_odd_one_reaches_beyond() {
        let line = |before, behind, from, length| Line { before, behind, from, length };
        assert_eq!(Line::new((0.0, 99.5), 100, 50, false), line(0, 0, 0.0, 99.5));
        assert_eq!(Line::new((0.0, 75.0), 75, 25, false), line(0, 3, 0.0, 78.0));
        assert_eq!(Line::new((0.0, 75.0), 75, 25, true), line(3, 0, 0.0, 78.0));
        assert_eq!(Line::new((0.5, 24.5), 25, 7, true), line(3, 0, 0.0, 28.0));
        assert_eq!(Line::new((0.0, 0.125), 1, 1, false), line(0, 0, 0.0, 0.25));
    }

    #[test]
    fn outermost_samples_are_repeated() {
        let plane = Pixels::new(2, 2, Channels::Grey, vec![1, 2, 3, 4]).unwrap();
        let line = |before, behind| Line { before, behind, from: 0.0, length: 1.0 };
        let wide = widened(&plane, &line(1, 0), &line(0, 2)).unwrap();
        assert_eq!((wide.width(), wide.height()), (3, 4));
        assert_eq!(wide.samples(), [1, 1, 2, 3, 3, 4, 3, 3, 4, 3, 3, 4]);
        let wide = widened(&plane, &line(0, 1), &line(1, 0)).unwrap();
        assert_eq!(wide.samples(), [1, 2, 2, 1, 2, 2, 3, 4, 4]);
    }

    #[test]
    fn planes_become_the_pixels_that_a_decoder_shows() {
        let grey = |width, height, samples: &[u8]| {
            Pixels::new(width, height, Channels::Grey, samples.to_vec()).unwrap()
        };
        let planes = Planes {
            luminance: grey(3, 1, &[100, 100, 100]),
            differences: [grey(2, 1, &[128, 128]), grey(2, 1, &[128, 228])],
        };
        let reds = planes.to_pixels().unwrap().samples().iter().copied().step_by(3).collect::<Vec<_>>();
        // A quarter and three quarters of the way.
        assert_eq!(reds, [100, 135, 205]);
        assert_eq!(planes.to_pixels().unwrap().channels(), Channels::Rgb);
    }
}
