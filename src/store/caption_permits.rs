//! Leave to call a captioner: all workers share one budget and one circuit breaker for each provider, and no two ask the same
//! thing about the same picture.

use super::connections::Transaction;
use super::error::Doing;
use super::{Store, StoreError, Value, begin, commit, execute, query_one, query_opt};
use crate::domain::{Attempt, CallId, FailureCode, ImageId, JobId, Question};
use std::time::Duration;
use tokio_postgres::Row;

/// A slot of the budget that is no further away than this is waited for; later ones are not reserved.
const SHORT_WAIT: Duration = Duration::from_secs(5);

/// After which somebody who waits for another's call looks again, at the least; fifteen times as long at the most.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// After the longest that a call may take, and a wait for its slot: its worker has vanished.
const SLACK: Duration = Duration::from_secs(15);

/// A wish to call.
#[derive(Debug, Clone)]
pub struct WantedCall<'a> {
    /// For which job.
    pub job: JobId,
    /// The attempt that makes it; `None` before the job is claimed.
    pub attempt: Option<Attempt>,
    /// What is asked, and whom.
    pub question: &'a Question,
    /// By what the breaker and the budget of the provider are known.
    pub endpoint: &'a str,
    /// Calls permitted in a minute, evenly spaced; `None` for any number.
    pub per_minute: Option<u32>,
    /// Calls permitted in a day of UTC; `None` for any number.
    pub per_day: Option<u32>,
    /// The longest that it may take.
    pub lasts: Duration,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum CallPermit {
    /// It may be made, `starts_in` from now, and is counted.
    Granted {
        /// To be ended with [`Store::end_call`], or given back with [`Store::give_back_call`].
        call: CallId,
        /// For the budget of a minute; at most five seconds.
        starts_in: Duration,
    },
    /// Nothing is to be paid: a caption of an identical picture is known, and is now one of this image too.
    Known(String),
    /// Not now.
    NotNow(Wait),
    /// The job is about another model.
    OtherModel(String),
    /// The job does not wait, or not for this attempt: it is done, in other hands, or gone.
    NoSuchJob,
}

/// When a call may be possible, and why it is not now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// From now.
    pub wait: Duration,
    /// How long the job has waited since it was made; at most as long as the provider has not answered, if that is why.
    pub waited: Duration,
    /// What stands in the way.
    pub reason: WaitReason,
}

/// What stands in the way of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitReason {
    /// The same is being asked about an identical picture.
    UnderWay,
    /// The budget is used up.
    Budget,
    /// The circuit breaker is open: why, as it was last told.
    Open(String),
}

impl Store {
    /// Asks for permission to call. It is counted, by the row that [`CallPermit::Granted`] names.
    ///
    /// # Errors
    /// If Postgres is away (then it may be counted, which lapses), or refuses.
    pub async fn permit_call(&self, wanted: &WantedCall<'_>) -> Result<CallPermit, StoreError> {
        let doing = "asking for permission to call a captioner";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        // The image first, as everywhere: what follows refers to it.
        let sql = "
            select i.id, i.sha256, j.caption_model, extract(epoch from now() - j.created_at)::float8 as waited
            from jobs j join images i on i.id = j.image_id
            where j.id = $1 and (case when $2::integer is null then j.state = 'queued' and j.due_at <= now()
                                 else j.attempt = $2 and j.lease_until is not null end)
            for key share of i";
        let attempt = wanted.attempt.map(Attempt::get);
        let job = query_opt(&transaction, sql, &[&wanted.job.get(), &attempt]).await.doing(doing)?;
        let Some(job) = job else { return Ok(CallPermit::NoSuchJob) };
        let model = &wanted.question.model;
        if let Some(other) = job.get::<_, Option<String>>("caption_model").filter(|other| other != model) {
            return Ok(CallPermit::OtherModel(other));
        }
        let (image, picture): (_, &[u8]) = (ImageId::new(job.get("id")), job.get("sha256"));
        let waited = seconds(&job, "waited");
        // What is not committed is rolled back, with the slot.
        let not_now = |wait, waited, reason| Ok(CallPermit::NotNow(Wait { wait, waited, reason }));
        if let Some(text) = take_over(&transaction, image, picture, wanted.question).await? {
            commit(transaction).await.doing(doing)?;
            return Ok(CallPermit::Known(text));
        }
        if let Some(wait) = under_way(&transaction, picture, wanted.question).await? {
            return not_now(wait, waited, WaitReason::UnderWay);
        }
        let starts_in = match reserve(&transaction, wanted).await? {
            Ok(starts_in) => starts_in,
            Err(Refused { wait, failing_for, reason }) => {
                return not_now(wait, waited.min(failing_for), reason);
            }
        };
        let Some(call) = count(&transaction, picture, wanted, starts_in).await? else {
            return not_now(LOOK_AGAIN, waited, WaitReason::UnderWay);
        };
        // The call that was under way may have ended since the first look. The next look finds what it brought.
        if take_over(&transaction, image, picture, wanted.question).await?.is_some() {
            return not_now(LOOK_AGAIN, waited, WaitReason::UnderWay);
        }
        commit(transaction).await.doing(doing)?;
        Ok(CallPermit::Granted { call, starts_in })
    }

