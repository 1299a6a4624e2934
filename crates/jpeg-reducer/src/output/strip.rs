//! The rows of samples that are at hand, and the pixels that can be made of them.

use super::colour::convert;
use super::enlarge::{Mix, mix_across, mix_rows};
use super::plan::{ComponentPlan, Plan, Ratio};
use super::{PlaneRow, Rows, Take};
use crate::colour_model::ColourModel;
use crate::transform::{LANES, Lanes, transform};

/// Rows of a component that are kept for the pixels below them, at most: where it is enlarged, two for the mix, and
/// as many as wait for the next row of a component that is enlarged more.
const CARRIED: usize = 12;

/// The rows of one component.
struct Strip {
    samples: Vec<u8>,
    stride: usize,
    /// Which row of the component is the first here, and how many there are.
    first: usize,
    count: usize,
    /// Multipliers of the coefficients, by slot.
    factors: [i16; 64],
    /// The row being made of it, where it is enlarged: mixed, and as wide as the picture.
    mixed: Vec<u16>,
    wide: Vec<u8>,
}

/// The rows of all components.
pub(crate) struct Strips<'p> {
    plan: &'p Plan,
    model: ColourModel,
    strips: Vec<Strip>,
    /// The next row of pixels.
    next: usize,
    pixels: Vec<u8>,
}

impl<'p> Strips<'p> {
    pub(crate) fn new(plan: &'p Plan, model: ColourModel) -> Self {
        let strips = plan.components.iter().map(|component| Strip::new(plan, component)).collect();
        Self { plan, model, strips, next: 0, pixels: Vec::with_capacity(pixel_bytes(plan, model)) }
    }

    /// The most bytes that the strips of a picture allocate.
    pub(crate) fn memory_bytes(plan: &Plan, model: ColourModel) -> u64 {
        let strips = plan.components.iter().map(|component| {
            let wide = if component.is_enlarged() { plan.width + 2 * component.size.0 } else { 0 };
            stride(plan, component) * (component.v * component.high + CARRIED) + wide
        });
        (strips.sum::<usize>() + pixel_bytes(plan, model)) as u64
    }

    /// Sets the multipliers of a component's coefficients, which come in zigzag order.
    pub(crate) fn set_quantisation(&mut self, component: usize, quantisation: &[u16; 64]) {
        let (Some(strip), Some(plan)) = (self.strips.get_mut(component), self.plan.components.get(component))
        else {
            return;
        };
        for (slot, factor) in plan.slots.iter().zip(quantisation) {
            if let Some(place) = strip.factors.get_mut(usize::from(*slot)) {
                *place = *factor as i16;
            }
        }
    }

    /// Makes samples of eight blocks: of the tile `across` in the row `down` of blocks of the current row of MCUs.
    pub(crate) fn put(&mut self, component: usize, [across, down]: [usize; 2], planes: &[Lanes], last: u32) {
        let (Some(strip), Some(plan)) = (self.strips.get_mut(component), self.plan.components.get(component))
        else {
            return;
        };
        let row = strip.count + down * plan.high;
        let at = row * strip.stride + across * LANES * plan.wide;
        let out = strip.samples.get_mut(at..).unwrap_or_default();
        transform((plan.wide, plan.high), planes, &strip.factors, last, out, strip.stride);
    }

    /// Ends a row of MCUs: hands out what can be made by now, and keeps what is needed for the rows below.
    pub(crate) fn finish_row(&mut self, take: &mut Take<'_>) {
        match take {
            Take::Pixels(take) => self.finish_pixels(take),
            Take::Planes(take) => self.finish_planes(take),
        }
    }

