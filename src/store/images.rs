//! Reading images, and deleting them.

use super::error::Doing;
use super::record::{DETAILS, SUMMARY, details};
use super::{ImageRecord, Store, StoreError, begin, commit, execute, parsed, query, query_opt};
use crate::domain::{FileKey, ImageId, ImageStatus, ThumbnailSize};
use std::collections::BTreeSet;

/// A file as it is served.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// Where it is.
    pub key: FileKey,
    /// Its media type.
    pub media_type: &'static str,
    /// The client's name for the image.
    pub original_name: String,
}

/// The files of an image that is gone.
#[derive(Debug, Clone)]
#[must_use]
pub struct Deleted {
    /// To be removed.
    pub files: Vec<FileKey>,
}

impl Store {
    /// One image with all its details.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn image(&self, id: ImageId) -> Result<Option<ImageRecord>, StoreError> {
        let doing = "reading an image";
        let client = self.client(doing).await?;
        let sql = format!("select {SUMMARY}, {DETAILS} from images i where i.id = $1");
        query_opt(&client, &sql, &[&id.get()]).await.doing(doing)?.as_ref().map(details).transpose()
    }

    /// Where the original of an image is.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn original(&self, id: ImageId) -> Result<Option<StoredFile>, StoreError> {
        let doing = "looking for an original";
        let client = self.client(doing).await?;
        let sql = "select original_key, original_name, format from images where id = $1";
        let row = query_opt(&client, sql, &[&id.get()]).await.doing(doing)?;
        row.map(|row| {
            let format: crate::domain::ImageFormat = parsed(&row, "images", "format", id.get())?;
            Ok(StoredFile {
                key: parsed(&row, "images", "original_key", id.get())?,
                media_type: format.media_type(),
                original_name: row.get("original_name"),
            })
        })
        .transpose()
    }

    /// Where a thumbnail is: `Ok(Err(status))` if the image exists and has none, `Ok(Ok(None))` if there is no such image.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn thumbnail(
        &self,
        id: ImageId,
        size: ThumbnailSize,
    ) -> Result<Result<Option<StoredFile>, ImageStatus>, StoreError> {
        let doing = "looking for a thumbnail";
        let client = self.client(doing).await?;
        let sql = "
            select i.status, i.original_name, t.file_key, t.media_type
            from images i left join thumbnails t on t.image_id = i.id and t.size = $2 where i.id = $1";
        let Some(row) = query_opt(&client, sql, &[&id.get(), &size.as_str()]).await.doing(doing)? else {
            return Ok(Ok(None));
        };
        if row.get::<_, Option<&str>>("file_key").is_none() {
            return Ok(Err(parsed(&row, "images", "status", id.get())?));
        }
        let format: crate::domain::ThumbnailFormat = parsed(&row, "thumbnails", "media_type", id.get())?;
        Ok(Ok(Some(StoredFile {
            key: parsed(&row, "thumbnails", "file_key", id.get())?,
            media_type: format.media_type(),
            original_name: row.get("original_name"),
        })))
    }

    /// Deletes an image with all its rows; a worker that has it in hand will find its lease lost.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn delete_image(&self, id: ImageId) -> Result<Option<Deleted>, StoreError> {
        let doing = "deleting an image";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        let lock = "select original_key as file_key from images where id = $1 for update";
        let Some(original) = query_opt(&transaction, lock, &[&id.get()]).await.doing(doing)? else {
            return Ok(None);
        };
        let sql = "select file_key from thumbnails where image_id = $1";
        let mut rows = query(&transaction, sql, &[&id.get()]).await.doing(doing)?;
        rows.push(original);
        let files = rows
            .iter()
            .map(|row| parsed(row, "thumbnails", "file_key", id.get()))
            .collect::<Result<_, _>>()?;
        let sql = "delete from images where id = $1";
        execute(&transaction, sql, &[&id.get()]).await.doing(doing)?;
        query(&transaction, "select pg_notify('darkroom_images', $1)", &[&id.to_string()])
            .await
            .doing(doing)?;
        commit(transaction).await.doing(doing)?;
        Ok(Some(Deleted { files }))
    }

    /// Which of these files a row names; the others belong to nobody.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn named_files(&self, keys: &[FileKey]) -> Result<BTreeSet<FileKey>, StoreError> {
        let doing = "looking for the rows of files";
        let client = self.client(doing).await?;
        let texts: Vec<&str> = keys.iter().map(FileKey::as_str).collect();
        let sql = "
            select original_key as file_key from images where original_key = any($1)
            union all select file_key from thumbnails where file_key = any($1)";
        let rows = query(&client, sql, &[&texts]).await.doing(doing)?;
        rows.iter().map(|row| parsed(row, "files", "file_key", 0)).collect()
    }
}
