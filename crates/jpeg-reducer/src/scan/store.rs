//! Coefficients of a whole picture, where they come in several scans.

use crate::output::{ComponentPlan, Plan};
use crate::transform::{LANES, Lanes};

/// The kept coefficients of one component, in tiles of eight blocks.
#[derive(Debug)]
pub(crate) struct StoredComponent {
    coefficients: Vec<Lanes>,
    tiles_across: usize,
    kept: usize,
    /// For each block, which of its coefficients are not 0, whether kept or not; empty if nobody asks.
    masks: Vec<u64>,
    /// No coefficient behind this one, in zigzag order, is set in any block.
    pub(crate) last: u32,
}

/// The kept coefficients of all components.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) components: Vec<StoredComponent>,
}

impl Store {
    /// Nothing but zeros; with a mask for those components of which `masked` says so.
    pub(crate) fn new(plan: &Plan, masked: impl Fn(usize) -> bool) -> Self {
        let components = plan.components.iter().enumerate();
        Self {
            components: components
                .map(|(index, component)| StoredComponent::new(plan, component, masked(index)))
                .collect(),
        }
    }

    /// The most bytes that [`Store::new`] allocates.
    pub(crate) fn memory_bytes(plan: &Plan, masked: bool) -> u64 {
        let (groups, down) = (plan.groups(), plan.mcus.1);
        let masks = |component: &ComponentPlan| {
            if masked { (groups * LANES * component.h * component.v * down * 8) as u64 } else { 0 }
        };
        plan.components.iter().map(|component| component.store_bytes(groups, down) + masks(component)).sum()
    }
}

impl StoredComponent {
    fn new(plan: &Plan, component: &ComponentPlan, masked: bool) -> Self {
        let tiles_across = plan.groups() * component.h;
        let tiles = tiles_across * plan.mcus.1 * component.v;
        let kept = component.kept();
        Self {
            coefficients: vec![[0; LANES]; tiles * kept],
            tiles_across,
            kept,
            masks: if masked { vec![0; tiles * LANES] } else { Vec::new() },
            last: 0,
        }
    }

    /// The coefficients of the tile `across` of the row `down` of blocks.
    pub(crate) fn tile(&mut self, across: usize, down: usize) -> &mut [Lanes] {
        let first = (down * self.tiles_across + across) * self.kept;
        self.coefficients.get_mut(first..first + self.kept).unwrap_or_default()
    }

    /// The coefficients of the tile that the block is in, its lane there, and its mask.
    #[inline(always)]
    pub(crate) fn block(&mut self, across: usize, down: usize) -> (&mut [Lanes], usize, Option<&mut u64>) {
        let tile = down * self.tiles_across + across / LANES;
        let mask = self.masks.get_mut(tile * LANES + across % LANES);
        let first = tile * self.kept;
        (self.coefficients.get_mut(first..first + self.kept).unwrap_or_default(), across % LANES, mask)
    }
}
