//! What files rows name, in steps of a walk over all images.

use super::error::Doing;
use super::{Store, StoreError, parsed, query};
use crate::domain::{FileKey, ImageId, Sha256};

/// Images looked at in one step.
const STEP: i64 = 500;

/// A step of the walk.
#[derive(Debug, Clone)]
pub struct NamedStep {
    /// The files of these images.
    pub files: Vec<NamedFile>,
    /// How many images they are of.
    pub images: u64,
    /// The last image of the step: where the next one begins.
    pub last: ImageId,
}

/// A file as its row has it.
#[derive(Debug, Clone)]
pub struct NamedFile {
    /// Whose it is.
    pub image: ImageId,
    /// Where it is.
    pub key: FileKey,
    /// Its length in bytes.
    pub length: u64,
    /// What an original has to digest to; nobody knows it of a thumbnail, which can be made again.
    pub sha256: Option<Sha256>,
}

impl Store {
    /// The next step of a walk over all images, in the order of ids; `None` at its end.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood; the step may be repeated.
    pub async fn next_named_files(&self, after: Option<ImageId>) -> Result<Option<NamedStep>, StoreError> {
        let doing = "looking for the files of images";
        let client = self.client(doing).await?;
        let sql = "
            with step as materialized (
                select id, original_key, size_bytes, sha256 from images where id > $1 order by id limit $2)
            select * from (
                select id, original_key as file_key, size_bytes, sha256 from step
                union all
                select step.id, t.file_key, t.size_bytes, null from step join thumbnails t on t.image_id = step.id) as files
            order by id, sha256 is null";
        let after = after.map_or(i64::MIN, ImageId::get);
        let rows = query(&client, sql, &[&after, &STEP]).await.doing(doing)?;
        let Some(last) = rows.last().map(|row| ImageId::new(row.get("id"))) else { return Ok(None) };
        let (mut files, mut images) = (Vec::with_capacity(rows.len()), 0);
        for row in &rows {
            let id: i64 = row.get("id");
            // Its length is what the table checks.
            let sha256 = row.get::<_, Option<&[u8]>>("sha256").and_then(|digest| digest.try_into().ok());
            images += u64::from(sha256.is_some());
            let length = u64::try_from(row.get::<_, i64>("size_bytes")).unwrap_or_default();
            let key = parsed(row, "files", "file_key", id)?;
            files.push(NamedFile { image: ImageId::new(id), key, length, sha256: sha256.map(Sha256::new) });
        }
        Ok(Some(NamedStep { files, images, last }))
    }
}