    /// Gives a permission back that was not used. Its slot of the minute stays used.
    ///
    /// # Errors
    /// If Postgres is away or refuses; the call lapses by itself.
    pub async fn give_back_call(&self, call: CallId) -> Result<(), StoreError> {
        let doing = "giving a call back";
        let client = self.client(doing).await?;
        // If nothing was said since it began, the breaker is at most open for this call to try.
        let sql = "
            with given_back as (
                delete from caption_calls where id = $1 and ended_at is null returning endpoint, begun_at)
            update caption_providers p set day_calls = greatest(day_calls - 1, 0),
                open_until = case when open_until is null or opened_at > begun_at then open_until
                    else least(open_until, now()) end
            from given_back where p.name = given_back.endpoint";
        execute(&client, sql, &[&call.get()]).await.doing(doing).map(drop)
    }
}

/// Gives the image the caption that is known of an identical picture, once.
async fn take_over(
    transaction: &Transaction<'_>,
    image: ImageId,
    picture: &[u8],
    Question { model, prompt_version, .. }: &Question,
) -> Result<Option<String>, StoreError> {
    let doing = "looking for a caption of an identical picture";
    // Whichever comes first: all say the same.
    let sql = "select id, text from captions
               where sha256 = $1 and model = $2 and prompt_version = $3 and source = 'ai' limit 1";
    let Some(known) = query_opt(transaction, sql, &[&picture, model, prompt_version]).await.doing(doing)?
    else {
        return Ok(None);
    };
    // Unless it is the image's newest, recorded by an attempt whose worker vanished.
    let sql = "
        insert into captions (image_id, source, text, provider, model, prompt_version, language, sha256)
        select $1, source, text, provider, model, prompt_version, language, sha256 from captions
        where id = $2 and not exists (
            select from (select model, prompt_version from captions where image_id = $1 and source = 'ai'
                         order by id desc limit 1) newest
            where newest.model = $3 and newest.prompt_version = $4)";
    let values: [Value<'_>; 4] = [&image.get(), &known.get::<_, i64>("id"), model, prompt_version];
    execute(transaction, sql, &values).await.doing(doing)?;
    Ok(Some(known.get("text")))
}

/// How long to wait for the same call about an identical picture, if there is one: the longer it takes, the longer.
async fn under_way(
    transaction: &Transaction<'_>,
    picture: &[u8],
    Question { model, prompt_version, .. }: &Question,
) -> Result<Option<Duration>, StoreError> {
    let doing = "looking for calls about an identical picture";
    // Lost is one whose job was claimed for it and is in nobody's hands any more, or was not claimed for too long.
    let sql = "
        update caption_calls c set ended_at = now(), run_ms = 1000 * extract(epoch from now() - c.begun_at)::float8,
            error_code = $4, error = 'the worker that made the call vanished'
        from jobs j
        where c.sha256 = $1 and c.model = $2 and c.prompt_version = $3 and c.ended_at is null and j.id = c.job_id
          and (c.lapses_at < now() or (j.claimed_at >= c.begun_at and coalesce(j.lease_until < now(), true)))";
    let lost = FailureCode::WorkerLost.as_str();
    execute(transaction, sql, &[&picture, model, prompt_version, &lost]).await.doing(doing)?;
    let sql = "select extract(epoch from now() - begun_at)::float8 as age from caption_calls
               where sha256 = $1 and model = $2 and prompt_version = $3 and ended_at is null";
    let row = query_opt(transaction, sql, &[&picture, model, prompt_version]).await.doing(doing)?;
    Ok(row.map(|row| seconds(&row, "age").clamp(LOOK_AGAIN, LOOK_AGAIN * 15)))
}

/// Counts a call; `None` if another one was faster.
async fn count(
    transaction: &Transaction<'_>,
    picture: &[u8],
    wanted: &WantedCall<'_>,
    starts_in: Duration,
) -> Result<Option<CallId>, StoreError> {
    let sql = "
        insert into caption_calls (job_id, endpoint, provider, model, prompt_version, sha256, lapses_at)
        values ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 second') on conflict do nothing returning id";
    let Question { provider, model, prompt_version, .. } = wanted.question;
    let lapses = (starts_in + wanted.lasts + SLACK).as_secs_f64();
    let values: [Value<'_>; 7] =
        [&wanted.job.get(), &wanted.endpoint, provider, model, prompt_version, &picture, &lapses];
    let row = query_opt(transaction, sql, &values).await.doing("counting a call")?;
    Ok(row.map(|row| CallId::new(row.get("id"))))
}

/// Why there is no slot.
struct Refused {
    wait: Duration,
    /// How long the provider has not answered.
    failing_for: Duration,
    reason: WaitReason,
}

/// A slot of the provider: how far away it is, or when and why there is none. It is taken when the transaction commits.
async fn reserve(
    transaction: &Transaction<'_>,
    wanted: &WantedCall<'_>,
) -> Result<Result<Duration, Refused>, StoreError> {
    let doing = "looking at the budget of a captioner";
    let endpoint = wanted.endpoint;
    // Who calls first makes the row. From here on to the commit, others wait in line; what they wait for takes a moment.
    let sql = "insert into caption_providers (name) values ($1) on conflict do nothing";
    execute(transaction, sql, &[&endpoint]).await.doing(doing)?;
    let sql = "
        select error, extract(epoch from coalesce(open_until, now()) - now())::float8 as open_for,
            extract(epoch from now() - coalesce(failing_since, now()))::float8 as failing_for,
            extract(epoch from greatest(next_at, now()) - now())::float8 as slot_in,
            case when day = (now() at time zone 'utc')::date then day_calls else 0 end as day_calls,
            extract(epoch from date_trunc('day', now() at time zone 'utc') + interval '1 day'
                - (now() at time zone 'utc'))::float8 as day_left
        from caption_providers where name = $1 for update";
    let row = query_one(transaction, sql, &[&endpoint]).await.doing(doing)?;
    let refused = |wait, reason| Ok(Err(Refused { wait, failing_for: seconds(&row, "failing_for"), reason }));
    let (open_for, slot_in) = (seconds(&row, "open_for"), seconds(&row, "slot_in"));
    if !open_for.is_zero() {
        let error: Option<String> = row.get("error");
        return refused(open_for, WaitReason::Open(error.unwrap_or_else(|| "it is being tried".to_owned())));
    }
    let day_calls: i32 = row.get("day_calls");
    if wanted.per_day.is_some_and(|most| i64::from(day_calls) >= i64::from(most)) {
        return refused(seconds(&row, "day_left"), WaitReason::Budget);
    }
    if wanted.per_minute.is_some() && slot_in > SHORT_WAIT {
        return refused(slot_in - SHORT_WAIT, WaitReason::Budget);
    }
    // After failures in a row one call tries whether it answers again; the others wait for what comes of it.
    let spacing = wanted.per_minute.map_or(0.0, |calls| 60.0 / f64::from(calls));
    let starts_in = if wanted.per_minute.is_some() { slot_in } else { Duration::ZERO };
    let sql = "
        update caption_providers set next_at = greatest(next_at, now()) + $2 * interval '1 second',
            day = (now() at time zone 'utc')::date, day_calls = $3 + 1,
            open_until = case when open_until is not null then now() + $4 * interval '1 second' end
        where name = $1";
    let lasts = (starts_in + wanted.lasts).as_secs_f64();
    let values: [Value<'_>; 4] = [&endpoint, &spacing, &day_calls, &lasts];
    execute(transaction, sql, &values).await.doing(doing)?;
    Ok(Ok(starts_in))
}

fn seconds(row: &Row, column: &str) -> Duration {
    Duration::try_from_secs_f64(row.get(column)).unwrap_or_default()
}
