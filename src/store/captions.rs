//! The captions that an image had, and those that people write.

use super::connections::Transaction;
use super::error::Doing;
use super::trace::Trace;
use super::{Store, StoreError, Value, begin, commit, execute, parsed, query, query_opt};
use crate::domain::{CaptionSource, HumanCaption, ImageId, ImageStatus, ModelName};
use time::OffsetDateTime;
use tokio_postgres::Row;

/// Captions of one image that are shown, the newest ones.
const SHOWN: i64 = 50;

/// A caption, and how it came about.
#[derive(Debug, Clone)]
pub struct CaptionRecord {
    /// Who made it.
    pub source: CaptionSource,
    /// One line.
    pub text: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// When a person's was taken back.
    pub withdrawn_at: Option<OffsetDateTime>,
    /// Of a model's.
    pub origin: Option<CaptionOrigin>,
}

/// How a model's caption came about.
#[derive(Debug, Clone)]
pub struct CaptionOrigin {
    /// Who was asked.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// With which prompt.
    pub prompt_version: String,
    /// The language that was asked for.
    pub language: Option<String>,
    /// The call; `None` if the caption was taken over from an identical picture.
    pub call: Option<CaptionCall>,
}

/// What a caption cost.
#[derive(Debug, Clone)]
pub struct CaptionCall {
    /// How long the call took, in milliseconds.
    pub run_ms: f64,
    /// Which attempt of its job it was, as long as the job is remembered.
    pub attempt: Option<i32>,
    /// Tokens of picture and prompt, if the provider told.
    pub prompt_tokens: Option<i32>,
    /// Tokens of the answer, if the provider told.
    pub completion_tokens: Option<i32>,
}

/// What became of a wish to take a person's caption back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Withdrawn {
    /// It is; what a model said counts again.
    Done,
    /// No person has written one.
    NothingWritten,
    /// There is no such image.
    NoSuchImage,
}

/// What became of a wish for another caption.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum AskedAgain {
    /// A job is queued; this is the image's original name.
    Queued(String),
    /// The image is not one that has pictures and is done.
    NotNow(ImageStatus),
    /// A model is being asked already, with all other images that lack a caption.
    UnderWay,
    /// There is no such image.
    NoSuchImage,
}

