//! From samples of components to rows of pixels.

mod colour;
mod enlarge;
mod pixels;
mod plan;
mod strip;

pub use pixels::{Picture, Rows};
pub(crate) use plan::{ComponentPlan, Plan};
pub(crate) use strip::Strips;
