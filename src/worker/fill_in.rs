//! What a later version reads from each picture is made up for those that an earlier one processed.

use super::own_thread::on_own_thread;
use crate::domain::{Failure, FileKey, Orientation, PerceptualHash, camera_name, reason};
use crate::files::Files;
use crate::pipeline::{Limits, perceptual_hash, render};
use crate::probe::probe;
use crate::store::{FillIn, FillInStep, Unfilled};
use std::io::Cursor;

/// A thumbnail is never larger.
const LIMITS: Limits = Limits { max_pixels: 512 * 512, memory_budget_bytes: 64 << 20 };

/// Looks at the images of a step: cameras by their Exif fields, hashes by their medium thumbnails. An image whose thumbnail
/// cannot be read gets none, and a line in the log.
pub async fn look_again(files: &Files, step: FillInStep) -> Vec<FillIn> {
    let mut filled = Vec::with_capacity(step.images.len());
    for Unfilled { image, camera, medium } in step.images {
        let camera = camera.and_then(|(make, model)| camera_name(make.as_deref(), model.as_deref()));
        let hash = match medium {
            Some(medium) => hash_of(files, &medium).await.unwrap_or_else(|why| {
                tracing::warn!(image = image.get(), error = why, "its thumbnail cannot be looked at");
                None
            }),
            None => None,
        };
        if camera.is_some() || hash.is_some() {
            filled.push(FillIn { image, camera, hash });
        }
    }
    filled
}

async fn hash_of(files: &Files, medium: &FileKey) -> Result<Option<PerceptualHash>, String> {
    let bytes = files.read_whole(medium).await.map_err(|error| reason(&error))?;
    let header = probe(Cursor::new(bytes.as_slice())).map_err(|error| reason(&error))?;
    let looking = on_own_thread(move || {
        let drawn = render(&bytes, &header, Orientation::UPRIGHT, &LIMITS, &|| false)?;
        perceptual_hash(&drawn.small)
    });
    looking.await.map_err(|failure: Failure| failure.text().to_owned())
}