impl Store {
    /// The newest captions of an image, newest first; `None` if there is no such image.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn captions(&self, image: ImageId) -> Result<Option<Vec<CaptionRecord>>, StoreError> {
        let doing = "reading captions";
        let client = self.client(doing).await?;
        let sql = "
            select c.*, call.attempt from captions c left join caption_calls call on call.id = c.call_id
            where c.image_id = $1 order by c.id desc limit $2";
        let rows = query(&client, sql, &[&image.get(), &SHOWN]).await.doing(doing)?;
        if rows.is_empty() {
            let sql = "select 1 from images where id = $1";
            let there = query_opt(&client, sql, &[&image.get()]).await.doing(doing)?;
            return Ok(there.map(|_| Vec::new()));
        }
        rows.iter().map(record).collect::<Result<_, _>>().map(Some)
    }

    /// Records what a person says; it counts from now on. `None` if there is no such image. The same text again changes
    /// nothing.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not have happened, and may be repeated) or refuses.
    pub async fn write_caption(
        &self,
        image: ImageId,
        caption: &HumanCaption,
    ) -> Result<Option<CaptionRecord>, StoreError> {
        let doing = "recording a caption";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        if locked(&transaction, image).await?.is_none() {
            return Ok(None);
        }
        keep_unrecorded(&transaction, image).await?;
        let current = "
            select c.*, null::integer as attempt from captions c
            where image_id = $1 and source = 'human' and withdrawn_at is null and text = $2
              and id = (select max(id) from captions where image_id = $1 and source = 'human')";
        let values: [Value<'_>; 2] = [&image.get(), &caption.as_str()];
        let written = match query_opt(&transaction, current, &values).await.doing(doing)? {
            Some(same) => Some(same),
            None => {
                let sql = "insert into captions (image_id, source, text) values ($1, 'human', $2)
                           returning *, null::integer as attempt";
                query_opt(&transaction, sql, &values).await.doing(doing)?
            }
        };
        show_current(&transaction, image).await?;
        commit(transaction).await.doing(doing)?;
        written.as_ref().map(record).transpose()
    }

    /// Takes back what people have written of an image.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not have happened) or refuses.
    pub async fn withdraw_caption(&self, image: ImageId) -> Result<Withdrawn, StoreError> {
        let doing = "withdrawing a caption";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        if locked(&transaction, image).await?.is_none() {
            return Ok(Withdrawn::NoSuchImage);
        }
        let sql = "update captions set withdrawn_at = now()
                   where image_id = $1 and source = 'human' and withdrawn_at is null";
        if execute(&transaction, sql, &[&image.get()]).await.doing(doing)? == 0 {
            return Ok(Withdrawn::NothingWritten);
        }
        show_current(&transaction, image).await?;
        commit(transaction).await.doing(doing)?;
        Ok(Withdrawn::Done)
    }

    /// Queues a job that asks for a caption anew, of `model` or of those in the settings. The image is being processed until
    /// that is settled; the caption that it has stays until there is another.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not have happened), refuses, or holds what cannot be understood.
    pub async fn ask_again(
        &self,
        image: ImageId,
        model: Option<&ModelName>,
    ) -> Result<AskedAgain, StoreError> {
        let doing = "asking for a caption again";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        let Some(row) = locked(&transaction, image).await? else { return Ok(AskedAgain::NoSuchImage) };
        let status: ImageStatus = parsed(&row, "images", "status", image.get())?;
        if status != ImageStatus::Success {
            return Ok(AskedAgain::NotNow(status));
        }
        keep_unrecorded(&transaction, image).await?;
        let sql = "
            insert into jobs (image_id, kind, caption_model, traceparent, tracestate) values ($1, 'caption', $2, $3, $4)
            on conflict do nothing
            returning pg_notify('darkroom_jobs', 'caption'), pg_notify('darkroom_images', $1::text)";
        let trace = Trace::current();
        let model = model.map(ModelName::as_str);
        let values: [Value<'_>; 4] = [&image.get(), &model, &trace.traceparent, &trace.tracestate];
        if query_opt(&transaction, sql, &values).await.doing(doing)?.is_none() {
            return Ok(AskedAgain::UnderWay);
        }
        let sql = "update images set status = 'processing', completed_at = null where id = $1";
        execute(&transaction, sql, &[&image.get()]).await.doing(doing)?;
        commit(transaction).await.doing(doing)?;
        Ok(AskedAgain::Queued(row.get("original_name")))
    }
}

/// The image, locked, if there is one.
async fn locked(transaction: &Transaction<'_>, image: ImageId) -> Result<Option<Row>, StoreError> {
    let sql = "select status, original_name from images where id = $1 for no key update";
    query_opt(transaction, sql, &[&image.get()]).await.doing("locking an image")
}

/// A caption from before they were records becomes one: nobody knows any more who was asked.
async fn keep_unrecorded(transaction: &Transaction<'_>, image: ImageId) -> Result<(), StoreError> {
    let sql = "
        insert into captions (image_id, source, text, provider, model, prompt_version)
        select id, 'ai', caption, 'unknown', 'unknown', 'unknown' from images
        where id = $1 and caption <> '' and not exists (select from captions where image_id = $1)";
    execute(transaction, sql, &[&image.get()]).await.doing("recording an old caption").map(drop)
}

async fn show_current(transaction: &Transaction<'_>, image: ImageId) -> Result<(), StoreError> {
    let sql = "update images set caption = current_caption(id) where id = $1";
    execute(transaction, sql, &[&image.get()]).await.doing("choosing the caption of an image").map(drop)
}

fn record(row: &Row) -> Result<CaptionRecord, StoreError> {
    let provider: Option<String> = row.get("provider");
    let run_ms: Option<f64> = row.get("run_ms");
    let call = run_ms.map(|run_ms| CaptionCall {
        run_ms,
        attempt: row.get("attempt"),
        prompt_tokens: row.get("prompt_tokens"),
        completion_tokens: row.get("completion_tokens"),
    });
    let origin = |provider| CaptionOrigin {
        provider,
        model: row.get("model"),
        prompt_version: row.get("prompt_version"),
        language: row.get("language"),
        call,
    };
    Ok(CaptionRecord {
        source: parsed(row, "captions", "source", row.get("id"))?,
        text: row.get("text"),
        created_at: row.get("created_at"),
        withdrawn_at: row.get("withdrawn_at"),
        origin: provider.map(origin),
    })
}
