//! What a later version reads from each picture is made up for those that an earlier one processed.

use crate::domain::{Failure, FileKey, Orientation, PerceptualHash, camera_name, reason};
use crate::files::{FileError, Files};
use crate::own_thread::on_own_thread;
use crate::pipeline::{Limits, perceptual_hash, render};
use crate::probe::probe;
use crate::store::{FillIn, FillInStep, Unfilled};
use std::io::Cursor;

/// A thumbnail is never larger.
const LIMITS: Limits = Limits { max_pixels: 512 * 512, memory_budget_bytes: 64 << 20 };

/// What was seen of the images of a step.
#[derive(Debug, Default)]
#[must_use]
pub struct LookedAt {
    /// What images get.
    pub filled: Vec<FillIn>,
    /// How many thumbnails are missing or damaged, each with a line in the log.
    pub unreadable: u64,
}

/// Looks at the images of a step: cameras by their Exif fields, hashes by their medium thumbnails. An image whose thumbnail
/// is missing or damaged gets no hash.
///
/// # Errors
/// If the volume is away, which says nothing about any image; the step may be repeated.
pub async fn look_again(files: &Files, step: &FillInStep) -> Result<LookedAt, FileError> {
    let mut seen = LookedAt::default();
    for Unfilled { image, camera, medium } in &step.images {
        let camera = camera.as_ref().and_then(|(make, model)| camera_name(make.as_deref(), model.as_deref()));
        let hash = match medium {
            Some(medium) => hash_of(files, medium).await?.unwrap_or_else(|why| {
                tracing::warn!(image = image.get(), error = why, "its thumbnail cannot be looked at");
                seen.unreadable += 1;
                None
            }),
            None => None,
        };
        if camera.is_some() || hash.is_some() {
            seen.filled.push(FillIn { image: *image, camera, hash });
        }
    }
    Ok(seen)
}

/// The hash of a thumbnail, if it has one, or why that cannot be told.
async fn hash_of(
    files: &Files,
    medium: &FileKey,
) -> Result<Result<Option<PerceptualHash>, String>, FileError> {
    let bytes = match files.read_whole(medium).await {
        Ok(bytes) => bytes,
        Err(missing @ FileError::Missing { .. }) => return Ok(Err(reason(&missing))),
        Err(error) => return Err(error),
    };
    let header = match probe(Cursor::new(bytes.as_slice())) {
        Ok(header) => header,
        Err(error) => return Ok(Err(reason(&error))),
    };
    let looking = on_own_thread(move || {
        let drawn = render(&bytes, &header, Orientation::UPRIGHT, &LIMITS, &|| false)?;
        perceptual_hash(&drawn.small)
    });
    Ok(looking.await.map_err(|failure: Failure| failure.text().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ImageFormat, ImageId};
    use crate::settings::Settings;

    fn step(medium: &FileKey) -> FillInStep {
        let image = ImageId::new(1);
        let camera = Some((Some("Canon".to_owned()), None));
        FillInStep { images: vec![Unfilled { image, camera, medium: Some(medium.clone()) }], last: image }
    }

    #[tokio::test]
    async fn a_thumbnail_that_is_missing_or_damaged_is_counted_and_a_volume_that_is_away_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("files");
        let settings =
            Settings::load(None, [("DARKROOM_FILES__DIR".to_owned(), dir.display().to_string())]).unwrap();
        let files = Files::open(&settings.files).await.unwrap();
        files.belong_to("we", true).await.unwrap();
        let key = FileKey::original(7, ImageFormat::Png);
        let missing = look_again(&files, &step(&key)).await.unwrap();
        assert_eq!((missing.unreadable, missing.filled.len()), (1, 1), "the camera is told by the row alone");
        files.put(&key, b"no picture").await.unwrap();
        assert_eq!(look_again(&files, &step(&key)).await.unwrap().unreadable, 1);
        std::fs::rename(&dir, folder.path().join("away")).unwrap();
        assert!(matches!(look_again(&files, &step(&key)).await, Err(FileError::Unavailable { .. })));
    }
}
