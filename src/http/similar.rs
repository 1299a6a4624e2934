//! Images that look alike.

use super::Tag;
use super::envelope::SimilarImageListAnswer;
use super::list::{default_limit, not_understood};
use super::refusal::{Refusal, SimilarRefusal};
use super::schema::ImageSummary;
use super::state::State;
use crate::domain::ImageId;
use crate::store::{Similar, SimilarPosition};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

/// An image that looks like another one.
#[derive(Object)]
pub(super) struct SimilarImage {
    /// In how many of their 64 bits the perceptual hashes differ: 0 is the same picture, or as good as that.
    distance: u32,
    image: ImageSummary,
}

/// A part of the images that look like one, the nearest first.
#[derive(Object)]
pub(super) struct SimilarImageList {
    images: Vec<SimilarImage>,
    /// To be sent as `cursor` for the next part; null at the end.
    #[oai(nullable)]
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum SimilarResponse {
    /// A part of them.
    #[oai(status = 200, content_type = "application/json")]
    Found(Json<SimilarImageListAnswer>),
}

pub(super) struct SimilarApi;

#[OpenApi(prefix_path = "/api/images", tag = "Tag::Images")]
impl SimilarApi {
    /// Find images that look like this one
    ///
    /// By their perceptual hashes, the nearest first: copies that were resized, encoded anew or brightened. What was cropped,
    /// turned or mirrored is not found.
    #[oai(path = "/:id/similar", method = "get", operation_id = "list_similar_images")]
    async fn list_similar_images(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
        /// In how many bits of 64 the hashes may differ.
        #[oai(validator(minimum(value = "0"), maximum(value = "15")), default = "default_distance")]
        distance: Query<u32>,
        /// How many at the most.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")), default = "default_limit")]
        limit: Query<u32>,
        /// The `next_cursor` of the part before.
        cursor: Query<Option<String>>,
    ) -> Result<SimilarResponse, SimilarRefusal> {
        let after = cursor.0.map(|text| read(&text).ok_or_else(|| not_understood("cursor"))).transpose()?;
        let looking = state.store.similar(ImageId::new(id.0), distance.0, after, limit.0);
        let (found, next) = match state.bounded(looking).await? {
            Similar::Found(found, next) => (found, next),
            Similar::NotReady => return Err(Refusal::NotReady("The picture was not looked at yet").into()),
            Similar::Failed => return Err(Refusal::NoHash("the image has failed").into()),
            Similar::NoHash => {
                let why = "the picture is too even, or an earlier version processed it (see --fill-in)";
                return Err(Refusal::NoHash(why).into());
            }
            Similar::NoSuchImage => return Err(Refusal::NotFound.into()),
        };
        let images = found
            .into_iter()
            .map(|similar| SimilarImage { distance: similar.distance, image: similar.image.into() })
            .collect();
        let list = SimilarImageList { images, next_cursor: next.map(write) };
        Ok(SimilarResponse::Found(Json(list.into())))
    }
}

fn default_distance() -> u32 {
    8
}

/// Opaque to callers: they must not count on its form.
fn write(SimilarPosition { distance, id }: SimilarPosition) -> String {
    format!("d{distance:x}-{:x}", id.get())
}

fn read(cursor: &str) -> Option<SimilarPosition> {
    let (distance, id) = cursor.strip_prefix('d')?.split_once('-')?;
    let distance = u32::from_str_radix(distance, 16).ok().filter(|distance| *distance <= 64)?;
    Some(SimilarPosition { distance, id: ImageId::new(i64::from_str_radix(id, 16).ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nonsense_is_none() {
        let place = SimilarPosition { distance: 8, id: ImageId::new(123_456) };
        assert_eq!(read(&write(place)), Some(place));
        for nonsense in ["", "d", "d1", "d1-", "dx-1", "d41-1", "b1-1", "d-1-1", "d1-\u{0}"] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }
}
