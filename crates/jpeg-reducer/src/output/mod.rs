//! From samples of components to rows of pixels.

mod colour;
mod enlarge;
mod pixels;
mod plan;
mod strip;

pub(crate) use pixels::Take;
pub use pixels::{Picture, PlaneRow, PlaneSize, Rows};
pub(crate) use plan::{ComponentPlan, Plan};
pub(crate) use strip::Strips;
