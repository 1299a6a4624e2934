//! An upload becomes a row and a job, or neither.

use super::error::Doing;
use super::keys::caller_column;
use super::{Store, StoreError, answered, execute, query_one, query_opt};
use crate::domain::{CallbackUrl, FileKey, IdempotencyKey, ImageFormat, ImageId, OriginalName, Sha256};
use deadpool_postgres::{GenericClient, Transaction};

/// An upload whose file is durable and whose row is not there yet.
#[derive(Debug, Clone)]
pub struct NewImage {
    /// The client's name for it.
    pub original_name: OriginalName,
    /// By content.
    pub format: ImageFormat,
    /// Of the bytes as uploaded.
    pub sha256: Sha256,
    /// Length in bytes.
    pub size_bytes: u64,
    /// Where the bytes are.
    pub key: FileKey,
    /// The client's `Idempotency-Key`, if it sent one.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Who is told how it ends.
    pub callback_url: Option<CallbackUrl>,
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Recorded {
    /// It is a new image, and its job is queued.
    New(ImageId),
    /// The same caller's key came with the same bytes before: this is the image it stood for. Nothing was written.
    Repeated(ImageId),
    /// The same caller's key came with other bytes before. Nothing was written.
    Mismatch,
}

impl Store {
    /// Writes the image and its job in one transaction, and wakes the relay.
    ///
    /// # Errors
    /// If Postgres is away (then the row may or may not be there) or refuses.
    pub async fn record_upload(&self, image: &NewImage) -> Result<Recorded, StoreError> {
        let doing = "recording an upload";
        let mut client = self.client(doing).await?;
        if image.idempotency_key.is_none() {
            // A statement is a transaction of its own.
            return insert(&client, image).await.map(Recorded::New);
        }
        loop {
            let transaction = answered(client.transaction()).await.doing(doing)?;
            if let Some(key) = &image.idempotency_key
                && let Some(known) = recall(&transaction, key, image).await?
            {
                return Ok(known);
            }
            let id = insert(&transaction, image).await?;
            if let Some(key) = &image.idempotency_key
                && !claim_key(&transaction, key, id, image).await?
            {
                // A twin was recorded meanwhile. Ours gives way and looks again.
                answered(transaction.rollback()).await.doing(doing)?;
                continue;
            }
            answered(transaction.commit()).await.doing(doing)?;
            return Ok(Recorded::New(id));
        }
    }
}

async fn recall(
    transaction: &Transaction<'_>,
    IdempotencyKey { caller, key }: &IdempotencyKey,
    image: &NewImage,
) -> Result<Option<Recorded>, StoreError> {
    let sql = "select image_id, sha256 from idempotency_keys where key = $1 and caller = $2";
    let row = query_opt(transaction, sql, &[key, &caller_column(caller)])
        .await
        .doing("recalling an idempotency key")?;
    Ok(row.map(|row| {
        let same = row.get::<_, &[u8]>("sha256") == image.sha256.as_bytes().as_slice();
        if same { Recorded::Repeated(ImageId::new(row.get("image_id"))) } else { Recorded::Mismatch }
    }))
}

/// Whether the key is ours now. Waits for a twin that is being recorded at this moment.
async fn claim_key(
    transaction: &Transaction<'_>,
    IdempotencyKey { caller, key }: &IdempotencyKey,
    id: ImageId,
    image: &NewImage,
) -> Result<bool, StoreError> {
    let sql = "insert into idempotency_keys (key, caller, image_id, sha256) values ($1, $2, $3, $4) on conflict do nothing";
    let digest = image.sha256.as_bytes().as_slice();
    let taken = execute(transaction, sql, &[key, &caller_column(caller), &id.get(), &digest]).await;
    Ok(taken.doing("claiming an idempotency key")? == 1)
}

async fn insert(client: &impl GenericClient, image: &NewImage) -> Result<ImageId, StoreError> {
    let sql = "
        with image as (
            insert into images (original_name, format, sha256, size_bytes, original_key, callback_url)
            values ($1, $2, $3, $4, $5, $6) returning id
        ), job as (
            insert into jobs (image_id, kind) select id, 'image' from image
        )
        select id, pg_notify('darkroom_jobs', 'image') from image";
    let row = query_one(
        client,
        sql,
        &[
            &image.original_name.as_str(),
            &image.format.as_str(),
            &image.sha256.as_bytes().as_slice(),
            &i64::try_from(image.size_bytes).unwrap_or(i64::MAX),
            &image.key.as_str(),
            &image.callback_url.as_ref().map(CallbackUrl::as_str),
        ],
    )
    .await
    .doing("recording an upload")?;
    Ok(ImageId::new(row.get("id")))
}
