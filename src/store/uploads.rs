//! An upload becomes a row and a job, or neither.

use super::connections::{Session, Transaction};
use super::error::Doing;
use super::trace::Trace;
use super::{Store, StoreError, begin, commit, execute, query_one, query_opt, rollback};
use crate::domain::{
    CallbackUrl, Caller, FileKey, IdempotencyKey, ImageFormat, ImageId, OriginalName, Sha256,
};

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
    /// Writes the image and its job in one transaction. Nobody is told: to wake the relay of each process for each upload would
    /// be work for all of them, so whoever records an upload wakes its own; see [`super::Notices::wake`].
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
            let transaction = begin(&mut client).await.doing(doing)?;
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
                rollback(transaction).await.doing(doing)?;
                continue;
            }
            commit(transaction).await.doing(doing)?;
            return Ok(Recorded::New(id));
        }
    }
}

/// An `Idempotency-Key` as it stands in a row, where it tells whose it is. That of a holder begins with the digest of the API
/// key and U+0001, which the value of a header cannot hold: so nobody can send what is another's.
///
/// In the text, and not in a column of its own, because processes of a version without API keys read and write the same rows.
#[derive(Debug)]
struct StoredKey(String);

impl StoredKey {
    fn of(IdempotencyKey { caller, key }: &IdempotencyKey) -> Self {
        match caller {
            Caller::Anyone => Self(key.clone()),
            Caller::Holder { digest, .. } => Self(format!("{digest}\u{1}{key}")),
        }
    }
}

/// What the key stood for. A row of nobody, written before keys were asked for or by a process that does not know of them,
/// may be an earlier try of the same upload if its bytes are the same, and means nothing to a holder if they are not.
async fn recall(
    transaction: &Transaction<'_>,
    key: &IdempotencyKey,
    image: &NewImage,
) -> Result<Option<Recorded>, StoreError> {
    let sql = "
        select image_id, sha256 = $3 as same from idempotency_keys
        where key = $1 or (key = $2 and sha256 = $3) order by key = $1 desc limit 1";
    let (own, digest) = (StoredKey::of(key), image.sha256.as_bytes().as_slice());
    let row = query_opt(transaction, sql, &[&own.0, &key.key, &digest]).await;
    Ok(row.doing("recalling an idempotency key")?.map(|row| match row.get("same") {
        true => Recorded::Repeated(ImageId::new(row.get("image_id"))),
        false => Recorded::Mismatch,
    }))
}

/// Whether the key is ours now. Waits for a twin that is being recorded at this moment.
async fn claim_key(
    transaction: &Transaction<'_>,
    key: &IdempotencyKey,
    id: ImageId,
    image: &NewImage,
) -> Result<bool, StoreError> {
    let sql =
        "insert into idempotency_keys (key, image_id, sha256) values ($1, $2, $3) on conflict do nothing";
    let digest = image.sha256.as_bytes().as_slice();
    let taken = execute(transaction, sql, &[&StoredKey::of(key).0, &id.get(), &digest]).await;
    Ok(taken.doing("claiming an idempotency key")? == 1)
}

async fn insert(client: &impl Session, image: &NewImage) -> Result<ImageId, StoreError> {
    let sql = "
        with image as (
            insert into images (original_name, format, sha256, size_bytes, original_key, callback_url)
            values ($1, $2, $3, $4, $5, $6) returning id
        ), job as (
            insert into jobs (image_id, kind, traceparent, tracestate) select id, 'image', $7, $8 from image
        )
        select id from image";
    let trace = Trace::current();
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
            &trace.traceparent,
            &trace.tracestate,
        ],
    )
    .await
    .doing("recording an upload")?;
    Ok(ImageId::new(row.get("id")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_key_of_nobody_is_as_it_was_and_that_of_a_holder_is_its_own() {
        let stored = |caller| StoredKey::of(&IdempotencyKey { caller, key: "order-7".to_owned() }).0;
        let holder = |byte| Caller::Holder { name: "ann".into(), digest: Sha256::new([byte; 32]) };
        assert_eq!(stored(Caller::Anyone), "order-7");
        assert_eq!(stored(holder(0xab)), format!("{}\u{1}order-7", "ab".repeat(32)));
        assert_ne!(stored(holder(1)), stored(holder(2)));
    }
}
