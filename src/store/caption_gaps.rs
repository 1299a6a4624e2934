//! Images without a caption, or with one by an older prompt, in steps of a walk over all of them.

use super::error::Doing;
use super::{Store, StoreError, Value, query_one};
use crate::domain::ImageId;

/// Images looked at in one step.
const STEP: i64 = 1000;

/// What an image lacks.
#[derive(Debug, Clone)]
pub enum CaptionGap {
    /// It has no caption.
    None,
    /// It has none, or one of a model that was asked with another prompt than these.
    OlderThan(Vec<String>),
}

/// A step of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptionStep {
    /// Jobs that were queued.
    pub queued: u64,
    /// The last image that was looked at.
    pub last: ImageId,
}

impl Store {
    /// How many caption jobs wait or run, counted up to `most`.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn captions_under_way(&self, most: u64) -> Result<u64, StoreError> {
        let doing = "counting caption jobs";
        let client = self.client(doing).await?;
        let sql = "select count(*) as alive from (
                       select from jobs where kind = 'caption' and state in ('queued', 'running') limit $1) as few";
        let row = query_one(&client, sql, &[&bounded(most)]).await.doing(doing)?;
        Ok(u64::try_from(row.get::<_, i64>("alive")).unwrap_or_default())
    }

    /// Queues caption jobs for up to `most` images after `after` that have this gap; `None` at the end of the walk. The images
    /// stay a success meanwhile. Passed over is what a person has captioned, and what failed: that is retried by itself; unless
    /// `ask_if_described`, also what the file itself describes.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not have happened, and may be repeated: nothing is queued twice) or refuses.
    pub async fn queue_captions(
        &self,
        after: Option<ImageId>,
        most: u64,
        gap: &CaptionGap,
        ask_if_described: bool,
    ) -> Result<Option<CaptionStep>, StoreError> {
        let doing = "queueing captions";
        let client = self.client(doing).await?;
        // A caption from before they were records is older than any prompt.
        let sql = "
            with step as materialized (select id from images where id > $1 order by id limit $2),
            gaps as materialized (
                select i.id from step join images i on i.id = step.id
                where i.status = 'success'
                  and case coalesce((current_caption_record(i.id)).source, case when i.caption <> '' then 'ai' end)
                      when 'human' then false
                      when 'embedded' then $5
                      when 'ai' then $4::text[] is not null and coalesce((
                          select prompt_version from captions where image_id = i.id and source = 'ai'
                          order by id desc limit 1), 'unknown') <> all ($4)
                      else true end
                  and coalesce((
                      select state from jobs where image_id = i.id and kind = 'caption'
                      order by id desc limit 1), 'succeeded') = 'succeeded'
                order by i.id limit $3
                for key share of i),
            outdated as (
                update jobs set superseded = true from gaps
                where image_id = gaps.id and kind = 'caption' and finished_at is not null and not superseded),
            unrecorded as (
                insert into captions (image_id, source, text, provider, model, prompt_version)
                select i.id, 'ai', i.caption, 'unknown', 'unknown', 'unknown' from gaps join images i on i.id = gaps.id
                where i.caption <> '' and not exists (select from captions where image_id = i.id)),
            queued as (
                insert into jobs (image_id, kind) select id, 'caption' from gaps order by id
                on conflict do nothing returning id)
            select (select count(*) from queued) as queued,
                case when (select count(*) from gaps) = $3 then (select max(id) from gaps)
                     else (select max(id) from step) end as last,
                pg_notify('darkroom_jobs', 'caption')";
        let prompts = match gap {
            CaptionGap::None => None,
            CaptionGap::OlderThan(prompts) => Some(prompts),
        };
        let after = after.map_or(i64::MIN, ImageId::get);
        let values: [Value<'_>; 5] = [&after, &STEP, &bounded(most), &prompts, &ask_if_described];
        let row = query_one(&client, sql, &values).await.doing(doing)?;
        let queued = u64::try_from(row.get::<_, i64>("queued")).unwrap_or_default();
        Ok(row.get::<_, Option<i64>>("last").map(|last| CaptionStep { queued, last: ImageId::new(last) }))
    }
}

fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
