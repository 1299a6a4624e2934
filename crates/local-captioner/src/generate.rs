//! Greedy search: each token is the one that is most likely after those before it.

use crate::error::CaptionError;
use crate::text::TextDecoder;
use candle_core::Tensor;

/// The most tokens of a caption. The published models need about ten; what gets this far goes round in circles.
pub(crate) const MAX_NEW_TOKENS: usize = 50;

/// Where a caption begins and ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The token in front of every caption.
    pub(crate) start: u32,
    /// The token behind it.
    pub(crate) end: u32,
    /// The most tokens between the two.
    pub(crate) most: usize,
}

/// The tokens of a caption, without those at its bounds. Asks `cancelled` before each.
///
/// # Errors
/// `Cancelled`, `Model` and `NotANumber`.
pub(crate) fn greedy(
    decoder: &TextDecoder,
    picture: &Tensor,
    bounds: Bounds,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<u32>, CaptionError> {
    let mut speech = decoder.begin(picture)?;
    let mut tokens = Vec::new();
    let mut last = bounds.start;
    while tokens.len() < bounds.most {
        if cancelled() {
            return Err(CaptionError::Cancelled);
        }
        last = likeliest(&speech.next(last)?).ok_or(CaptionError::NotANumber)?;
        if last == bounds.end {
            break;
        }
        tokens.push(last);
    }
    Ok(tokens)
}

/// The first of the highest; `None` if there is anything that is not a number.
fn likeliest(logits: &[f32]) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (token, logit) in (0..).zip(logits) {
        if !logit.is_finite() {
            return None;
        }
        if best.is_none_or(|(_, highest)| *logit > highest) {
            best = Some((token, *logit));
        }
    }
    best.map(|(token, _)| token)
}

#[cfg(test)]
#[path = "tests/generate.rs"]
mod tests;
