//! What the document shows as examples.

use super::captions::CaptionSource;
use super::envelope::{ErrorBody, ErrorCode};
use super::schema::{Finding, Image, Metadata, Stage, StageState, Status, ThumbnailLinks, Upload};
use poem_openapi::types::Example;
use std::collections::BTreeMap;
use time::macros::datetime;

impl Example for ErrorBody {
    fn example() -> Self {
        Self::new("Image not found".to_owned(), ErrorCode::NotFound, "7a016b61d2d2693c".to_owned())
    }
}

impl Example for Upload {
    fn example() -> Self {
        Self {
            image_id: 1,
            original_name: "photo.jpg".to_owned(),
            status: Status::Processing,
            message: "Image uploaded successfully and processing started".to_owned(),
        }
    }
}

impl Example for Metadata {
    fn example() -> Self {
        let fields = [("Make", "Canon"), ("Model", "Canon EOS 80D"), ("ExposureTime", "1/250 s")];
        Self {
            width: 3000,
            height: 4000,
            format: "jpg".to_owned(),
            size_bytes: 3_283_043,
            datetime: Some("2026-05-04T12:13:14".to_owned()),
            orientation: 6,
            camera: Some("Canon EOS 80D".to_owned()),
            has_gps: true,
            exif: BTreeMap::from(fields.map(|(name, value)| (name.to_owned(), value.to_owned()))),
            warnings: Vec::new(),
            perceptual_hash: Some("c3d1b8c63c2e1ee4".to_owned()),
        }
    }
}

impl Example for Image {
    fn example() -> Self {
        let stage = |name: &str, run_ms| Stage {
            name: name.to_owned(),
            status: StageState::Success,
            attempts: 1,
            queue_ms: Some(3.1),
            run_ms: Some(run_ms),
            error: None,
        };
        Self {
            image_id: 1,
            original_name: "photo.jpg".to_owned(),
            status: Status::Success,
            created_at: datetime!(2026-11-22 10:00:00 UTC),
            completed_at: Some(datetime!(2026-11-22 10:00:02.5 UTC)),
            sha256: "5d8becdf6fdc041cd49811835506124b7a15aa06fe0e4515067fdaf55384e554".to_owned(),
            metadata: Some(Metadata::example()),
            thumbnails: ThumbnailLinks {
                small: Some("/api/images/1/thumbnails/small".to_owned()),
                medium: Some("/api/images/1/thumbnails/medium".to_owned()),
            },
            caption: Some("A beautiful landscape with mountains and trees".to_owned()),
            caption_source: Some(CaptionSource::Ai),
            error: None,
            error_code: None,
            callback_url: Some("https://example.com/hooks/darkroom".to_owned()),
            findings: vec![Finding {
                code: "edited_with".to_owned(),
                text: "The file names software that can edit pictures: Adobe Photoshop 25.0 (Exif Software)."
                    .to_owned(),
                evidence: BTreeMap::from(
                    [("field", "Exif Software"), ("value", "Adobe Photoshop 25.0")]
                        .map(|(name, value)| (name.to_owned(), value.to_owned())),
                ),
            }],
            stages: vec![stage("metadata", 1.9), stage("thumbnails", 63.0), stage("caption", 2310.4)],
        }
    }
}