    fn finish_planes(&mut self, take: &mut dyn FnMut(PlaneRow<'_>)) {
        for (component, (strip, plan)) in self.strips.iter_mut().zip(&self.plan.components).enumerate() {
            strip.count = plan.v * plan.high;
            let end = strip.first + strip.count;
            for row in strip.first..end.min(plan.size.1) {
                take(PlaneRow { component, row: row as u32, samples: strip.row(row, plan.size.0) });
            }
            strip.forget(end);
        }
    }

    fn finish_pixels(&mut self, take: &mut dyn FnMut(Rows<'_>)) {
        let mut is_last = true;
        for (strip, plan) in self.strips.iter_mut().zip(&self.plan.components) {
            strip.count += plan.v * plan.high;
            is_last &= strip.first + strip.count >= plan.size.1;
        }
        let first = self.next;
        self.pixels.clear();
        while self.next < self.plan.height && (is_last || self.is_at_hand(self.next)) {
            self.make_row(self.next);
            self.next += 1;
        }
        if self.next > first {
            take(Rows {
                first: first as u32,
                count: (self.next - first) as u32,
                width: self.plan.width as u32,
                channels: self.model.channels(),
                samples: &self.pixels,
            });
        }
        for (strip, plan) in self.strips.iter_mut().zip(&self.plan.components) {
            strip.forget(Mix::new(self.next, plan.down, plan.size.1).first);
        }
    }

    /// Whether all samples are there that the row `at` of pixels is made of.
    fn is_at_hand(&self, at: usize) -> bool {
        self.strips.iter().zip(&self.plan.components).all(|(strip, plan)| {
            let Mix { first, second, parts } = Mix::new(at, plan.down, plan.size.1);
            let last = if parts == 0 { first } else { second };
            last < strip.first + strip.count
        })
    }

    fn make_row(&mut self, at: usize) {
        for (strip, plan) in self.strips.iter_mut().zip(&self.plan.components) {
            if plan.is_enlarged() {
                strip.enlarge(at, plan, self.plan.width);
            }
        }
        let mut rows = [&[][..]; 4];
        for ((row, strip), plan) in rows.iter_mut().zip(&self.strips).zip(&self.plan.components) {
            *row = if plan.is_enlarged() { &strip.wide } else { strip.row(at, self.plan.width) };
        }
        let rows = rows.get(..self.strips.len()).unwrap_or_default();
        let from = self.pixels.len();
        self.pixels.resize(from + self.plan.width * self.model.channels(), 0);
        convert(self.model, rows, self.pixels.get_mut(from..).unwrap_or_default());
    }
}

/// Bytes of a row of samples, those included that only fill up a group of MCUs.
fn stride(plan: &Plan, component: &ComponentPlan) -> usize {
    plan.groups() * component.h * LANES * component.wide
}

/// The most bytes of pixels that a row of MCUs brings, together with those that waited for it.
fn pixel_bytes(plan: &Plan, model: ColourModel) -> usize {
    if plan.is_planar {
        return 0;
    }
    (plan.rows_of_mcu + CARRIED).min(plan.height) * plan.width * model.channels()
}

impl ComponentPlan {
    fn is_enlarged(&self) -> bool {
        self.across != Ratio::ONE || self.down != Ratio::ONE
    }
}

impl Strip {
    fn new(plan: &Plan, component: &ComponentPlan) -> Self {
        let stride = stride(plan, component);
        let (mixed, wide) =
            if component.is_enlarged() { (component.size.0, plan.width) } else { Default::default() };
        Self {
            samples: vec![0; stride * (component.v * component.high + CARRIED)],
            stride,
            first: 0,
            count: 0,
            factors: [1; 64],
            mixed: vec![0; mixed],
            wide: vec![0; wide],
        }
    }

    /// The first `width` samples of the row `at` of the component.
    fn row(&self, at: usize, width: usize) -> &[u8] {
        let from = at.saturating_sub(self.first) * self.stride;
        self.samples.get(from..from + width).unwrap_or_default()
    }

    /// Makes the row `at` of the picture.
    fn enlarge(&mut self, at: usize, plan: &ComponentPlan, width: usize) {
        let Mix { first, second, parts } = Mix::new(at, plan.down, plan.size.1);
        let mut mixed = std::mem::take(&mut self.mixed);
        mix_rows(self.row(first, plan.size.0), self.row(second, plan.size.0), parts, &mut mixed);
        mix_across(&mixed, plan.across, self.wide.get_mut(..width).unwrap_or_default());
        self.mixed = mixed;
    }

    /// Drops all rows of the component before `next`.
    fn forget(&mut self, next: usize) {
        let gone = next.saturating_sub(self.first).min(self.count);
        self.samples.copy_within(gone * self.stride..self.count * self.stride, 0);
        (self.first, self.count) = (self.first + gone, self.count - gone);
    }
}
