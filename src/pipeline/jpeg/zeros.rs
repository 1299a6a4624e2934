//! Pictures whose end was lost and filled with zeros, as a broken copy or an unfinished download leaves them.
//!
//! Zeros are valid codes, so decoders paint the rest of the picture with them. Yet a picture may rightly end in zeros,
//! when its lower part is of one colour; and some cameras fill up a whole picture's scan with them. Of a damaged
//! picture, both are true: it needs some of the zeros, and has more than it needs. Whether it needs them is found out by
//! decoding it again without; few pictures end in so many zeros that this must be asked.

use super::source::Source;
use super::{ColourModel, reduced};
use crate::domain::{Failure, FailureCode};
use crate::pipeline::Cancelled;

/// So many zeros at the end of a scan are looked into; and so many that are not needed are too many.
const MANY: usize = 64;

/// Whether the picture whose last scan ends with `scans`, and which can be decoded, is whole.
///
/// # Errors
/// `Corrupt` if it is not, `TimedOut` as soon as `cancelled` says so.
pub(super) fn check(scans: &[u8], model: ColourModel, cancelled: Cancelled<'_>) -> Result<(), Failure> {
    let zeros = scans.iter().rev().take_while(|byte| **byte == 0).count();
    let without = |zeros| scans.get(..scans.len().saturating_sub(zeros)).unwrap_or_default();
    // A zero after FF is stuffing, and stays; so do those that may be the last block's.
    let data = zeros.saturating_sub(MANY / 4);
    if zeros < 2 * MANY
        || !is_decodable(without(MANY), model, cancelled)?
        || is_decodable(without(data), model, cancelled)?
    {
        return Ok(());
    }
    let text = "the picture is damaged: its end was lost, and is filled with zeros";
    Err(Failure::permanent(FailureCode::Corrupt, text))
}

fn is_decodable(file: &[u8], model: ColourModel, cancelled: Cancelled<'_>) -> Result<bool, Failure> {
    let mut source = Source::new(file, cancelled);
    let decoded = reduced(&mut source, model).is_ok();
    source.take_stop().map_or(Ok(decoded), Err)
}
