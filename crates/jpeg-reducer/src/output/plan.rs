//! How large everything becomes.

use crate::frame::{Component, Frame};
use crate::options::Reduction;
use crate::transform::{LANES, Lanes, OUTSIDE, slots};

/// One component at some reduction.
#[derive(Debug, Clone)]
pub(crate) struct ComponentPlan {
    pub(crate) h: usize,
    pub(crate) v: usize,
    /// Samples of a block, across and down: 1 to 6, or 8.
    pub(crate) wide: usize,
    pub(crate) high: usize,
    /// Where the coefficients go, in zigzag order; [`OUTSIDE`] for those that are not needed.
    pub(crate) slots: [u8; 64],
    /// The last coefficient that is needed, in zigzag order.
    pub(crate) last: u32,
    /// Blocks across and down, without those that only pad an MCU.
    pub(crate) blocks: (usize, usize),
    /// Samples across and down that show in the picture.
    pub(crate) size: (usize, usize),
    /// Pixels of the picture for one sample.
    pub(crate) across: Ratio,
    pub(crate) down: Ratio,
}

/// A ratio of small numbers, without a common factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) pixels: usize,
    pub(crate) samples: usize,
}

impl Ratio {
    pub(crate) const ONE: Self = Self { pixels: 1, samples: 1 };
}

/// A whole picture at some reduction.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) components: Vec<ComponentPlan>,
    /// MCUs of all components, across and down.
    pub(crate) mcus: (usize, usize),
    /// Pixel rows of an MCU.
    pub(crate) rows_of_mcu: usize,
    /// Whether components are handed out by themselves, each reduced alike, and not as pixels.
    pub(crate) is_planar: bool,
}

impl Plan {
    /// For pixels.
    pub(crate) fn new(frame: &Frame, reduction: Reduction) -> Self {
        Self::with(frame, reduction, false)
    }

    /// For planes.
    pub(crate) fn planar(frame: &Frame, reduction: Reduction) -> Self {
        Self::with(frame, reduction, true)
    }

    fn with(frame: &Frame, reduction: Reduction, is_planar: bool) -> Self {
        let points = reduction.eighths();
        let side =
            |factor, most| if is_planar { (points as usize, Ratio::ONE) } else { side(factor, most, points) };
        Self {
            width: reduction.of(frame.width) as usize,
            height: reduction.of(frame.height) as usize,
            components: frame
                .components
                .iter()
                .map(|component| ComponentPlan::new(frame, component, side))
                .collect(),
            mcus: (frame.mcus_across() as usize, frame.mcus_down() as usize),
            rows_of_mcu: (frame.v_max * points) as usize,
            is_planar,
        }
    }

    /// Groups of MCUs that the picture is wide; all tiles of a group are transformed at once.
    pub(crate) const fn groups(&self) -> usize {
        self.mcus.0.div_ceil(LANES)
    }
}

impl ComponentPlan {
    fn new(frame: &Frame, component: &Component, side: impl Fn(u32, u32) -> (usize, Ratio)) -> Self {
        let (wide, across) = side(component.h, frame.h_max);
        let (high, down) = side(component.v, frame.v_max);
        let (slots, last) = slots(wide, high);
        let (blocks_across, blocks_down) = frame.blocks(component);
        let samples = |length: u32, factor, most, points: usize| {
            (u64::from(length) * u64::from(factor) * points as u64).div_ceil(u64::from(most) * 8) as usize
        };
        Self {
            h: component.h as usize,
            v: component.v as usize,
            wide,
            high,
            slots,
            last,
            blocks: (blocks_across as usize, blocks_down as usize),
            size: (
                samples(frame.width, component.h, frame.h_max, wide),
                samples(frame.height, component.v, frame.v_max, high),
            ),
            across,
            down,
        }
    }

    /// Coefficients kept of each block.
    pub(crate) const fn kept(&self) -> usize {
        self.wide * self.high
    }

    /// Whether the coefficient `k` of the zigzag order is kept, and where.
    pub(crate) fn slot(&self, k: u32) -> Option<usize> {
        self.slots.get(k as usize).filter(|slot| **slot != OUTSIDE).map(|slot| usize::from(*slot))
    }

    /// Bytes of the kept coefficients of a picture so many groups of MCUs wide and MCUs high.
    pub(crate) const fn store_bytes(&self, groups: usize, mcus_down: usize) -> u64 {
        (groups * self.h * mcus_down * self.v) as u64 * (self.kept() * size_of::<Lanes>()) as u64
    }
}

/// How many samples a block has in one direction, and how many pixels one of them stands for.
///
/// A subsampled component is reduced less, so that it need not be enlarged again: as far as the transform goes, which
/// has 8 points at most, and as long as its samples still fall on the pixels.
fn side(factor: u32, most: u32, points: u32) -> (usize, Ratio) {
    let mut own = points;
    while own * 2 <= 8 && (most * points).is_multiple_of(factor * own * 2) {
        own *= 2;
    }
    let (pixels, samples) = (most * points, factor * own);
    let common = (1..=samples).rev().find(|n| pixels.is_multiple_of(*n) && samples.is_multiple_of(*n));
    let common = common.unwrap_or(1);
    (own as usize, Ratio { pixels: (pixels / common) as usize, samples: (samples / common) as usize })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsampled_components_are_reduced_less() {
        let ratio = |pixels, samples| Ratio { pixels, samples };
        assert_eq!(side(2, 2, 2), (2, Ratio::ONE));
        assert_eq!(side(1, 2, 2), (4, Ratio::ONE));
        assert_eq!(side(1, 4, 2), (8, Ratio::ONE));
        assert_eq!(side(1, 2, 8), (8, ratio(2, 1)));
        assert_eq!(side(1, 4, 4), (8, ratio(2, 1)));
        assert_eq!(side(2, 3, 8), (8, ratio(3, 2)));
        assert_eq!(side(2, 3, 2), (2, ratio(3, 2)));
        assert_eq!(side(1, 3, 4), (4, ratio(3, 1)));
        assert_eq!(side(3, 4, 4), (4, ratio(4, 3)));
        assert_eq!(side(1, 2, 3), (6, Ratio::ONE));
        assert_eq!(side(1, 4, 3), (6, ratio(2, 1)));
        assert_eq!(side(1, 2, 5), (5, ratio(2, 1)));
        assert_eq!(side(1, 2, 6), (6, ratio(2, 1)));
    }
}
