//! What images lack that an earlier version processed, in steps of a walk over all of them.

use super::error::Doing;
use super::{Store, StoreError, begin, commit, execute, parsed, query};
use crate::domain::{FileKey, ImageId, PerceptualHash};

/// Images looked at in one step.
const STEP: i64 = 500;

/// A step of the walk.
#[derive(Debug, Clone)]
pub struct FillInStep {
    /// The images among them that may lack something.
    pub images: Vec<Unfilled>,
    /// The last image of the step: where the next one begins.
    pub last: ImageId,
}

/// An image that may lack something.
#[derive(Debug, Clone)]
pub struct Unfilled {
    /// The image.
    pub image: ImageId,
    /// The Exif fields `Make` and `Model`, if it has no camera.
    pub camera: Option<(Option<String>, Option<String>)>,
    /// Where its medium thumbnail is, if it has no perceptual hash.
    pub medium: Option<FileKey>,
}

/// What an image gets.
#[derive(Debug, Clone)]
pub struct FillIn {
    /// The image.
    pub image: ImageId,
    /// What it was taken with.
    pub camera: Option<String>,
    /// What it looks like.
    pub hash: Option<PerceptualHash>,
}

impl Store {
    /// The next step of a walk over all images that were processed, in the order of ids; `None` at its end.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood; the step may be repeated.
    pub async fn next_to_fill_in(&self, after: Option<ImageId>) -> Result<Option<FillInStep>, StoreError> {
        let doing = "looking for what images lack";
        let client = self.client(doing).await?;
        let sql = "
            with step as materialized (select id from images where id > $1 order by id limit $2)
            select i.id, i.camera is null and i.exif is not null as has_no_camera, i.exif->>'Make' as make,
                i.exif->>'Model' as model, case when h.hash is null then t.file_key end as file_key
            from step join images i on i.id = step.id
            left join thumbnails t on t.image_id = i.id and t.size = 'medium'
            left join perceptual_hashes h on h.image_id = i.id
            order by i.id";
        let after = after.map_or(i64::MIN, ImageId::get);
        let rows = query(&client, sql, &[&after, &STEP]).await.doing(doing)?;
        let Some(last) = rows.last().map(|row| ImageId::new(row.get("id"))) else { return Ok(None) };
        let mut images = Vec::new();
        for row in &rows {
            let id: i64 = row.get("id");
            let named =
                row.get::<_, Option<&str>>("make").is_some() || row.get::<_, Option<&str>>("model").is_some();
            let camera = (named && row.get("has_no_camera")).then(|| (row.get("make"), row.get("model")));
            let medium = match row.get::<_, Option<&str>>("file_key") {
                Some(_) => Some(parsed(row, "thumbnails", "file_key", id)?),
                None => None,
            };
            if camera.is_some() || medium.is_some() {
                images.push(Unfilled { image: ImageId::new(id), camera, medium });
            }
        }
        Ok(Some(FillInStep { images, last }))
    }

    /// Gives images what they lack; what they have meanwhile stays as it is, and what was deleted is left out.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not have happened, and may be repeated) or refuses.
    pub async fn fill_in(&self, filled: &[FillIn]) -> Result<(), StoreError> {
        let doing = "filling in what images lack";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        let ids: Vec<i64> = filled.iter().map(|filled| filled.image.get()).collect();
        let cameras: Vec<Option<&str>> = filled.iter().map(|filled| filled.camera.as_deref()).collect();
        let hashes: Vec<Option<i64>> =
            filled.iter().map(|filled| filled.hash.map(|hash| hash.bits().cast_signed())).collect();
        // In the order of ids, as all that lock several.
        let sql = "select id from images where id = any($1) order by id for no key update";
        query(&transaction, sql, &[&ids]).await.doing(doing)?;
        let sql = "
            update images set camera = given.camera
            from unnest($1::bigint[], $2::text[]) as given (id, camera)
            where images.id = given.id and images.camera is null and given.camera is not null";
        execute(&transaction, sql, &[&ids, &cameras]).await.doing(doing)?;
        let sql = "
            insert into perceptual_hashes (image_id, hash)
            select images.id, given.hash from unnest($1::bigint[], $2::bigint[]) as given (id, hash)
            join images on images.id = given.id where given.hash is not null
            on conflict do nothing";
        execute(&transaction, sql, &[&ids, &hashes]).await.doing(doing)?;
        commit(transaction).await.doing(doing)
    }
}
